//! Models: commit, reveal and their deadlines.

use soma_tests::model_secrets::ModelSecrets;
use soma_tests::scenes::{DIM, create_model, soma};
use soma_tests::world::{World, axis};
use soma_types::{
    EarningKind, Event, ModelFault, ModelStatus, PoolStatus, Shannons, SlashReason, TransactionKind,
};

fn secrets(world: &mut World, seed: u8) -> (soma_types::Address, ModelSecrets) {
    let owner = world.users[0];
    let model = world.create_model(&owner, soma(10), 0);
    (owner, ModelSecrets::new(model, seed, axis(DIM, 1)))
}

#[test]
fn a_model_lives_from_created_over_pending_to_active() {
    let mut world = World::new();
    let (owner, secrets) = secrets(&mut world, 1);
    let model = secrets.model;
    let status = |world: &World| world.model(&model).status.name();
    assert_eq!(status(&world), "created");
    world.ok(&owner, secrets.commit());
    assert_eq!(status(&world), "pending");
    assert_eq!(world.fails(&owner, secrets.commit()), "ModelInvalidState");
    assert_eq!(
        world.fails(&owner, secrets.reveal()),
        "ModelRevealEpochMismatch"
    );
    world.end_epoch();
    world.ok(&owner, secrets.reveal());
    assert_eq!(status(&world), "active");
    assert_eq!(world.model_pool(&model).status, PoolStatus::Active);
    assert_eq!(
        world.fails(&owner, secrets.reveal()),
        "ModelNoPendingUpdate"
    );
    let weights = world.model(&model).weights.expect("revealed");
    assert_eq!(
        (weights.key, weights.plaintext_checksum),
        (secrets.key, secrets.plaintext)
    );
    assert_eq!(world.chain.active_models(), 1);
}

#[test]
fn a_model_may_commit_in_the_epoch_after_its_creation() {
    let mut world = World::new();
    let (owner, secrets) = secrets(&mut world, 1);
    world.end_epoch();
    world.commit_and_reveal(&owner, &secrets);
    assert_eq!(world.model_pool(&secrets.model).soma, soma(10));
}

#[test]
fn a_model_that_does_not_reveal_in_time_loses_half_of_its_stake_and_ends() {
    let mut world = World::new();
    let (owner, secrets) = secrets(&mut world, 1);
    world.ok(&owner, secrets.commit());
    world.end_epochs(2);
    assert!(matches!(
        world.model(&secrets.model).status,
        ModelStatus::Inactive { .. }
    ));
    assert_eq!(world.model_pool(&secrets.model).soma, soma(5));
    // Its owner sees why.
    let slash = Event::Slashed {
        owner,
        model: Some(secrets.model),
        reason: SlashReason::MissedReveal,
        amount: soma(5),
    };
    assert_eq!(world.slashes(), [slash]);
    let entry = &world.read().ledger(&owner, None, 1).expect("readable")[0];
    assert_eq!(
        (entry.kind, entry.amount),
        (EarningKind::StakeSlashed, soma(5))
    );
    assert_eq!(
        world.fails(&owner, secrets.reveal()),
        "ModelAlreadyInactive"
    );
}

fn take_back(world: &mut World, owner: &soma_types::Address, model: &soma_types::ModelId) {
    let pool = world.model_pool(model);
    let stake = world.stake_in(owner, &pool).id;
    world.ok(owner, TransactionKind::Unstake { stake });
}

#[test]
fn a_model_without_its_stake_cannot_commit() {
    let mut world = World::new();
    let (owner, secrets) = secrets(&mut world, 1);
    let model = secrets.model;
    take_back(&mut world, &owner, &model);
    world.end_epoch();
    assert_eq!(world.fails(&owner, secrets.commit()), "ModelMinStakeNotMet");
    let amount = soma(1);
    world.ok(&owner, TransactionKind::StakeToModel { model, amount });
    world.ok(&owner, secrets.commit());
}

#[test]
fn a_model_without_its_stake_does_not_become_active() {
    let mut world = World::new();
    let (owner, secrets) = secrets(&mut world, 1);
    let model = secrets.model;
    world.ok(&owner, secrets.commit());
    take_back(&mut world, &owner, &model);
    world.end_epoch();
    assert_eq!(world.fails(&owner, secrets.reveal()), "ModelMinStakeNotMet");
    assert_eq!(world.model(&model).status, ModelStatus::Pending);
    let amount = soma(1);
    world.ok(&owner, TransactionKind::StakeToModel { model, amount });
    world.ok(&owner, secrets.reveal());
    assert_eq!(world.model(&model).status, ModelStatus::Active);
}

