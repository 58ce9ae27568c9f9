//! Reports that do not hold, and challenges.

use soma_types::{Loss, ModelFault, SubmissionFault, TransactionKind};

use crate::world::{World, text};

#[tokio::test]
async fn a_false_report_by_the_validators_key_is_taken_back() {
    let mut world = World::start().await;
    let targets = world.open_targets().await;
    for (place, target) in targets[..2].iter().enumerate() {
        let claim = world.honest(target, &text(place as u8, 800)).await;
        world.submit(3 + place, target, &claim).await;
        world.audit(&target.id, |audit| audit.state == "done").await;
    }
    let report = |target| TransactionKind::ReportSubmission {
        target,
        reason: SubmissionFault::WrongLoss,
    };
    world
        .execute(world.validator(), report(targets[0].id))
        .await;
    let taken_back = |audit: &soma_api::AuditView| {
        let report = audit.report.as_ref();
        report.is_some_and(|report| report.undone_by.is_some())
    };
    let audit = world.audit(&targets[0].id, taken_back).await;
    assert_eq!(audit.verdict.as_deref(), Some("honest"));

    // The same while the audit is off.
    world.stop_node().await;
    let scorers = std::mem::take(&mut world.config.audit.scorer);
    world.start_node().await;
    world
        .execute(world.validator(), report(targets[1].id))
        .await;
    let model = targets[0].models[0];
    let reason = ModelFault::Undecryptable;
    let kind = TransactionKind::ReportModel { model, reason };
    world.execute(world.validator(), kind).await;
    world.stop_node().await;
    world.config.audit.scorer = scorers;
    world.start_node().await;
    world.audit(&targets[1].id, taken_back).await;
    world.weights_audit(&model, taken_back).await;

    world.end_epoch().await;
    world.end_epoch().await;
    assert_eq!(world.model(&model).status.name(), "active");
    for (place, target) in targets[..2].iter().enumerate() {
        let claim = TransactionKind::ClaimRewards { target: target.id };
        world.execute(world.account(3 + place), claim).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_report_is_taken_back_when_the_missing_data_comes_back() {
    let world = World::start().await;
    let target = world.open_targets().await.remove(0);
    let claim = world.honest(&target, &text(1, 1_000)).await;
    world.submit_only(3, &target, &claim).await;
    world
        .audit(&target.id, |audit| audit.report.is_some())
        .await;
    let checksum = soma_crypto::checksum(&claim.data);
    crate::weights::put(&world.blobs(), &checksum, &claim.data);
    world.end_epoch().await;
    let audit = world.audit(&target.id, |audit| audit.state == "done").await;
    assert_eq!(audit.verdict.as_deref(), Some("honest"));
    assert!(audit.report.unwrap().undone_by.is_some());
    let duties = [
        ("report_submission", true),
        ("undo_report_submission", true),
    ];
    assert_eq!(world.duties(), duties);
    world.end_epoch().await;
    assert_eq!(world.target(&target.id).status.name(), "filled");
    world.finish().await;
}

#[tokio::test]
async fn a_challenge_is_audited_whatever_the_sample() {
    let world = World::with(|config| config.audit.sample_bps = 0).await;
    let targets = world.open_targets().await;
    let mut claim = world.honest(&targets[0], &text(1, 1_000)).await;
    claim.loss = Loss(claim.loss.0 / 2);
    world.submit(3, &targets[0], &claim).await;
    let mut other = world.honest(&targets[1], &text(2, 1_001)).await;
    other.loss = Loss(other.loss.0 / 2);
    world.submit(3, &targets[1], &other).await;
    let challenge = TransactionKind::ChallengeSubmission {
        target: targets[0].id,
    };
    world.execute(world.account(4), challenge).await;
    let before = world.balance(world.account(4));
    let audit = world
        .audit(&targets[0].id, |audit| audit.report.is_some())
        .await;
    assert_eq!(audit.reason.as_deref(), Some("wrong_loss"));
    world.end_epoch().await;
    world.end_epoch().await;
    let bond = 65 * 1_000;
    assert_eq!(world.balance(world.account(4)), before + bond + bond / 2);
    // Nobody looked at the other one.
    let page: serde_json::Value = world
        .get(&format!("/v1/audits?target={}", targets[1].id))
        .await;
    assert_eq!(page["items"].as_array().unwrap().len(), 0);
    assert_eq!(world.target(&targets[1].id).status.name(), "filled");
    world.finish().await;
}
