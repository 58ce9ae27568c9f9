//! The validator's own trouble, and what others' trouble must not hide.

use soma_types::Loss;

use crate::world::{World, text};

#[tokio::test]
async fn without_a_scorer_nobody_is_reported_and_the_audit_goes_on_when_it_is_back() {
    let mut world = World::start().await;
    let targets = world.open_targets().await;
    let honest = world.honest(&targets[0], &text(1, 2_000)).await;
    let mut fraud = world.honest(&targets[1], &text(2, 2_001)).await;
    fraud.loss = Loss(fraud.loss.0 / 2);
    // What the audit has to do at the start is over.
    world
        .until("audits of weights", async || {
            let page: serde_json::Value = world.get("/v1/audits?verdict=honest").await;
            (page["items"].as_array()?.len() == 3).then_some(())
        })
        .await;
    world.stop_scorer().await;
    world.submit(3, &targets[0], &honest).await;
    world.submit(3, &targets[1], &fraud).await;
    for target in &targets[..2] {
        // Much longer than missing data would be given.
        let audit = world.audit(&target.id, |audit| audit.attempts > 15).await;
        assert_eq!((audit.verdict, audit.report), (None, None));
        let trouble = audit.trouble.unwrap();
        assert!(trouble.contains("no scorer could score"), "{trouble}");
    }
    assert!(world.duties().is_empty());
    let text = world.response("/metrics").await.text().await.unwrap();
    assert!(text.contains(r#"outcome="own_trouble"}"#), "{text}");

    world.start_scorer().await;
    let audit = world
        .audit(&targets[0].id, |audit| audit.state == "done")
        .await;
    assert_eq!(audit.verdict.as_deref(), Some("honest"));
    let audit = world
        .audit(&targets[1].id, |audit| audit.report.is_some())
        .await;
    assert_eq!(audit.reason.as_deref(), Some("wrong_loss"));
    assert_eq!(world.duties(), [("report_submission", true)]);
    world.finish().await;
}

#[tokio::test]
async fn the_next_scorer_is_asked_when_one_fails_or_scores_with_other_models() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead_url = format!("http://{}", dead.local_addr().unwrap());
    drop(dead);
    // A scorer for models of another size would call every model invalid.
    let folder = tempfile::tempdir().unwrap();
    let (size, model) = soma_model::ModelConfig::presets()
        .find(|(_, model)| model.embedding_dim != crate::world::DIM && model.embedding_dim < 1_000)
        .unwrap();
    let device = soma_model::Device::Cpu;
    let mut config = soma_scoring::ServiceConfig::new(size, model, device, folder.path());
    config.listen.set_port(0);
    let other = soma_scoring::ScoringService::start(config).await.unwrap();
    let other_url = format!("http://{}", other.address());

    let world = World::with(|config| {
        config.audit.scorer.insert(0, other_url);
        config.audit.scorer.insert(0, dead_url);
    })
    .await;
    let target = world.open_targets().await.remove(0);
    let claim = world.honest(&target, &text(1, 500)).await;
    world.submit(3, &target, &claim).await;
    let audit = world.audit(&target.id, |audit| audit.state == "done").await;
    assert_eq!(audit.verdict.as_deref(), Some("honest"));
    assert_eq!(audit.attempts, 1);
    assert!(world.duties().is_empty());
    world.finish().await;
    other.shutdown().await;
}

#[tokio::test]
async fn missing_weights_of_another_model_do_not_protect_a_false_claim() {
    let world = World::start().await;
    let target = world.open_targets().await.remove(0);
    let mut claim = world.honest(&target, &text(1, 700)).await;
    let (url, sealed) = {
        let other = target.models.iter().find(|id| **id != claim.winner);
        let weights = world.model(other.unwrap()).weights.unwrap();
        let path = world.blobs().join(weights.checksum.to_string());
        (path.clone(), std::fs::read(path).unwrap())
    };
    // Gone from its URL and from the scorer.
    std::fs::remove_file(&url).unwrap();
    let kept = world.folder.path().join("scoring/blobs");
    let checksum = soma_crypto::checksum(&sealed);
    let mut world = world;
    world.stop_scorer().await;
    let name: String = checksum
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    std::fs::remove_file(kept.join(name)).unwrap();
    world.start_scorer().await;
    claim.loss = Loss(claim.loss.0 / 2);
    world.submit(3, &target, &claim).await;
    let audit = world
        .audit(&target.id, |audit| audit.report.is_some())
        .await;
    assert_eq!(audit.reason.as_deref(), Some("wrong_loss"));
    assert_eq!(audit.measured.len(), 2);
    assert!(audit.attempts > 3, "{audit:?}");
    world.finish().await;
}
