//! Many clients at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use soma_api::{Base64, DataSource, ScoreResponse};

use crate::world::{World, request, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_clients_than_places_are_served_or_asked_to_come_back() {
    let world = Arc::new(World::with(|config| config.queue = 16).await);
    let models = [world.model(1).await, world.model(2).await];
    let end = Instant::now() + Duration::from_secs(5);
    let clients: Vec<_> = (0..64)
        .map(|number| {
            let (world, models) = (Arc::clone(&world), models.clone());
            tokio::spawn(async move {
                let bytes = Base64(text(500 + number));
                let body = request(&DataSource::Inline { bytes }, &models);
                let (mut served, mut refused) = (0, 0);
                while served == 0 || Instant::now() < end {
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
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        other => panic!("{other}"),
                    }
                }
                (served, refused)
            })
        })
        .collect();
    let (mut served, mut refused) = (0, 0);
    for client in clients {
        let (one_served, one_refused) = client.await.unwrap();
        (served, refused) = (served + one_served, refused + one_refused);
    }
    assert!(refused > 0, "the queue has sixteen places");
    assert_eq!(world.metric("soma_scorer_pieces_total").await, served);
    assert_eq!(world.service.info().queue, 0);
    assert_eq!(world.metric("soma_scorer_requests_bytes").await, 0);
}
