//! No transaction and no epoch can stop a node.

use soma_tests::model_secrets::{ModelSecrets, Sealed};
use soma_tests::scenes::{DIM, soma};
use soma_tests::world::{Setup, World, axis};
use soma_types::codec::decode;
use soma_types::{Loss, MAX_SUPPLY, ModelStatus, RawEmbedding, TransactionKind, ValidatorStatus};

fn raw(components: Vec<i32>) -> RawEmbedding {
    RawEmbedding::new(components).expect("below the limit")
}

#[test]
fn d16_numbers_of_any_shape_are_answered_by_name() {
    // Five bytes are no whole number of components.
    assert!(decode::<RawEmbedding>("an embedding", &[5, 1, 2, 3, 4, 5]).is_err());
    assert!(RawEmbedding::new(vec![0; 65_537]).is_err());

    let mut world = World::with_targets();
    let (user, target) = (world.users[4], world.open_targets()[0].clone());
    let good = world.submission(&user, &target, 1, 100);
    let shapes = [
        (raw(vec![]), "EmbeddingDimensionMismatch"),
        (raw(vec![1 << 30]), "EmbeddingDimensionMismatch"),
        (raw(vec![1; 60_000]), "EmbeddingDimensionMismatch"),
        (raw(vec![0; DIM]), "InvalidEmbedding"),
        (raw(vec![i32::MIN; DIM]), "InvalidEmbedding"),
        (raw(vec![i32::MAX; DIM]), "InvalidEmbedding"),
    ];
    for (embedding, name) in shapes {
        let mut sealed = good.clone();
        sealed.submission.embedding = embedding;
        world.ok(&user, sealed.seal());
        assert_eq!(world.fails(&user, sealed.open()), name);
    }
    for loss in [Loss(u64::MAX), Loss(u64::MAX / 2)] {
        let mut sealed: Sealed = good.clone();
        sealed.submission.loss = loss;
        world.ok(&user, sealed.seal());
        assert_eq!(world.fails(&user, sealed.open()), "InvalidLoss");
    }
}

#[test]
fn d17_a_revealed_embedding_has_the_networks_dimension_and_length_one() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let secrets = ModelSecrets::new(model, 9, axis(DIM, 3));
    let mut shapes = vec![
        (raw(vec![]), "EmbeddingDimensionMismatch"),
        (raw(vec![1 << 30; DIM + 1]), "EmbeddingDimensionMismatch"),
        (raw(vec![0; DIM]), "InvalidEmbedding"),
        (raw(vec![i32::MIN; DIM]), "InvalidEmbedding"),
    ];
    shapes.push((
        RawEmbedding::from(&axis(DIM, 4)),
        "ModelEmbeddingCommitmentMismatch",
    ));
    world.ok(&owner, secrets.commit());
    world.end_epoch();
    for (bad, name) in shapes {
        let mut reveal = secrets.reveal();
        if let TransactionKind::RevealModel { embedding, .. } = &mut reveal {
            *embedding = bad;
        }
        assert_eq!(world.fails(&owner, reveal), name);
    }
    world.ok(&owner, secrets.reveal());
    world.end_epoch();
    assert_eq!(world.open_targets().len(), 6);
}

#[test]
fn d18_a_model_that_missed_its_deadline_has_ended_for_good() {
    let mut world = World::new();
    let (owner, other) = (world.users[0], world.users[1]);
    let model = world.create_model(&owner, soma(10), 0);
    world.end_epochs(2);
    let ended = world.model(&model);
    assert!(matches!(ended.status, ModelStatus::Inactive { .. }));
    let amount = soma(1);
    let secrets = ModelSecrets::new(model, 1, axis(DIM, 0));
    let commission_bps = 1;
    let attempts = [
        (
            other,
            TransactionKind::StakeToModel { model, amount },
            "ModelAlreadyInactive",
        ),
        (owner, secrets.commit(), "ModelAlreadyInactive"),
        (owner, secrets.reveal(), "ModelAlreadyInactive"),
        (
            owner,
            TransactionKind::DeactivateModel { model },
            "ModelAlreadyInactive",
        ),
        (
            owner,
            TransactionKind::SetModelCommission {
                model,
                commission_bps,
            },
            "ModelNotActive",
        ),
    ];
    for (sender, kind, name) in attempts {
        assert_eq!(world.fails(&sender, kind), name);
    }
    assert_eq!(world.model_pool(&model).soma, soma(5));
    world.end_epochs(3);
    assert_eq!(world.model_pool(&model).soma, soma(5), "slashed once");
    assert_eq!(world.model(&model), ended);
}

