//! Winners that nobody can score: their submitters are not paid.

use std::path::PathBuf;

use soma_api::{AuditView, Page, TargetView};
use soma_crypto::sealed::fresh_key;
use soma_types::{Checksum, Loss, ModelId, Shannons, Target, TransactionKind};

use crate::world::{Claim, World, text};

/// A claim that fits the target and that nobody has measured.
fn invented(world: &World, target: &Target, winner: ModelId, seed: u8) -> Claim {
    let reader = world.application().chain().reader();
    Claim {
        data: text(seed, 1_000 + usize::from(seed)),
        winner,
        loss: Loss(1 << 30),
        embedding: reader.target_embedding(&target.id).unwrap().unwrap(),
    }
}

fn place_of_weights(world: &World, place: usize) -> (Checksum, PathBuf) {
    let checksum = world.genesis.models[place].weights.checksum;
    (checksum, world.blobs().join(checksum.to_string()))
}

fn model_with(world: &World, target: &Target, checksum: &Checksum) -> ModelId {
    let has = |id: &&ModelId| world.model(id).weights.unwrap().checksum == *checksum;
    *target.models.iter().find(has).unwrap()
}

/// What was sent about submissions.
fn reports(world: &World) -> Vec<&'static str> {
    let duties = world.duties().into_iter().map(|(name, _)| name);
    duties
        .filter(|name| name.ends_with("_submission"))
        .collect()
}

#[tokio::test]
async fn a_winner_that_nobody_can_score_is_a_fraud_or_void_and_never_paid() {
    let mut world = World::new(|_| {});
    world.genesis.models[1].weights.key = fresh_key();
    let (sealed, _) = place_of_weights(&world, 1);
    let (missing, path) = place_of_weights(&world, 2);
    std::fs::remove_file(path).unwrap();
    world.start_scorer().await;
    world.start_node().await;
    let targets = world.open_targets().await;

    let winner = model_with(&world, &targets[0], &sealed);
    let unopened = invented(&world, &targets[0], winner, 1);
    world.submit(3, &targets[0], &unopened).await;
    let winner = model_with(&world, &targets[1], &missing);
    let unseen = invented(&world, &targets[1], winner, 2);
    world.submit(4, &targets[1], &unseen).await;
    let paid = [3, 4].map(|by| world.balance(world.account(by)));

    // The other one's weights are missing or no model all the while: that protects neither.
    for (target, verdict, reason) in [
        (&targets[0], "fraud", "winner_invalid"),
        (&targets[1], "void", "winner_unavailable"),
    ] {
        let audit = world
            .audit(&target.id, |audit| audit.report.is_some())
            .await;
        assert_eq!(audit.verdict.as_deref(), Some(verdict), "{audit:?}");
        assert_eq!(audit.reason.as_deref(), Some(reason), "{audit:?}");
        let page: Page<AuditView> = world
            .get(&format!(
                "/v1/audits?verdict={verdict}&target={}",
                target.id
            ))
            .await;
        assert_eq!(page.items.len(), 1);
    }
    world.end_epoch().await;
    for target in &targets[..2] {
        world.audit(&target.id, |audit| audit.state == "done").await;
    }
    world.end_epoch().await;
    assert_eq!(reports(&world), ["report_submission"; 2]);
    for (by, target, status) in [(3, &targets[0], "fraud"), (4, &targets[1], "void")] {
        let path = format!("/v1/targets/{}", target.id);
        let view: TargetView = world.get(&path).await;
        assert_eq!(view.status, status);
        assert_eq!(view.void_epoch.is_some(), status == "void");
        let claim = TransactionKind::ClaimRewards { target: target.id };
        let receipt = world.send(world.account(by), claim).await;
        assert!(!receipt.status.is_success(), "{receipt:?}");
        let bond = match status {
            "void" => view.fill.unwrap().bond,
            _ => Shannons::ZERO,
        };
        let fee = receipt.fee.total();
        let balance = world.balance(world.account(by));
        assert_eq!(balance + fee.0, paid[by - 3] + bond.0);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_void_report_becomes_one_of_a_fraud_when_the_weights_come_back() {
    let mut world = World::new(|_| {});
    let (missing, path) = place_of_weights(&world, 2);
    let sealed = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    world.start_scorer().await;
    world.start_node().await;
    let target = world.open_targets().await.remove(0);
    let winner = model_with(&world, &target, &missing);
    let claim = invented(&world, &target, winner, 1);
    world.submit(3, &target, &claim).await;
    let audit = world
        .audit(&target.id, |audit| audit.report.is_some())
        .await;
    assert_eq!(audit.verdict.as_deref(), Some("void"), "{audit:?}");

    std::fs::write(&path, sealed).unwrap();
    world.end_epoch().await;
    let audit = world.audit(&target.id, |audit| audit.state == "done").await;
    assert_eq!(audit.verdict.as_deref(), Some("fraud"), "{audit:?}");
    let report = audit.report.unwrap();
    assert_eq!(Some(report.reason), audit.reason);
    assert_eq!(report.undone_by, None);
    let sent = [
        "report_submission",
        "undo_report_submission",
        "report_submission",
    ];
    assert_eq!(reports(&world), sent);
    world.end_epoch().await;
    assert_eq!(world.target(&target.id).status.name(), "fraud");
    world.finish().await;
}
