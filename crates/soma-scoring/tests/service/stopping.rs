//! The end of the service: what runs is answered, what waits is sent away.

use tokio::runtime::Runtime;

use crate::world::{World, request, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_the_device_is_answered_and_what_waits_is_refused() {
    let world = World::new().await;
    let (model, other) = (world.model(1).await, world.model(2).await);
    let (large, small) = (
        world.data(&text(128 << 10)).await,
        world.data(b"small").await,
    );
    let running = world.send("/v1/score", request(&large, &[model]));
    world.until_metric("soma_scorer_sequences_total", 1).await;
    let waiting = world.send("/v1/score", request(&small, &[other]));
    while world.service.info().queue < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    world.service.shutdown().await;
    let (status, refusal) = waiting.await.unwrap();
    assert_eq!(
        (status, refusal["code"].as_str()),
        (503, Some("Unavailable"))
    );
    let (status, answer) = running.await.unwrap();
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["winner"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_does_not_wait_longer_than_it_may() {
    let world = World::with(|config| config.serve.stop_timeout_ms = 100).await;
    let running = world.send("/v1/score/batch", world.long_batch(128).await);
    world.until_metric("soma_scorer_sequences_total", 1).await;
    world.service.shutdown().await;
    let (status, refusal) = running.await.unwrap();
    assert_eq!(
        (status, refusal["code"].as_str()),
        (503, Some("Unavailable"))
    );
}

#[test]
fn what_still_runs_at_the_end_is_refused_before_the_program_ends() {
    let program = Runtime::new().unwrap();
    let client = Runtime::new().unwrap();
    let change = World::with(|config| config.serve.stop_timeout_ms = 100);
    let world = program.block_on(change);
    let batch = client.block_on(world.long_batch(128));
    let running = {
        let _inside = client.enter();
        world.send("/v1/score/batch", batch)
    };
    client.block_on(world.until_metric("soma_scorer_sequences_total", 1));
    program.block_on(world.service.shutdown());
    // Connections that are still open are cut here.
    program.shutdown_background();
    let (status, refusal) = client.block_on(running).unwrap();
    assert_eq!(
        (status, refusal["code"].as_str()),
        (503, Some("Unavailable"))
    );
}

#[tokio::test]
async fn a_download_does_not_hold_the_end_up() {
    let world = World::with(|config| {
        config.fetch.idle_timeout = std::time::Duration::from_secs(600);
    })
    .await;
    // It takes connections, and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut model = world.model(1).await;
    model.url = format!("http://{}/", silent.local_addr().unwrap());
    let waiting = world.send("/v1/score", request(&world.data(b"small").await, &[model]));
    let _held = silent.accept().await.unwrap();
    world.service.shutdown().await;
    let (status, refusal) = waiting.await.unwrap();
    assert_eq!(
        (status, refusal["code"].as_str()),
        (503, Some("Unavailable"))
    );
}