#[test]
fn d19_old_stake_stays_with_its_pool_when_a_validator_comes_back() {
    let mut world = World::new();
    let (address, user) = (world.validators[3], world.users[0]);
    let amount = soma(100);
    let stake = TransactionKind::Stake {
        validator: address,
        amount,
    };
    world.ok(&user, stake.clone());
    world.ok(&address, TransactionKind::RemoveValidator);
    world.end_epochs(2);
    assert!(matches!(
        world.validator(&address).status,
        ValidatorStatus::Inactive { .. }
    ));
    assert_eq!(world.fails(&user, stake.clone()), "ValidatorNotFound");
    let old_pool = world.validator(&address).pool;

    let application = world.candidate(&address, 60);
    world.ok(&address, application);
    world.ok(&address, stake.clone());
    world.end_epoch();
    assert_eq!(world.validator(&address).status, ValidatorStatus::Active);
    let new_pool = world.validator_pool(&address);
    assert_ne!(new_pool.id, old_pool);

    // The user's stake never started: the pool closed before. It comes back from there in full.
    let position = world.stakes(&user)[0];
    assert_eq!((position.pool, world.worth(&position)), (old_pool, amount));
    let balance = world.balance(&user).0;
    let unstake = TransactionKind::Unstake { stake: position.id };
    let fee = world.ok(&user, unstake).fee.total().0;
    assert_eq!(world.balance(&user).0, balance - fee + amount.0);
    // The validator's own first stake unbonds from the old pool, too.
    let own = world.stakes(&address);
    let first = own
        .iter()
        .find(|stake| stake.pool == old_pool && stake.principal == soma(1_000));
    let unstake = TransactionKind::Unstake {
        stake: first.expect("still there").id,
    };
    world.ok(&address, unstake);
    assert_eq!(world.validator_pool(&address).soma, new_pool.soma);
}

#[test]
fn d21_the_last_validator_cannot_leave() {
    let mut world = World::with(Setup {
        validators: 2,
        ..Setup::default()
    });
    let [first, second] = [world.validators[0], world.validators[1]];
    world.ok(&first, TransactionKind::RemoveValidator);
    assert_eq!(
        world.fails(&first, TransactionKind::RemoveValidator),
        "ValidatorAlreadyRemoved"
    );
    assert_eq!(
        world.fails(&second, TransactionKind::RemoveValidator),
        "LastValidator"
    );
    world.end_epoch();
    assert_eq!(
        world.fails(&second, TransactionKind::RemoveValidator),
        "LastValidator"
    );
    assert_eq!(
        world.fails(&first, TransactionKind::RemoveValidator),
        "NotAValidator"
    );
}

#[test]
fn d21_the_chain_goes_on_when_all_validators_withdraw_their_stake() {
    let mut world = World::with(Setup {
        validators: 3,
        ..Setup::default()
    });
    for address in world.validators.clone() {
        let stake = world.stakes(&address)[0].id;
        world.ok(&address, TransactionKind::Unstake { stake });
    }
    for _ in 0..12 {
        world.end_epoch();
        let epoch = world.chain.system().epoch;
        let committee = world
            .read()
            .committee(epoch)
            .expect("readable")
            .expect("formed");
        let power: u64 = committee
            .members
            .iter()
            .map(|member| member.voting_power)
            .sum();
        assert_eq!(power, 10_000);
    }
}

#[test]
fn d22_an_epoch_can_end_in_every_state() {
    // No emission left, no models, a budget of nothing.
    let empty = Setup {
        balance: 833_000,
        ..Setup::default()
    };
    let mut world = World::with(empty);
    assert_eq!(world.chain.system().emission_pool.0, 0);
    world.end_epochs(3);
    assert_eq!(world.chain.system().targets.drawn, 0);
    assert_eq!(world.supply().total(), Some(MAX_SUPPLY));

    // Time that leaps by more than any epoch, as far as a block may.
    let mut world = World::with_targets();
    for _ in 0..3 {
        let mut proposal = world.proposal(Vec::new());
        let before = world.chain.head().header.time_ms;
        proposal.time_ms = before + soma_chain::header::MAX_TIME_STEP_MS;
        world.apply(proposal).expect("a valid block");
        assert_eq!(world.supply().total(), Some(MAX_SUPPLY));
    }
    assert!(world.chain.system().epoch.0 >= 1);
}
