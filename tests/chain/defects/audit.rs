//! Reports: who may make them, when, and what decides.

use soma_tests::model_secrets::ModelSecrets;
use soma_tests::scenes::{DIM, report_submission, soma};
use soma_tests::world::{World, axis};
use soma_types::{
    Address, ModelFault, ModelId, ModelStatus, SubmissionFault, Target, TransactionKind,
    ValidatorStatus,
};

fn filled() -> (World, Target) {
    let mut world = World::with_targets();
    let target = world.open_targets()[0].clone();
    world.fill(&world.users[4].clone(), &target, 1, 1_000);
    (world, target)
}

fn status(world: &World, target: &Target) -> &'static str {
    let now = world.chain.system().epoch;
    world.target(&target.id).status_at(now)
}

#[test]
fn d24_a_quorum_of_reports_decides_and_less_does_not() {
    for (reporters, verdict) in [(2, "claimable"), (3, "fraud"), (4, "fraud")] {
        let (mut world, target) = filled();
        let validators = world.validators.clone();
        world.report(&validators[..reporters], &target.id);
        world.end_epoch();
        assert_eq!(status(&world, &target), "filled", "audited in two epochs");
        world.end_epoch();
        assert_eq!(status(&world, &target), verdict, "{reporters} of 4");
    }
}

#[test]
fn d24_reports_count_in_the_epoch_of_the_fill_and_the_next_only() {
    let (mut world, target) = filled();
    let validators = world.validators.clone();
    world.report(&validators[..1], &target.id);
    world.end_epoch();
    world.report(&validators[1..2], &target.id);
    world.end_epoch();
    let late = world.fails(&validators[2], report_submission(&target.id));
    assert_eq!(late, "AuditWindowClosed");
    let open = world.open_targets()[0].id;
    let early = world.fails(&validators[2], report_submission(&open));
    assert_eq!(early, "TargetNotFilled");
}

#[test]
fn d24_a_report_can_be_taken_back() {
    let (mut world, target) = filled();
    let validators = world.validators.clone();
    let undo = TransactionKind::UndoReportSubmission { target: target.id };
    assert_eq!(
        world.fails(&validators[0], undo.clone()),
        "ReportRecordNotFound"
    );
    world.report(&validators[..3], &target.id);
    world.ok(&validators[0], undo);
    world.end_epochs(2);
    assert_eq!(status(&world, &target), "claimable");
}

#[test]
fn d29_the_power_of_the_epoch_of_the_fill_decides() {
    let (mut world, target) = filled();
    let validators = world.validators.clone();
    let newcomer = world.users[7];
    // One validator leaves after the fill, and a strong one joins.
    world.ok(&validators[3], TransactionKind::RemoveValidator);
    let application = world.candidate(&newcomer, 80);
    world.ok(&newcomer, application);
    let amount = soma(9_000);
    let validator = newcomer;
    world.ok(&newcomer, TransactionKind::Stake { validator, amount });
    world.end_epoch();
    let committee = world.read().committee(soma_types::Epoch(1));
    let committee = committee.expect("readable").expect("formed");
    assert_eq!(committee.power(&validators[3]), 0);
    assert!(
        committee.power(&newcomer) > 6_667,
        "the newcomer alone is a quorum now"
    );

    let report = report_submission(&target.id);
    assert_eq!(world.fails(&newcomer, report.clone()), "NotAValidator");
    // Who left reports what it audited: 2,500 of 10,000 each, as when the target was filled.
    for reporter in [validators[0], validators[1], validators[3]] {
        world.ok(&reporter, report.clone());
    }
    world.end_epoch();
    assert_eq!(status(&world, &target), "fraud");
}

#[test]
fn d25_the_audit_judges_by_the_weights_that_the_submitter_saw() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let update = ModelSecrets::new(model, 9, axis(DIM, 0));
    world.ok(&owner, update.commit());
    world.end_epoch();
    let target = world.open_targets()[0].clone();
    assert!(target.models.contains(&model));
    let old = world.model(&model).weights;
    world.fill(&world.users[4].clone(), &target, 1, 1_000);
    world.ok(&owner, update.reveal());
    assert_ne!(world.model(&model).weights, old);

    let filled = world.target(&target.id);
    let pinned = &filled.fill().expect("filled").pinned_weights;
    assert_eq!(pinned.len(), target.models.len(), "of all assigned models");
    let kept = pinned
        .iter()
        .find(|pin| pin.model == model)
        .expect("pinned");
    assert_eq!(kept.weights, old);
}

