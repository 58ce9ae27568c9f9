//! The client with all services: what other programs do as the commands do.

use std::time::{Duration, Instant};

use soma_sdk::api::{
    Base64, BatchScoreRequest, DataSource, DataView, PieceView, ScoreRequest, WeightsSource,
};
use soma_sdk::blobs::{Store, StoreConfig};
use soma_sdk::pages::collect;
use soma_sdk::{AuditFilter, Client, PageRequest, TargetFilter};

use crate::submit::world;

/// What waits so long never comes.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn the_client_scores_submits_and_reads_audits() {
    let (world, texts) = world();
    let network = world.network.as_ref().unwrap();
    let node = network.node();
    let client = Client::builder()
        .rpc_url(node.rpc_url())
        .scoring_url(network.scorer_url().unwrap())
        .build()
        .unwrap();
    let account = client.account(node.keys().accounts[1].secret_key.clone());
    let url = network.blobs_url().unwrap();
    let store = Store::new(StoreConfig::Server { url }).unwrap();
    let data = std::fs::read(texts.join("a")).unwrap();
    world.runtime.block_on(async {
        assert!(client.scorer_health().await.unwrap());
        assert!(client.scorer_openapi().await.unwrap()["paths"].is_object());
        assert!(client.scorer_metrics().await.unwrap().contains("soma_"));
        assert_eq!(client.scorer_info().await.unwrap().model_size, "small");

        // Scored and submitted for the first target that it hits.
        let open = TargetFilter {
            status: Some("open".to_owned()),
            ..TargetFilter::default()
        };
        let targets = collect(None, async |page| client.targets(&open, &page).await);
        let mut filled = None;
        for target in targets.await.unwrap() {
            let done = account.score_and_submit(&target.id, data.clone(), &store);
            if let (scored, Some(receipt)) = done.await.unwrap() {
                assert!(receipt.is_success());
                filled = Some((target.id, scored));
                break;
            }
        }
        let (target, scored) = filled.expect("one of many random targets is near");
        let hit = scored.outcome.unwrap();
        let card = client.scorecard(&target).await.unwrap();
        assert_eq!(card.claim.winner, hit.model);
        assert!((card.claim.loss - hit.loss).abs() < 1e-6);

        // The validator measures the same.
        let filter = AuditFilter {
            target: Some(target),
            ..AuditFilter::default()
        };
        let begin = Instant::now();
        let audit = loop {
            let page = client.audits(&filter, &PageRequest::default()).await;
            let audit = page.unwrap().items.into_iter().next();
            if let Some(audit) = audit.filter(|audit| audit.verdict.is_some()) {
                break audit;
            }
            assert!(begin.elapsed() < PATIENCE, "no verdict");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(audit.verdict.as_deref(), Some("honest"));

        // Many pieces at once give what each gives alone; what lies behind a URL is downloaded.
        let model = client.model(&hit.model, false).await.unwrap();
        let models = vec![WeightsSource::from(model.weights.as_ref().unwrap())];
        let mut downloads = client.scorer_downloads().await.unwrap();
        let other = std::fs::read(texts.join("b")).unwrap();
        let blob = store.upload_bytes(other.clone()).await.unwrap();
        let by_url = DataSource::Url(DataView {
            url: blob.url,
            checksum: blob.checksum,
            size: blob.size,
        });
        let pieces = vec![
            DataSource::Inline {
                bytes: Base64(data),
            },
            by_url,
        ];
        let batch = BatchScoreRequest {
            data: pieces.clone(),
            models: models.clone(),
            target_embedding: None,
            seed: 0,
        };
        let batch = client.score_batch(&batch).await.unwrap();
        let download = tokio::time::timeout(PATIENCE, downloads.next()).await;
        let download = download.unwrap().unwrap().unwrap();
        assert_eq!(download.checksum, blob.checksum);
        assert_eq!(batch.results.len(), 2);
        for (piece, data) in batch.results.iter().zip(pieces) {
            let alone = ScoreRequest {
                data,
                models: models.clone(),
                target_embedding: None,
                seed: 0,
            };
            let alone = client.score(&alone).await.unwrap();
            let PieceView::Scores(together) = piece else {
                panic!("{piece:?}");
            };
            let [together, alone] = [together, &alone].map(|one| one.models[0].loss.unwrap());
            assert!((together - alone).abs() < 1e-5, "{together} {alone}");
        }
    });
}
