//! Work and memory end where they are of no use, or too much.

use serde_json::json;
use soma_api::{Base64, DataSource, DataView};

use crate::world::{World, request, text};

/// Sequences of 1 MiB.
const SEQUENCES: u64 = 1_024;

/// What went through models, once a small request was answered after a long one was given up.
async fn sequences_after(world: &World) -> u64 {
    world.works().await;
    assert_eq!(world.service.info().queue, 0);
    // The worker gives memory back with the job, and may be just doing it.
    while world.metric("soma_scorer_requests_bytes").await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    world.metric("soma_scorer_sequences_total").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_on_the_device_ends_when_its_client_goes_away() {
    let world = World::new().await;
    let pieces = 32;
    let long = world.send("/v1/score/batch", world.long_batch(pieces).await);
    world.until_metric("soma_scorer_sequences_total", 1).await;
    assert!(world.metric("soma_scorer_requests_bytes").await > 32 << 20);
    long.abort();
    let done = sequences_after(&world).await;
    assert!(done < pieces as u64 * SEQUENCES, "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_on_the_device_ends_at_the_deadline_of_its_request() {
    let world = World::with(|config| config.request_timeout_ms = 2_000).await;
    let pieces = 128;
    let long = world.send("/v1/score/batch", world.long_batch(pieces).await);
    let (status, answer) = long.await.unwrap();
    assert_eq!((status, answer["code"].as_str()), (503, Some("Timeout")));
    let done = sequences_after(&world).await;
    assert!(done < pieces as u64 * SEQUENCES, "{done}");
}

#[tokio::test]
async fn a_small_request_cannot_name_more_data_than_there_is_memory_for() {
    let world = World::with(|config| config.max_request_bytes = Some(2 << 20)).await;
    let model = world.model(1).await;
    let piece = world.data(&text(16 << 10)).await;
    let batch = |data: Vec<DataSource>| json!({ "data": data, "models": [model] });
    let response = world
        .post("/v1/score/batch", &batch(vec![piece.clone(); 256]))
        .await;
    assert_eq!(response.status(), 400);
    let refusal: serde_json::Value = response.json().await.unwrap();
    assert_eq!(refusal["code"], "InvalidRequest", "{refusal}");
    assert_eq!(refusal["details"]["max"], 2 << 20, "{refusal}");
    assert!(refusal["details"]["needed"].as_u64() > Some(8 << 20));
    let response = world.post("/v1/score/batch", &batch(vec![piece; 4])).await;
    assert_eq!(response.status(), 200);
    world.works().await;
    assert_eq!(world.metric("soma_scorer_requests_bytes").await, 0);
}

#[tokio::test]
async fn a_request_may_have_all_the_memory_there_is_whatever_its_body_took() {
    // Enough for 64 KiB with their tokens and scores, and for nothing beside.
    let world = World::with(|config| config.max_request_bytes = Some(215_000)).await;
    let models = [world.model(1).await];
    let bytes = Base64(text(64 << 10));
    world.score(&DataSource::Inline { bytes }, &models).await;
    let bytes = Base64(text(80 << 10));
    let refusal = world.refusal(&DataSource::Inline { bytes }, &models).await;
    assert_eq!(refusal["code"], "InvalidRequest", "{refusal}");
}

#[tokio::test]
async fn data_for_which_there_is_no_memory_is_not_even_downloaded() {
    let world = World::new().await;
    let nowhere = DataSource::Url(DataView {
        url: "http://127.0.0.1:1/nothing".to_owned(),
        checksum: soma_crypto::checksum(b"nothing"),
        size: 1 << 20,
    });
    let body = json!({ "data": vec![nowhere; 256], "models": [world.model(1).await] });
    let response = world.post("/v1/score/batch", &body).await;
    let refusal: serde_json::Value = response.json().await.unwrap();
    assert_eq!(refusal["code"], "InvalidRequest", "{refusal}");
    world.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_share_the_memory_there_is() {
    let world = World::with(|config| config.max_request_bytes = Some(40 << 20)).await;
    let body = world.long_batch(10).await;
    let first = world.send("/v1/score/batch", body.clone());
    world.until_metric("soma_scorer_sequences_total", 1).await;
    let response = world.post("/v1/score/batch", &body).await;
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    let refusal: serde_json::Value = response.json().await.unwrap();
    assert_eq!(refusal["code"], "Busy", "{refusal}");
    // There is still room for a little one.
    let small = request(&world.data(b"small").await, &[world.model(2).await]);
    let small = world.send("/v1/score", small);
    first.abort();
    assert_eq!(small.await.unwrap().0, 200);
}
