//! Stake: shares of a pool, slashed together, and out after a full epoch.

use soma_tests::model_secrets::{ModelSecrets, Sealed};
use soma_tests::scenes::{DIM, soma};
use soma_tests::world::{Setup, World, axis};
use soma_types::{
    Address, Bps, ModelFault, ModelId, ModelStatus, PoolStatus, Shannons, StakePosition,
    StakeState, TransactionKind,
};

fn five_percent() -> Bps {
    Bps::new(500).expect("below 10,000")
}

fn unstake(stake: &StakePosition) -> TransactionKind {
    TransactionKind::Unstake { stake: stake.id }
}

/// Balance that a transaction leaves, without its fee.
fn before_fee(world: &mut World, sender: &Address, kind: TransactionKind) -> u64 {
    let fee = world.ok(sender, kind).fee.total().0;
    world.balance(sender).0 + fee
}

/// A model with 10 SOMA of its owner and 30 of another, which will miss its commit.
fn late_model(world: &mut World) -> (ModelId, Address, Address) {
    let [owner, other] = [world.users[0], world.users[1]];
    let model = world.create_model(&owner, soma(10), 0);
    let amount = soma(30);
    world.ok(&other, TransactionKind::StakeToModel { model, amount });
    (model, owner, other)
}

#[test]
fn d04_slashed_stake_goes_to_the_emission_pool_and_every_staker_shares_the_loss() {
    let mut world = World::new();
    let (model, owner, other) = late_model(&mut world);
    world.end_epoch();
    let (pool, staked) = (
        world.chain.system().emission_pool.0,
        world.model_pool(&model).soma,
    );
    assert_eq!(staked, soma(40));
    world.end_epoch();
    // Half of 40 SOMA is slashed; 1,370 leave for the next epoch's budget.
    assert_eq!(
        world.chain.system().emission_pool.0,
        pool + soma(20).0 - soma(1_370).0
    );
    assert_eq!(world.model_pool(&model).soma, soma(20));
    let (first, second) = (world.stakes(&owner)[0], world.stakes(&other)[0]);
    assert_eq!(
        (world.worth(&first), world.worth(&second)),
        (soma(5), soma(15))
    );
}

#[test]
fn d04b_a_withdrawal_after_a_slash_pays_what_the_shares_are_worth() {
    let mut world = World::new();
    let (model, owner, other) = late_model(&mut world);
    world.end_epochs(2);
    let (first, second) = (world.stakes(&owner)[0], world.stakes(&other)[0]);
    assert_eq!(second.principal, soma(30));
    world.ok(&owner, unstake(&first));
    world.ok(&other, unstake(&second));
    let balances = [owner, other].map(|who| world.balance(&who).0);
    world.end_epochs(2);
    assert_eq!(world.balance(&owner).0, balances[0] + soma(5).0);
    assert_eq!(world.balance(&other).0, balances[1] + soma(15).0);
    let pool = world.model_pool(&model);
    assert_eq!(
        (pool.soma, pool.unbonding_soma),
        (Shannons::ZERO, Shannons::ZERO)
    );
    assert!(world.stakes(&owner).is_empty());
}

#[test]
fn d09_stake_can_be_taken_back_in_the_epoch_in_which_it_was_given() {
    let mut world = World::new();
    // A pool that is not active yet: the stake counts at once, and unbonds.
    let (model, _, other) = late_model(&mut world);
    let stake = world.stakes(&other)[0];
    world.ok(&other, unstake(&stake));
    let pool = world.model_pool(&model);
    assert_eq!((pool.soma, pool.unbonding_soma), (soma(10), soma(30)));

    // An active pool: the stake waits for the next epoch, and is paid back at once.
    let (user, validator) = (world.users[2], world.validators[0]);
    let balance = world.balance(&user).0;
    let amount = soma(7);
    let kind = TransactionKind::Stake { validator, amount };
    assert_eq!(
        before_fee(&mut world, &user, kind.clone()),
        balance - amount.0
    );
    assert_eq!(world.validator_pool(&validator).pending, amount);
    let stake = world.stakes(&user)[0];
    let balance = world.balance(&user).0;
    assert_eq!(
        before_fee(&mut world, &user, unstake(&stake)),
        balance + amount.0
    );
    assert_eq!(world.validator_pool(&validator).pending, Shannons::ZERO);
    assert!(world.stakes(&user).is_empty());
}

