//! Submissions that nobody can judge: the winner's weights cannot be had.

use std::collections::BTreeMap;

use soma_chain::{TargetFilter, TargetQuery};
use soma_tests::scenes::soma;
use soma_tests::world::{Setup, World};
use soma_types::{
    Address, EarningKind, Epoch, Event, Shannons, SubmissionFault, Target, TransactionKind,
};

/// What 1,000 bytes take as a bond.
const BOND: u64 = 65_000;

fn report(world: &mut World, by: &Address, target: &Target, reason: SubmissionFault) {
    let target = target.id;
    world.ok(by, TransactionKind::ReportSubmission { target, reason });
}

fn challenge(target: &Target) -> TransactionKind {
    TransactionKind::ChallengeSubmission { target: target.id }
}

/// Reports of one fill by the four validators: so many of a fraud, so many that the winner's weights
/// cannot be had; and whether it is challenged.
#[derive(Clone, Copy, Debug)]
struct Mix {
    frauds: usize,
    unavailable: usize,
    challenged: bool,
}

impl Mix {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for frauds in 0..=4 {
            for unavailable in 0..=4 - frauds {
                all.extend([false, true].map(|challenged| Self {
                    frauds,
                    unavailable,
                    challenged,
                }));
            }
        }
        all
    }

    /// Three of four are a quorum.
    fn verdict(self) -> &'static str {
        match (self.frauds, self.frauds + self.unavailable) {
            (3.., _) => "fraud",
            (_, 3..) => "void",
            _ => "claimable",
        }
    }
}

#[test]
fn every_mix_of_reports_has_its_verdict_and_the_supply_stays_whole() {
    let setup = Setup::default()
        .models(3)
        .with("target_initial_targets_per_epoch", 30)
        .with("target_hits_per_epoch", 64);
    let mut world = World::with(setup);
    world.tick();
    let targets = world.open_targets();
    let mixes = Mix::all();
    assert_eq!((mixes.len(), targets.len()), (30, 30));
    let (submitter, challenger) = (world.users[4], world.users[6]);
    let validators = world.validators.clone();
    for (seed, (mix, target)) in mixes.iter().zip(&targets).enumerate() {
        world.fill(&submitter, target, seed as u8, 1_000);
        if mix.challenged {
            world.ok(&challenger, challenge(target));
        }
        let reasons = [
            SubmissionFault::WinnerInvalid,
            SubmissionFault::WrongLoss,
            SubmissionFault::DataMismatch,
            SubmissionFault::WrongWinner,
        ];
        for (reporter, reason) in validators.iter().zip(reasons).take(mix.frauds) {
            report(&mut world, reporter, target, reason);
        }
        let reason = SubmissionFault::WinnerUnavailable;
        for reporter in validators.iter().skip(mix.frauds).take(mix.unavailable) {
            report(&mut world, reporter, target, reason);
        }
    }
    world.end_epoch();

    let balances = |world: &World| -> BTreeMap<Address, u64> {
        let known = validators.iter().chain([&submitter, &challenger]);
        known.map(|who| (*who, world.balance(who).0)).collect()
    };
    let before = balances(&world);
    let (system, supply) = (world.chain.system(), world.supply());
    let rewards: u64 = targets.iter().map(|target| target.reward.0).sum();
    let expiring = supply.target_rewards.0 - rewards;
    world.end_epoch_with(Vec::new());

    let after = balances(&world);
    let (mut to_submitter, mut to_challenger, mut to_reporters) = (0, 0, 0);
    let (mut bonds_left, mut rewards_left, mut lost_challenges) = (0, 0, 0);
    for (mix, target) in mixes.iter().zip(&targets) {
        let verdict = mix.verdict();
        let status = world.target(&target.id).status_at(Epoch(2));
        assert_eq!(status, verdict, "{mix:?}");
        match (verdict, mix.challenged) {
            ("fraud", challenged) => {
                let half = if challenged { BOND / 2 } else { 0 };
                to_challenger += if challenged { BOND + half } else { 0 };
                to_reporters += BOND - half;
            }
            ("void", challenged) => {
                to_submitter += BOND;
                to_challenger += if challenged { BOND } else { 0 };
            }
            (_, challenged) => {
                bonds_left += BOND;
                rewards_left += target.reward.0;
                lost_challenges += if challenged { BOND } else { 0 };
            }
        }
    }
    let gained = |who: &Address| after[who] - before[who];
    assert_eq!(gained(&submitter), to_submitter);
    assert_eq!(gained(&challenger), to_challenger);
    assert_eq!(validators.iter().map(gained).sum::<u64>(), to_reporters);

    let now = (world.chain.system(), world.supply());
    assert_eq!(now.1.total(), supply.total());
    assert_eq!(now.1.submission_bonds.0, bonds_left);
    assert_eq!(now.1.challenge_bonds, Shannons::ZERO);
    assert_eq!(now.1.target_rewards.0, rewards_left, "none are drawn yet");
    let budget = system.target_pot.0 + expiring + (rewards - rewards_left) + soma(1_370).0;
    assert_eq!(now.0.target_pot.0 + now.0.validator_pot.0, budget);
    assert_eq!(
        now.0.emission_pool.0,
        system.emission_pool.0 + lost_challenges - soma(1_370).0
    );
    let counted = world.read().recount_supply().expect("adds up");
    assert_eq!(counted, now.1);
}

