//! Submissions: honest ones are paid, each kind of fraud is reported and loses its bond.

use soma_api::ScorecardView;
use soma_types::{Loss, TransactionKind};

use crate::world::{World, text};

#[tokio::test]
async fn an_honest_submission_is_found_honest_and_paid() {
    let world = World::start().await;
    let target = world.open_targets().await.remove(0);
    let claim = world.honest(&target, &text(1, 3_000)).await;
    world.submit(3, &target, &claim).await;
    let audit = world.audit(&target.id, |audit| audit.state == "done").await;
    assert_eq!(audit.verdict.as_deref(), Some("honest"), "{audit:?}");
    assert_eq!((audit.reason, audit.report), (None, None));

    let card: ScorecardView = world
        .get(&format!("/v1/targets/{}/scorecard", target.id))
        .await;
    assert_eq!(card.data.checksum, soma_crypto::checksum(&claim.data));
    assert_eq!(card.data.size, 3_000);
    assert_eq!(card.pinned_weights.len(), 3);
    assert_eq!(card.claim.winner, claim.winner);
    assert_eq!(card.auditor, Some(world.validator().address()));
    assert!(card.reports.is_empty());
    let audit = card.audit.unwrap();
    assert_eq!(audit.measured.len(), 3);
    let measured = audit.measured.iter().find(|m| m.model == claim.winner);
    let measured = measured.unwrap();
    assert!((measured.loss.unwrap() - card.claim.loss).abs() < 1e-4);
    assert!((measured.distance.unwrap() - card.claim.distance).abs() < 1e-4);

    world.end_epoch().await;
    world.end_epoch().await;
    let before = world.balance(world.account(3));
    let claimed = TransactionKind::ClaimRewards { target: target.id };
    world.execute(world.account(3), claimed).await;
    let bond = target_bond(3_000);
    assert!(world.balance(world.account(3)) > before + bond);
    assert!(world.duties().is_empty());
    world.finish().await;
}

fn target_bond(bytes: u64) -> u64 {
    65 * bytes
}

#[tokio::test]
async fn data_where_nobody_can_fetch_it_is_unavailable_even_when_it_is_there() {
    let world = World::start().await;
    let targets = world.open_targets().await;
    let urls = ["s3://bucket/key", "ftp://a.example/b", "no url"];
    for (target, url) in targets.iter().zip(urls) {
        let claim = world.honest(target, &text(1, 800)).await;
        // The same data lies where everybody finds it; the audit of it is over.
        let public = &targets[urls.len()];
        if world.target(&public.id).status.name() == "open" {
            world.submit(3, public, &claim).await;
            world.audit(&public.id, |audit| audit.state == "done").await;
        }
        let place = soma_types::Url::new(url).unwrap();
        world.submit_at(3, target, &claim, place).await;
        let audit = world
            .audit(&target.id, |audit| audit.report.is_some())
            .await;
        assert_eq!(audit.reason.as_deref(), Some("data_unavailable"), "{url}");
    }
    assert_eq!(world.duties(), [("report_submission", true); 3]);
    world.finish().await;
}

#[tokio::test]
async fn every_kind_of_fraud_is_reported_and_loses_its_bond() {
    let world = World::start().await;
    let targets = world.open_targets().await;
    let mut frauds = Vec::new();

    let claim = world.honest(&targets[0], &text(1, 1_000)).await;
    world.submit_only(3, &targets[0], &claim).await;
    frauds.push((&targets[0], "data_unavailable"));

    let claim = world.honest(&targets[1], &text(2, 1_001)).await;
    let checksum = soma_crypto::checksum(&claim.data);
    crate::weights::put(&world.blobs(), &checksum, &text(3, 1_001));
    world.submit_only(3, &targets[1], &claim).await;
    frauds.push((&targets[1], "data_mismatch"));

    let mut claim = world.honest(&targets[2], &text(3, 1_002)).await;
    claim.loss = Loss(claim.loss.0 - (1 << 29));
    world.submit(3, &targets[2], &claim).await;
    frauds.push((&targets[2], "wrong_loss"));

    let mut claim = world.honest(&targets[3], &text(4, 1_003)).await;
    claim.embedding = {
        let reader = world.application().chain().reader();
        reader.target_embedding(&targets[3].id).unwrap().unwrap()
    };
    world.submit(3, &targets[3], &claim).await;
    frauds.push((&targets[3], "wrong_embedding"));

    let claim = world.loser(&targets[4], &text(5, 1_004)).await;
    world.submit(3, &targets[4], &claim).await;
    frauds.push((&targets[4], "wrong_winner"));

    let honest = world.honest(&targets[5], &text(6, 1_005)).await;
    world.submit(4, &targets[5], &honest).await;

    for (target, reason) in &frauds {
        let audit = world
            .audit(&target.id, |audit| audit.report.is_some())
            .await;
        assert_eq!(audit.reason.as_deref(), Some(*reason), "{audit:?}");
        assert_eq!(audit.verdict.as_deref(), Some("fraud"));
        let card: ScorecardView = world
            .get(&format!("/v1/targets/{}/scorecard", target.id))
            .await;
        assert_eq!(card.reports.len(), 1, "{card:?}");
        assert_eq!(card.reports[0].validator, world.validator().address());
    }
    world
        .audit(&targets[5].id, |audit| audit.state == "done")
        .await;
    assert_eq!(world.duties(), [("report_submission", true); 5]);
    let text = world.response("/metrics").await.text().await.unwrap();
    let reports = r#"soma_audit_reports_total{kind="submission"} 5"#;
    assert!(text.contains(reports), "{text}");
    let missing = r#"soma_audit_checks_total{kind="submission",outcome="data_unavailable"} 1"#;
    assert!(text.contains(missing), "{text}");

    // The last epoch of the audit: every report is checked once more, and stands.
    world.end_epoch().await;
    for (target, reason) in &frauds {
        let audit = world.audit(&target.id, |audit| audit.state == "done").await;
        assert_eq!(audit.reason.as_deref(), Some(*reason));
        assert!(audit.attempts >= 2, "{audit:?}");
    }
    world.end_epoch().await;
    for (target, _) in &frauds {
        assert_eq!(world.target(&target.id).status.name(), "fraud");
    }
    let claimed = TransactionKind::ClaimRewards {
        target: targets[5].id,
    };
    world.execute(world.account(4), claimed).await;
    assert_eq!(world.duties(), [("report_submission", true); 5]);
    world.finish().await;
}