#[test]
fn d10_stake_that_had_not_started_is_refunded_in_full_when_the_model_ends() {
    let mut world = World::with_targets();
    let (owner, user) = (world.users[0], world.users[6]);
    let model = world.model_of(&owner);
    let amount = soma(5);
    world.ok(&user, TransactionKind::StakeToModel { model, amount });
    let reason = ModelFault::InvalidWeights;
    for reporter in world.validators.clone() {
        world.ok(&reporter, TransactionKind::ReportModel { model, reason });
    }
    world.end_epochs(2);
    let pool = world.model_pool(&model);
    assert!(matches!(pool.status, PoolStatus::Inactive { .. }));
    assert_eq!((pool.soma.0, pool.pending), (soma(10).0 / 20, amount));
    let stake = world.stakes(&user)[0];
    assert_eq!(world.worth(&stake), amount);
    let balance = world.balance(&user).0;
    assert_eq!(
        before_fee(&mut world, &user, unstake(&stake)),
        balance + amount.0
    );
    assert_eq!(world.model_pool(&model).pending, Shannons::ZERO);
}

#[test]
fn d10_stake_in_a_deactivated_model_comes_back_at_once_before_it_starts_and_unbonds_after() {
    let mut world = World::with_targets();
    let (owner, early, late) = (world.users[0], world.users[6], world.users[5]);
    let model = world.model_of(&owner);
    let amount = soma(5);
    for user in [early, late] {
        world.ok(&user, TransactionKind::StakeToModel { model, amount });
    }
    world.ok(&owner, TransactionKind::DeactivateModel { model });
    let (balance, stake) = (world.balance(&early).0, world.stakes(&early)[0]);
    assert_eq!(
        before_fee(&mut world, &early, unstake(&stake)),
        balance + amount.0
    );
    world.end_epoch();
    let again = world.fails(&early, TransactionKind::StakeToModel { model, amount });
    assert_eq!(again, "ModelAlreadyInactive");
    let (balance, stake) = (world.balance(&late).0, world.stakes(&late)[0]);
    assert_eq!(before_fee(&mut world, &late, unstake(&stake)), balance);
    let balance = world.balance(&late).0;
    world.end_epochs(2);
    assert_eq!(world.balance(&late).0, balance + amount.0);
}

#[test]
fn d41_unbonding_takes_a_full_epoch_in_which_stake_earns_nothing() {
    let mut world = World::new();
    let address = world.validators[0];
    let stake = world.stakes(&address)[0];
    world.ok(&address, unstake(&stake));
    let again = world.fails(&address, unstake(&stake));
    assert_eq!(again, "StakeAlreadyUnbonding");
    let balance = world.balance(&address);
    let leaving = world.read().stake(&stake.id).expect("readable");
    let release = soma_types::Epoch(2);
    assert!(matches!(
        leaving.expect("waits").state,
        StakeState::Unbonding { release: at, .. } if at == release
    ));
    world.end_epoch();
    assert_eq!(world.balance(&address), balance);
    assert_eq!(world.worth(&stake), soma(1_000));
    world.end_epoch();
    assert_eq!(world.balance(&address).0, balance.0 + soma(1_000).0);
}

/// A block with all of `kinds` by `sender`, none of which fails.
fn all_at_once(
    world: &mut World,
    sender: &Address,
    kinds: impl IntoIterator<Item = TransactionKind>,
) {
    let signed = (0..)
        .zip(kinds)
        .map(|(ahead, kind)| world.sign(sender, kind, ahead))
        .collect();
    let block = world.block(signed);
    let mut receipts = block.receipts.iter();
    assert!(receipts.all(|receipt| receipt.status.is_success()));
}

#[test]
fn stake_in_very_many_positions_is_paid_out_over_several_blocks() {
    let setup = Setup::default().with("validator_reward_allocation_bps", 0);
    let mut world = World::with(setup);
    let (user, validator) = (world.users[0], world.validators[0]);
    let positions = |world: &World| {
        let stakes = world.read().stakes_of(&user, None, 10_000);
        stakes.expect("readable")
    };
    let amount = Shannons(1);
    let stake = TransactionKind::Stake { validator, amount };
    all_at_once(&mut world, &user, vec![stake; 1_002]);
    world.end_epoch();
    let all = positions(&world);
    all_at_once(&mut world, &user, all.iter().map(unstake));
    let balance = world.balance(&user).0;
    world.end_epoch();
    assert_eq!(positions(&world).len(), 1_002);

    world.end_epoch_with(Vec::new());
    let left = positions(&world);
    let ids = |stakes: &[StakePosition]| stakes.iter().map(|stake| stake.id).collect::<Vec<_>>();
    assert_eq!(ids(&left), ids(&all[1_000..]), "in order of id");
    for stake in &left {
        assert!(matches!(
            world.read().stake_state(stake).expect("readable"),
            StakeState::Unbonding { release, .. } if release == world.chain.system().epoch
        ));
        assert_eq!(world.worth(stake), amount);
    }
    assert_eq!(world.validator_pool(&validator).unbonding_soma.0, 2);
    assert_eq!(world.balance(&user).0, balance + 1_000);

    world.tick();
    assert!(positions(&world).is_empty());
    assert_eq!(world.validator_pool(&validator).unbonding_tokens, 0);
    assert_eq!(world.balance(&user).0, balance + 1_002);
}

