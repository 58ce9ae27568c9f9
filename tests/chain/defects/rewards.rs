//! A model's share of a reward: its owner's by commission, its stakers' by stake.

use soma_tests::scenes::soma;
use soma_tests::world::World;
use soma_types::{ObjectRef, Shannons, StakeState, TransactionKind};

#[test]
fn d05_a_models_share_is_staked_for_its_owner_by_commission_and_the_rest_is_its_stakers() {
    let mut world = World::with_targets();
    let (submitter, delegator) = (world.users[4], world.users[5]);
    let target = world.open_targets()[0].clone();
    let model = target.models[0];
    let owner = world.model(&model).owner;
    let amount = soma(10);
    world.ok(&delegator, TransactionKind::StakeToModel { model, amount });
    world.fill(&submitter, &target, 1, 100);
    world.end_epochs(2);
    let balance = world.balance(&owner);
    let claim = TransactionKind::ClaimRewards { target: target.id };
    world.ok(&submitter, claim);
    // 17.125 SOMA are the model's: 1.7125 commission, 7.70625 for each 10 SOMA of stake.
    assert_eq!(world.balance(&owner), balance, "nothing is paid out");
    assert_eq!(world.model_pool(&model).soma.0, 37_125_000_000);
    let delegated = world.stakes(&delegator)[0];
    assert_eq!(world.worth(&delegated).0, 17_706_250_000);
    let mut owned: Vec<u64> = world
        .stakes(&owner)
        .iter()
        .map(|s| world.worth(s).0)
        .collect();
    owned.sort_unstable();
    // A share is 2^-32 shannon: commission rounds down by less than one.
    assert!(
        (1_712_499_999..=1_712_500_000).contains(&owned[0]),
        "{owned:?}"
    );
    assert_eq!(owned[1], 17_706_250_000);
}

#[test]
fn d08_the_share_of_a_model_without_stakers_is_its_owners_stake() {
    let mut world = World::with_targets();
    let submitter = world.users[4];
    let target = world.open_targets()[0].clone();
    let model = target.models[0];
    let owner = world.model(&model).owner;
    world.fill(&submitter, &target, 1, 100);
    let stake = world.stakes(&owner)[0];
    world.ok(&owner, TransactionKind::Unstake { stake: stake.id });
    world.end_epochs(2);
    let pool = world.model_pool(&model);
    assert_eq!(
        (pool.soma, pool.unbonding_soma, pool.tokens),
        (Shannons::ZERO, Shannons::ZERO, 0)
    );
    world.ok(
        &submitter,
        TransactionKind::ClaimRewards { target: target.id },
    );
    assert_eq!(world.model_pool(&model).soma.0, 17_125_000_000);
    let stake = world.stakes(&owner)[0];
    assert_eq!(world.worth(&stake).0, 17_125_000_000);
    world.ok(&owner, TransactionKind::Unstake { stake: stake.id });
}

#[test]
fn commission_that_is_unstaked_leaves_under_another_id_and_makes_room_for_the_next() {
    let mut world = World::new();
    let owner = world.validators[0];
    let own = world.stakes(&owner)[0].id;
    let mut collected = Vec::new();
    for _ in 0..2 {
        world.end_epoch();
        let commission = world
            .stakes(&owner)
            .into_iter()
            .find(|stake| stake.id != own && matches!(stake.state, StakeState::Staked { .. }));
        let commission = commission.expect("earned");
        let worth = world.worth(&commission);
        let stake = commission.id;
        let receipt = world.ok(&owner, TransactionKind::Unstake { stake });
        assert_eq!(receipt.deleted, [ObjectRef::Stake(stake)]);
        let [ObjectRef::Stake(leaving)] = receipt.created[..] else {
            panic!("a position was made: {:?}", receipt.created);
        };
        let leaving = world.read().stake(&leaving).expect("readable");
        let leaving = leaving.expect("on its way out");
        assert!(matches!(leaving.state, StakeState::Unbonding { .. }));
        assert_eq!(leaving.principal, commission.principal);
        assert_eq!(world.worth(&leaving), worth);
        collected.push((stake, worth.0));
    }
    assert_eq!(collected[0].0, collected[1].0, "one id at a time");
    let balance = world.balance(&owner).0;
    world.end_epochs(2);
    let paid: u64 = collected.iter().map(|(_, worth)| worth).sum();
    assert!(world.balance(&owner).0.abs_diff(balance + paid) <= 1);
}