/// A world with a fill that three of four say nobody can judge, and that was challenged, at the end
/// of its audit.
fn void() -> (World, Target, Address, Address) {
    let mut world = World::with_targets();
    let target = world.open_targets()[0].clone();
    let (submitter, challenger) = (world.users[4], world.users[6]);
    world.fill(&submitter, &target, 1, 1_000);
    world.ok(&challenger, challenge(&target));
    for reporter in &world.validators.clone()[..3] {
        let reason = SubmissionFault::WinnerUnavailable;
        report(&mut world, reporter, &target, reason);
    }
    world.end_epoch();
    world.end_epoch_with(Vec::new());
    (world, target, submitter, challenger)
}

#[test]
fn a_void_submission_is_told_and_both_bonds_go_back() {
    let (world, target, submitter, challenger) = void();
    let boundary = world.proposals.last().expect("a block").height;
    let events = world.read().events(boundary).expect("readable");
    let events = events.expect("kept");
    assert!(events.contains(&Event::SubmissionVoided {
        target: target.id,
        submitter,
        bond: Shannons(BOND),
    }));
    let slashes = |event: &&Event| matches!(event, Event::Slashed { .. });
    assert_eq!(events.iter().find(slashes), None, "nobody is slashed");
    for (who, kind) in [
        (submitter, EarningKind::BondReturned),
        (challenger, EarningKind::ChallengeBondReturned),
    ] {
        let ledger = world.read().ledger(&who, None, 10).expect("readable");
        assert_eq!((ledger[0].kind, ledger[0].amount.0), (kind, BOND));
        assert_eq!(ledger[0].target, Some(target.id));
    }
    let page = world.read().targets(
        &TargetFilter {
            status: Some(TargetQuery::Void),
            ..TargetFilter::default()
        },
        None,
        10,
    );
    let listed: Vec<_> = page.expect("readable").targets;
    let ids: Vec<_> = listed.iter().map(|target| target.id).collect();
    assert_eq!(ids, [target.id]);
    assert_eq!(listed[0].fill().map(|fill| fill.bond.0), Some(BOND));
}

#[test]
fn a_void_submission_can_never_be_claimed_reported_or_challenged() {
    let (mut world, target, submitter, challenger) = void();
    for _ in 0..3 {
        world.tick();
        let claim = TransactionKind::ClaimRewards { target: target.id };
        assert_eq!(world.fails(&submitter, claim), "TargetNotFilled");
        let refused = world.fails(&challenger, challenge(&target));
        assert_eq!(refused, "TargetNotFilled");
        let (validator, target) = (world.validators[3], target.id);
        let reason = SubmissionFault::WinnerInvalid;
        let report = TransactionKind::ReportSubmission { target, reason };
        assert_eq!(world.fails(&validator, report), "TargetNotFilled");
        world.end_epoch();
    }
}

#[test]
fn who_only_missed_the_weights_has_no_part_of_a_slashed_bond() {
    let mut world = World::with_targets();
    let target = world.open_targets()[0].clone();
    let submitter = world.users[4];
    world.fill(&submitter, &target, 1, 1_000);
    let validators = world.validators.clone();
    let (missed, frauds) = validators.split_first().expect("four");
    report(
        &mut world,
        missed,
        &target,
        SubmissionFault::WinnerUnavailable,
    );
    for reporter in frauds {
        report(
            &mut world,
            reporter,
            &target,
            SubmissionFault::WinnerInvalid,
        );
    }
    world.end_epoch();
    let balances: Vec<_> = validators.iter().map(|who| world.balance(who).0).collect();
    world.end_epoch();
    assert_eq!(world.target(&target.id).status.name(), "fraud");
    let gained = validators.iter().zip(balances);
    let gained: Vec<_> = gained
        .map(|(who, before)| world.balance(who).0 - before)
        .collect();
    assert_eq!(gained[0], 0);
    assert_eq!(gained[1..].iter().sum::<u64>(), BOND);
}
