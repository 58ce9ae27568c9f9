//! What validators of up to 3,333 of 10,000 power can say about others: everything, without effect.

use soma_tests::scenes::soma;
use soma_tests::world::{Setup, World};
use soma_types::{
    Address, Epoch, ModelFault, ModelStatus, SubmissionFault, Target, TransactionKind,
    ValidatorStatus,
};

/// Three validators with equal stake, one of which has 3,333 of the power and lies.
fn world() -> (World, Address, Target) {
    let setup = Setup {
        validators: 3,
        ..Setup::default()
    };
    let mut world = World::with(setup.models(3));
    world.tick();
    let committee = world.read().committee(Epoch(0)).expect("readable");
    let committee = committee.expect("formed");
    let liar = committee
        .members
        .iter()
        .find(|member| member.voting_power <= 3_333)
        .expect("not all have 3,334");
    assert_eq!(liar.voting_power, 3_333);
    let (liar, target) = (liar.address, world.open_targets()[0].clone());
    let submitter = world.users[4];
    world.fill(&submitter, &target, 1, 1_000);
    (world, liar, target)
}

/// Everything that the liar can say, in one epoch; of the submission, what `reason` says.
fn lie(world: &mut World, liar: &Address, target: &Target, reason: SubmissionFault) {
    let target = target.id;
    world.ok(liar, TransactionKind::ReportSubmission { target, reason });
    for user in 0..3 {
        let model = world.model_of(&world.users[user]);
        let reason = ModelFault::InvalidWeights;
        world.ok(liar, TransactionKind::ReportModel { model, reason });
    }
    for validator in world.validators.clone() {
        if validator != *liar {
            world.ok(liar, TransactionKind::ReportValidator { validator });
        }
    }
}

#[test]
fn forged_reports_of_a_third_of_the_power_slash_nobody() {
    forged_reports_have_no_effect(SubmissionFault::WrongLoss);
}

#[test]
fn a_third_of_the_power_makes_no_submission_void() {
    forged_reports_have_no_effect(SubmissionFault::WinnerUnavailable);
}

fn forged_reports_have_no_effect(reason: SubmissionFault) {
    let (mut world, liar, target) = world();
    let submitter = world.users[4];
    let models: Vec<_> = (0..3).map(|n| world.model_of(&world.users[n])).collect();
    let honest: Vec<_> = world.validators.clone();
    let honest: Vec<_> = honest.into_iter().filter(|one| *one != liar).collect();
    let stakes = |world: &World| -> Vec<u64> {
        let models = models.iter().map(|model| world.model_pool(model).soma.0);
        models.collect()
    };
    let before = stakes(&world);
    lie(&mut world, &liar, &target, reason);
    world.end_epoch();

    assert_eq!(stakes(&world), before, "no model has lost stake");
    for model in &models {
        assert_eq!(world.model(model).status, ModelStatus::Active);
    }
    // All three have the same share of the reward: none was taken from those who were reported.
    let pools: Vec<u64> = honest
        .iter()
        .map(|one| world.validator_pool(one).soma.0)
        .collect();
    assert!(pools[0].abs_diff(pools[1]) <= 100_000_000);
    assert!(pools[0] > soma(1_000).0);
    assert!(world.validator_pool(&liar).soma.0.abs_diff(pools[0]) <= 100_000_000);
    for validator in &honest {
        let status = world.validator(validator).status;
        assert_eq!(status, ValidatorStatus::Active);
    }

    // The submission is paid, with its bond.
    world.end_epoch();
    assert_eq!(world.target(&target.id).status_at(Epoch(2)), "claimable");
    let balance = world.balance(&submitter).0;
    let claim = TransactionKind::ClaimRewards { target: target.id };
    let fee = world.ok(&submitter, claim).fee.total().0;
    let reward = target.reward.0;
    let paid = (reward - reward / 2) + 65_000;
    assert_eq!(world.balance(&submitter).0, balance - fee + paid);
}