#[test]
fn d25_a_validator_without_money_can_report() {
    let (mut world, target) = filled();
    let poor = world.validators[1];
    world.drain(&poor, soma_types::Shannons::ZERO);
    world.report(&[poor], &target.id);
    let undo = TransactionKind::UndoReportSubmission { target: target.id };
    world.ok(&poor, undo);
}

#[test]
fn d52_a_report_names_the_fault() {
    let (mut world, target) = filled();
    let [first, second] = [world.validators[0], world.validators[1]];
    let faults = [
        (first, SubmissionFault::DataUnavailable),
        (second, SubmissionFault::WrongWinner),
    ];
    for (reporter, reason) in faults {
        let target = target.id;
        world.ok(
            &reporter,
            TransactionKind::ReportSubmission { target, reason },
        );
    }
    let filled = world.target(&target.id);
    let mut reports = world.read().submission_reports(&filled).expect("readable");
    let mut expected = faults.to_vec();
    reports.sort_by_key(|(reporter, _)| *reporter);
    expected.sort_by_key(|(reporter, _)| *reporter);
    assert_eq!(reports, expected);
    let twice = world.fails(&first, report_submission(&target.id));
    assert_eq!(twice, "DuplicateReport");
}

fn report_model(world: &mut World, reporters: &[Address], model: ModelId) {
    let reason = ModelFault::PlaintextMismatch;
    for reporter in reporters {
        world.ok(reporter, TransactionKind::ReportModel { model, reason });
    }
}

#[test]
fn d27_a_model_that_a_quorum_reports_loses_95_percent_and_ends() {
    let mut world = World::with_targets();
    let owner = world.users[0];
    let model = world.model_of(&owner);
    let reason = ModelFault::InvalidWeights;
    let stranger = world.fails(&owner, TransactionKind::ReportModel { model, reason });
    assert_eq!(stranger, "NotAValidator");
    let validators = world.validators.clone();
    report_model(&mut world, &validators[..3], model);
    let pool = world.chain.system().emission_pool.0;
    world.end_epoch();
    assert!(matches!(
        world.model(&model).status,
        ModelStatus::Inactive { .. }
    ));
    assert_eq!(world.model_pool(&model).soma.0, 500_000_000);
    assert_eq!(
        world.chain.system().emission_pool.0,
        pool + 9_500_000_000 - soma(1_370).0
    );
}

#[test]
fn d43_reports_of_models_and_of_validators_last_until_the_end_of_their_epoch() {
    let mut world = World::with_targets();
    let model = world.model_of(&world.users[0]);
    let validators = world.validators.clone();
    let accused = validators[3];
    let report = TransactionKind::ReportValidator { validator: accused };
    for reporters in [&validators[..2], &validators[1..3]] {
        report_model(&mut world, reporters, model);
        for reporter in reporters {
            world.ok(reporter, report.clone());
        }
        let before = world.validator_pool(&accused).soma.0;
        let pot = world.chain.system().validator_pot.0;
        world.end_epoch();
        assert_eq!(world.model(&model).status, ModelStatus::Active);
        assert_eq!(world.validator_pool(&accused).soma.0, before + pot / 4);
        let reader = world.read();
        let of_model = reader.model_reports(&model).expect("readable");
        let of_validator = reader.validator_reports(&accused).expect("readable");
        assert!(of_model.is_empty() && of_validator.is_empty());
    }
    assert_eq!(world.validator(&accused).status, ValidatorStatus::Active);
}

#[test]
fn d43_a_validator_that_a_quorum_reports_loses_half_of_its_reward_to_the_others() {
    let mut world = World::new();
    let validators = world.validators.clone();
    let validator = validators[3];
    let report = TransactionKind::ReportValidator { validator };
    assert_eq!(
        world.fails(&validator, report.clone()),
        "CannotReportOneself"
    );
    for reporter in &validators[..3] {
        world.ok(reporter, report.clone());
    }
    world.end_epoch();
    // 274 SOMA: 68.5 each, half of one share goes to three.
    assert_eq!(world.validator_pool(&validator).soma.0, 1_034_250_000_000);
    for other in &validators[..3] {
        assert_eq!(world.validator_pool(other).soma.0, 1_079_916_666_666);
    }
}
