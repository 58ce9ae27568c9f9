//! What a verdict moves: bonds, rewards, challenges.

use soma_tests::scenes::soma;
use soma_tests::world::World;
use soma_types::{Address, EarningKind, Event, Shannons, Target, TransactionKind};

/// A world with one fill of 1,000 bytes: the bond is 65,000 shannons.
fn filled() -> (World, Target, Address) {
    let mut world = World::with_targets();
    let (target, submitter) = (world.open_targets()[0].clone(), world.users[4]);
    let fill = world.fill(&submitter, &target, 1, 1_000);
    assert_eq!(fill.bond, Shannons(65_000));
    (world, target, submitter)
}

/// The first three validators in order of address.
fn three(world: &World) -> [Address; 3] {
    let mut sorted = world.validators.clone();
    sorted.sort();
    [sorted[0], sorted[1], sorted[2]]
}

#[test]
fn d01_a_proven_fraud_returns_the_reward_to_the_budget_and_pays_the_bond_to_the_reporters() {
    let (mut world, target, submitter) = filled();
    let reporters = three(&world);
    world.end_epoch();
    world.report(&reporters, &target.id);
    let balances = reporters.map(|who| world.balance(&who).0);
    let submitter_before = world.balance(&submitter);
    let before = (world.chain.system(), world.supply());
    // Six open targets of epoch 1 expire at the same boundary.
    let open = world.supply().target_rewards.0 - target.reward.0;
    world.end_epoch_with(Vec::new());

    // 65,000 / 3 each, and what is left to the first.
    let earned: Vec<u64> = reporters
        .iter()
        .zip(balances)
        .map(|(who, before)| world.balance(who).0 - before)
        .collect();
    assert_eq!(earned, [21_668, 21_666, 21_666]);
    assert_eq!(world.balance(&submitter), submitter_before);
    let (system, supply) = (world.chain.system(), world.supply());
    let budget = before.0.target_pot.0 + open + target.reward.0 + soma(1_370).0;
    assert_eq!(system.validator_pot.0 + system.target_pot.0, budget);
    assert_eq!(supply.submission_bonds, Shannons::ZERO);
    assert_eq!(supply.total(), before.1.total());

    assert_eq!(world.target(&target.id).status.name(), "fraud");
    let claim = TransactionKind::ClaimRewards { target: target.id };
    assert_eq!(world.fails(&submitter, claim), "TargetNotFilled");
}

#[test]
fn d01_a_clean_submission_pays_reward_and_bond_once() {
    let (mut world, target, submitter) = filled();
    world.end_epochs(2);
    let balance = world.balance(&submitter).0;
    let claim = TransactionKind::ClaimRewards { target: target.id };
    let fee = world.ok(&submitter, claim.clone()).fee.total().0;
    let reward = target.reward.0;
    assert_eq!(
        world.balance(&submitter).0,
        balance - fee + (reward - reward / 2) + 65_000
    );
    assert_eq!(world.fails(&submitter, claim), "TargetAlreadyClaimed");
    assert_eq!(world.supply().submission_bonds, Shannons::ZERO);
}

#[test]
fn d28_anyone_may_challenge_and_an_upheld_challenge_earns_half_the_bond() {
    let (mut world, target, submitter) = filled();
    let challenger = world.users[6];
    let challenge = TransactionKind::ChallengeSubmission { target: target.id };
    assert_eq!(
        world.fails(&submitter, challenge.clone()),
        "CannotReportOneself"
    );
    let balance = world.balance(&challenger).0;
    let block = {
        let signed = world.sign(&challenger, challenge.clone(), 0);
        world.block(vec![signed])
    };
    let asked = Event::SubmissionChallenged { target: target.id };
    assert!(block.events.contains(&asked), "every validator hears of it");
    assert_eq!(world.supply().challenge_bonds, Shannons(65_000));
    let again = world.fails(&world.users[7].clone(), challenge);
    assert_eq!(again, "TargetAlreadyChallenged");

    let reporters = three(&world);
    world.end_epoch();
    world.report(&reporters, &target.id);
    let balances = reporters.map(|who| world.balance(&who).0);
    world.end_epoch();
    // Base fee and two objects are gone; the own bond is back, half the other's is earned.
    assert_eq!(world.balance(&challenger).0, balance - 1_600 + 32_500);
    let earned: Vec<u64> = reporters
        .iter()
        .zip(balances)
        .map(|(who, before)| world.balance(who).0 - before)
        .collect();
    assert_eq!(earned, [10_834, 10_833, 10_833]);
    assert_eq!(world.supply().challenge_bonds, Shannons::ZERO);
}

#[test]
fn d28_a_challenge_that_fails_loses_its_bond_to_the_emission_pool() {
    let (mut world, target, submitter) = filled();
    let challenger = world.users[6];
    let challenge = TransactionKind::ChallengeSubmission { target: target.id };
    let balance = world.balance(&challenger).0;
    world.ok(&challenger, challenge);
    // Half the power is no quorum.
    let reporters = three(&world);
    world.report(&reporters[..2], &target.id);
    world.end_epoch();
    let pool = world.chain.system().emission_pool.0;
    world.end_epoch_with(Vec::new());
    assert_eq!(world.balance(&challenger).0, balance - 1_600 - 65_000);
    assert_eq!(
        world.chain.system().emission_pool.0,
        pool + 65_000 - soma(1_370).0
    );
    let lost = world
        .read()
        .ledger(&challenger, None, 10)
        .expect("readable");
    assert_eq!(
        (lost[0].kind, lost[0].amount.0),
        (EarningKind::ChallengeBondLost, 65_000)
    );
    world.tick();
    world.ok(
        &submitter,
        TransactionKind::ClaimRewards { target: target.id },
    );
}

#[test]
fn d28_nobody_challenges_without_a_bond_or_after_the_audit() {
    let (mut world, target, _) = filled();
    let challenge = TransactionKind::ChallengeSubmission { target: target.id };
    let poor = world.users[6];
    world.drain(&poor, Shannons(10_000));
    assert_eq!(world.fails(&poor, challenge.clone()), "InsufficientBond");
    let open = world.open_targets()[0].id;
    let early = TransactionKind::ChallengeSubmission { target: open };
    let rich = world.users[5];
    assert_eq!(world.fails(&rich, early), "TargetNotFilled");
    world.end_epochs(2);
    assert_eq!(world.fails(&rich, challenge), "AuditWindowClosed");
}

#[test]
fn d47_failed_claims_leave_no_trace_in_the_ledger() {
    let (mut world, target, submitter) = filled();
    let claim = TransactionKind::ClaimRewards { target: target.id };
    let entries = |world: &World| {
        let ledger = world.read().ledger(&submitter, None, 100);
        ledger.expect("readable").len()
    };
    assert_eq!(world.fails(&submitter, claim.clone()), "AuditWindowOpen");
    world.end_epoch();
    assert_eq!(world.fails(&submitter, claim.clone()), "AuditWindowOpen");
    assert_eq!(entries(&world), 0);
    world.end_epoch();
    world.ok(&submitter, claim.clone());
    assert_eq!(entries(&world), 2, "share and bond");
    assert_eq!(world.fails(&submitter, claim), "TargetAlreadyClaimed");
    assert_eq!(entries(&world), 2);
}
