//! Memory stays bounded, whatever is asked for: measured, in a process of its own.

#![cfg(target_os = "linux")]

use serde_json::json;
use soma_api::{DataSource, DataView};
use tokio::io::AsyncWriteExt as _;

use crate::hostile::boastful;
use crate::web::Web;
use crate::world::{World, text};

/// What hostile requests may add to the memory of a process that has scored already.
const MORE: u64 = 200 << 20;

/// A number of this process's status in bytes.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_requests_take_no_more_memory_than_they_may() {
    let world = World::with(|config| config.max_request_bytes = Some(64 << 20)).await;
    let model = world.model(1).await;
    let large = world.data(&text(1 << 20)).await;
    let one = [model.clone()];
    world.score(&world.data(&text(64 << 10)).await, &one).await;
    let before = status("VmRSS:");

    // A server that never ends, for a blob that is said to be small.
    let endless = Web::at([127, 0, 0, 1], async |mut stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        let chunk = vec![0; 1 << 20];
        loop {
            stream.write_all(&chunk).await?;
        }
    })
    .await;
    // And one whose head never ends.
    let head = Web::at([127, 0, 0, 1], async |mut stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await?;
        let chunk = vec![b'x'; 1 << 20];
        loop {
            stream.write_all(&chunk).await?;
        }
    })
    .await;
    for web in [&endless, &head] {
        let data = DataSource::Url(DataView {
            url: web.url(),
            checksum: soma_crypto::checksum(b"small"),
            size: 1 << 20,
        });
        let refusal = world.refusal(&data, &one).await;
        let code = refusal["code"].as_str().unwrap();
        assert!(
            ["ChecksumMismatch", "DataUnavailable"].contains(&code),
            "{refusal}"
        );
    }
    // Weights that claim 10^12 numbers.
    let boastful = [world.seal(&boastful()).await];
    let refusal = world.refusal(&large, &boastful).await;
    assert_eq!(refusal["code"], "InvalidWeights", "{refusal}");
    // The same blob, as often as a request may name it; bodies of the largest size; both from many
    // clients at once.
    let batch = json!({ "data": vec![large.clone(); 256], "models": one });
    let body = format!("{{\"data\":\"{}\"}}", "A".repeat(7 << 20));
    let refusals: Vec<_> = (0..16)
        .map(|_| world.send("/v1/score/batch", batch.clone()))
        .collect();
    for refusal in refusals {
        let (status, answer) = refusal.await.unwrap();
        assert_eq!(status, 400, "{answer}");
    }
    for _ in 0..4 {
        let request = world.client.post(world.url("/v1/score")).body(body.clone());
        let request = request.header("content-type", "application/json");
        assert_eq!(request.send().await.unwrap().status(), 400);
    }
    let more = status("VmHWM:").saturating_sub(before);
    assert!(more < MORE, "{more} bytes more than {before}");
    world.works().await;
}