#[test]
fn an_active_model_that_loses_its_stake_reveals_its_update_and_commits_to_no_other() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let update = ModelSecrets::new(model, 1, axis(DIM, 1));
    world.ok(&owner, update.commit());
    world.end_epoch();
    take_back(&mut world, &owner, &model);
    world.ok(&owner, update.reveal());
    assert_eq!(world.fails(&owner, update.commit()), "ModelMinStakeNotMet");
    // Stake that waits for the next epoch keeps the model, so it counts.
    let amount = soma(1);
    world.ok(&owner, TransactionKind::StakeToModel { model, amount });
    world.ok(&owner, update.commit());
}

#[test]
fn stake_that_is_withdrawn_after_the_commit_shares_the_slash_for_no_reveal() {
    let mut world = World::new();
    let (owner, secrets) = secrets(&mut world, 1);
    world.ok(&owner, secrets.commit());
    take_back(&mut world, &owner, &secrets.model);
    let before = world.balance(&owner).0;
    world.end_epochs(2);
    assert_eq!(world.balance(&owner).0, before + soma(5).0);
}

#[test]
fn an_update_that_is_not_revealed_in_time_is_dropped_without_a_slash() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let old = world.model(&model).weights;
    let update = ModelSecrets::new(model, 1, axis(DIM, 1));
    world.ok(&owner, update.commit());
    assert!(world.model(&model).pending.is_some());
    world.end_epochs(2);
    let model = world.model(&model);
    assert_eq!((model.status, model.pending), (ModelStatus::Active, None));
    assert_eq!(model.weights, old);
    assert_eq!(world.model_pool(&model.id).soma, soma(10));
    assert_eq!(world.fails(&owner, update.reveal()), "ModelNoPendingUpdate");
}

#[test]
fn a_later_update_in_an_epoch_replaces_an_earlier_one() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let [first, second] = [1, 2].map(|seed| ModelSecrets::new(model, seed, axis(DIM, 1)));
    world.ok(&owner, first.commit());
    world.ok(&owner, second.commit());
    world.end_epoch();
    assert_eq!(
        world.fails(&owner, first.reveal()),
        "ModelDecryptionKeyCommitmentMismatch"
    );
    world.ok(&owner, second.reveal());
}

#[test]
fn models_that_are_deactivated_answer_for_their_targets_until_the_epoch_ends() {
    let mut world = World::with_targets();
    let user = world.users[4];
    let models = [0, 1, 2].map(|n| {
        let owner = world.users[n];
        let model = world.model_of(&owner);
        world.ok(&owner, TransactionKind::DeactivateModel { model });
        model
    });
    assert_eq!(world.chain.active_models(), 3);
    for (seed, target) in (1..).zip(world.open_targets()) {
        world.fill(&user, &target, seed, 100);
    }
    assert!(!world.open_targets().is_empty(), "drawn anew for each fill");
    world.end_epoch();
    for model in models {
        let model = world.model(&model);
        assert!(matches!(model.status, ModelStatus::Inactive { .. }));
        assert!(!model.leaving);
        assert_eq!(world.model_pool(&model.id).soma, soma(10));
    }
    assert_eq!(world.chain.active_models(), 0);
    assert!(world.open_targets().is_empty());
}

#[test]
fn a_model_that_leaves_takes_no_update_and_reveals_one_that_is_due() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let [due, late] = [1, 2].map(|seed| ModelSecrets::new(model, seed, axis(DIM, 1)));
    world.ok(&owner, due.commit());
    world.end_epoch();
    world.ok(&owner, TransactionKind::DeactivateModel { model });
    let leaving = world.model(&model);
    assert!(leaving.leaving && leaving.status == ModelStatus::Active);
    for kind in [TransactionKind::DeactivateModel { model }, late.commit()] {
        assert_eq!(world.fails(&owner, kind), "ModelAlreadyLeaving");
    }
    world.ok(&owner, due.reveal());
    let commission_bps = 1;
    world.ok(
        &owner,
        TransactionKind::SetModelCommission {
            model,
            commission_bps,
        },
    );
    world.end_epoch();
    assert_eq!(world.model_pool(&model).soma, soma(10));
    assert_eq!(
        world.fails(&owner, TransactionKind::DeactivateModel { model }),
        "ModelAlreadyInactive"
    );
}

