//! Many clients at once.

use std::sync::Arc;

use soma_api::{Base64, DataSource, ScoreResponse};

use crate::world::{World, request, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_clients_than_places_are_served_or_asked_to_come_back() {
    let world = Arc::new(World::with(|config| config.queue = 4).await);
    let models = [world.model(1).await, world.model(2).await];
    let clients: Vec<_> = (0..32)
        .map(|number| {
            let (world, models) = (Arc::clone(&world), models.clone());
            tokio::spawn(async move {
                let bytes = Base64(text(500 + number));
                let body = request(&DataSource::Inline { bytes }, &models);
                let (mut served, mut refused) = (0, 0);
                while served < 2 {
                    let response = world.post("/v1/score", &body).await;
                    match response.status().as_u16() {
                        200 => {
                            let scores: ScoreResponse = response.json().await.unwrap();
                            assert!(scores.winner.is_some());
                            assert_eq!(scores.data_size, 500 + number as u64);
                            served += 1;
                        }
                        503 => {
                            assert!(response.headers().contains_key("retry-after"));
                            let body: serde_json::Value = response.json().await.unwrap();
                            assert_eq!(body["code"], "Busy");
                            refused += 1;
                            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                        }
                        other => panic!("{other}"),
                    }
                }
                refused
            })
        })
        .collect();
    let mut refused = 0;
    for client in clients {
        refused += client.await.unwrap();
    }
    assert!(refused > 0, "the queue has four places");
    assert_eq!(world.metric("soma_scorer_pieces_total").await, 64);
    assert_eq!(world.service.info().queue, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_takes_too_long_is_answered_and_its_work_dropped() {
    let world = World::with(|config| config.request_timeout_ms = 1).await;
    let bytes = Base64(text(1 << 20));
    let data = DataSource::Inline { bytes };
    let models = [world.model(1).await];
    let refusal = world.refusal(&data, &models).await;
    assert_eq!(refusal["code"], "Timeout");
    let health = world.client.get(world.url("/health")).send().await.unwrap();
    assert_eq!(health.status(), 200);
}