#[test]
fn d41_stake_on_its_way_out_is_still_slashed() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let stake = world.stakes(&owner)[0];
    world.ok(&owner, unstake(&stake));
    world.end_epoch();
    // Without its stake the model ended with the epoch; a report still reaches it.
    assert!(matches!(
        world.model(&model).status,
        ModelStatus::Inactive { .. }
    ));
    let reason = ModelFault::Undecryptable;
    for reporter in world.validators.clone() {
        world.ok(&reporter, TransactionKind::ReportModel { model, reason });
    }
    let balance = world.balance(&owner).0;
    world.end_epoch();
    assert_eq!(world.balance(&owner).0, balance + soma(10).0 / 20);
}

#[test]
fn a_model_is_slashed_once_for_the_same_weights() {
    let mut world = World::with_targets();
    let model = world.model_of(&world.users[0].clone());
    let reason = ModelFault::Undecryptable;
    for reporter in world.validators.clone() {
        world.ok(&reporter, TransactionKind::ReportModel { model, reason });
    }
    world.end_epoch();
    assert_eq!(
        world.model_pool(&model).soma,
        soma(10).share(five_percent())
    );
    assert!(world.model(&model).weights.is_none());
    let reporter = world.validators[0];
    let again = TransactionKind::ReportModel { model, reason };
    assert_eq!(world.fails(&reporter, again), "ModelNotActive");
}

/// Fills a target with data that the model of `owner` wins, and claims it two epochs later.
fn earn(world: &mut World, owner: &Address, seed: u8) {
    let submitter = world.users[5];
    let model = world.model_of(owner);
    let target = world.open_targets().remove(0);
    let direction = world.read().target_embedding(&target.id).expect("readable");
    let direction = direction.expect("a target has a direction");
    let sealed = Sealed::new(submitter, target.id, model, &direction, seed, 100);
    world.ok(&submitter, sealed.seal());
    world.ok(&submitter, sealed.open());
    world.end_epochs(2);
    let claim = TransactionKind::ClaimRewards { target: target.id };
    world.ok(&submitter, claim);
}

#[test]
fn an_owner_who_makes_shares_dear_takes_nothing_from_who_stakes_after() {
    let setup = Setup::default().models(3).with("model_min_stake", 1);
    let mut world = World::with(setup);
    world.tick();
    let (owner, victim) = (world.users[0], world.users[7]);
    let model = world.model_of(&owner);
    let stake = |amount| TransactionKind::StakeToModel { model, amount };
    // All of the pool leaves but one shannon, whose shares then take rewards.
    world.ok(&owner, stake(Shannons(1)));
    world.end_epoch();
    let mut stakes = world.stakes(&owner);
    stakes.sort_by_key(|stake| stake.principal);
    world.ok(&owner, unstake(&stakes[1]));
    assert_eq!(world.model_pool(&model).soma, Shannons(1));
    for seed in 0..4 {
        earn(&mut world, &owner, seed);
        let pool = world.model_pool(&model);
        assert!(
            u128::from(pool.soma.0) <= pool.tokens,
            "a share is at most a shannon"
        );
    }
    assert!(world.model_pool(&model).soma > soma(1), "it earned");
    world.ok(&victim, stake(soma(2)));
    world.end_epoch();
    let position = world.stakes(&victim)[0];
    let worth = world.worth(&position);
    assert!(worth.0 + 1 >= soma(2).0, "{worth} of 2 SOMA are left");
}

#[test]
fn d41_a_model_below_the_minimum_stake_ends_with_the_epoch() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let stake = world.stakes(&owner)[0];
    world.ok(&owner, unstake(&stake));
    assert_eq!(world.model(&model).status, ModelStatus::Active);
    world.end_epoch();
    assert!(matches!(
        world.model(&model).status,
        ModelStatus::Inactive { .. }
    ));
    assert_eq!(world.chain.active_models(), 2);
    let secrets = ModelSecrets::new(model, 1, axis(DIM, 0));
    assert_eq!(
        world.fails(&owner, secrets.commit()),
        "ModelAlreadyInactive"
    );
}