#[test]
fn an_update_of_a_model_that_leaves_is_dropped_without_a_slash() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let update = ModelSecrets::new(model, 1, axis(DIM, 1));
    world.ok(&owner, update.commit());
    world.ok(&owner, TransactionKind::DeactivateModel { model });
    assert!(world.model(&model).pending.is_some());
    world.end_epoch();
    assert_eq!(world.model(&model).pending, None);
    assert!(world.slashes().is_empty());
    assert_eq!(world.fails(&owner, update.reveal()), "ModelAlreadyInactive");
}

#[test]
fn a_model_that_leaves_is_slashed_by_reports_of_that_epoch_and_of_the_next() {
    let reason = ModelFault::InvalidWeights;
    for reported_late in [false, true] {
        let mut world = World::with_targets();
        let owner = world.users[0];
        let model = world.model_of(&owner);
        world.ok(&owner, TransactionKind::DeactivateModel { model });
        if reported_late {
            world.end_epoch();
        }
        for reporter in world.validators.clone() {
            world.ok(&reporter, TransactionKind::ReportModel { model, reason });
        }
        world.end_epoch();
        assert_eq!(world.model_pool(&model).soma.0, soma(10).0 / 20);
        let ended = world.model(&model);
        assert!(matches!(ended.status, ModelStatus::Inactive { .. }));
        assert!(!ended.leaving && ended.weights.is_none());
    }
}

#[test]
fn a_model_that_owes_a_commit_or_a_reveal_cannot_be_deactivated() {
    let mut world = World::new();
    let (owner, secrets) = secrets(&mut world, 1);
    let ended = TransactionKind::DeactivateModel {
        model: secrets.model,
    };
    assert_eq!(world.fails(&owner, ended.clone()), "ModelNotActive");
    world.ok(&owner, secrets.commit());
    assert_eq!(world.fails(&owner, ended), "ModelNotActive");
}

#[test]
fn only_the_owner_acts_for_a_model() {
    let mut world = World::with_targets();
    let (owner, stranger) = (world.users[0], world.users[1]);
    let model = world.model_of(&owner);
    let secrets = ModelSecrets::new(model, 1, axis(DIM, 1));
    let commission_bps = 1;
    let attempts = [
        secrets.commit(),
        secrets.reveal(),
        TransactionKind::SetModelCommission {
            model,
            commission_bps,
        },
        TransactionKind::DeactivateModel { model },
    ];
    for kind in attempts {
        assert_eq!(world.fails(&stranger, kind), "NotModelOwner");
    }
}

#[test]
fn a_model_needs_its_stake_architecture_and_a_commission_of_at_most_all() {
    let mut world = World::new();
    let owner = world.users[0];
    let short = create_model(Shannons(soma(1).0 - 1), 0);
    assert_eq!(world.fails(&owner, short), "ModelMinStakeNotMet");
    let greedy = create_model(soma(1), 10_001);
    assert_eq!(world.fails(&owner, greedy), "ModelCommissionRateTooHigh");
    let other = TransactionKind::CreateModel {
        architecture_version: 2,
        stake: soma(1),
        commission_bps: 0,
    };
    assert_eq!(
        world.fails(&owner, other),
        "ModelArchitectureVersionMismatch"
    );
    world.create_model(&owner, soma(1), 10_000);
}

#[test]
fn a_models_commission_changes_with_the_next_epoch() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let commission_bps = 2_500;
    world.ok(
        &owner,
        TransactionKind::SetModelCommission {
            model,
            commission_bps,
        },
    );
    assert_eq!(world.model(&model).commission.get(), 1_000);
    world.end_epoch();
    assert_eq!(world.model(&model).commission.get(), 2_500);
    let commission_bps = 10_001;
    let kind = TransactionKind::SetModelCommission {
        model,
        commission_bps,
    };
    assert_eq!(world.fails(&owner, kind), "ModelCommissionRateTooHigh");
}
