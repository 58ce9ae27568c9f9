//! Memory stays bounded, whatever is asked for: measured, in a process of its own.

#![cfg(target_os = "linux")]

use axum::body::Bytes;
use serde_json::json;
use soma_api::{Base64, DataSource, DataView};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

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

/// Begins a body of seven parts of 1 MiB: all of it but its end.
async fn beginning(world: &World, chunked: bool) -> TcpStream {
    let mut stream = TcpStream::connect(world.service.address()).await.unwrap();
    let part = vec![b'A'; 1 << 20];
    let (length, before, after) = match chunked {
        true => ("transfer-encoding: chunked", "100000\r\n", "\r\n"),
        false => ("content-length: 7340033", "", ""),
    };
    let head = format!(
        "POST /v1/score HTTP/1.1\r\nhost: scorer\r\nconnection: close\r\n\
         content-type: application/json\r\n{length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..7 {
        stream.write_all(before.as_bytes()).await.unwrap();
        stream.write_all(&part).await.unwrap();
        stream.write_all(after.as_bytes()).await.unwrap();
    }
    stream
}

/// Memory of requests, once no more of them arrives.
async fn settled(world: &World) -> u64 {
    let (mut taken, mut same) = (0, 0);
    while same < 5 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let now = world.metric("soma_scorer_requests_bytes").await;
        same = if now == taken { same + 1 } else { 0 };
        taken = now;
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_arrive_take_no_more_memory_than_they_may() {
    let most = 64 << 20;
    let world = World::with(|config| config.max_request_bytes = Some(most)).await;
    world.works().await;
    let before = status("VmRSS:");
    for chunked in [false, true] {
        let mut clients = Vec::new();
        for _ in 0..64 {
            clients.push(beginning(&world, chunked).await);
        }
        let taken = settled(&world).await;
        assert!(taken <= most, "{taken}");
        // A small request takes no more than it needs: there is room left for it.
        world.works().await;
        let (mut read, mut refused) = (0, 0);
        for client in &mut clients {
            let end: &[u8] = if chunked { b"0\r\n\r\n" } else { b"A" };
            client.write_all(end).await.unwrap();
        }
        for mut client in clients {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            match answer.split(' ').nth(1).unwrap() {
                "400" => {
                    assert!(answer.contains("InvalidJson"), "{answer}");
                    read += 1;
                }
                "503" => {
                    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
                    assert!(answer.contains("\"Busy\""), "{answer}");
                    refused += 1;
                }
                _ => panic!("{answer}"),
            }
        }
        assert_eq!(read + refused, 64);
        // What grows may take from others what they would need to become whole.
        assert!(read == 4 || (chunked && (1..4).contains(&read)), "{read}");
        assert_eq!(world.metric("soma_scorer_requests_bytes").await, 0);
    }
    let more = status("VmHWM:").saturating_sub(before);
    assert!(more < MORE, "{more} bytes more than {before}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_is_refused_takes_no_memory_while_the_rest_of_its_request_waits() {
    let world = World::with(|config| {
        config.max_request_bytes = Some(64 << 20);
        config.fetch.idle_timeout = std::time::Duration::from_secs(600);
    })
    .await;
    world.works().await;
    let silent = Web::at([127, 0, 0, 1], async |_stream, _| {
        std::future::pending().await
    })
    .await;
    let never = DataSource::Url(DataView {
        url: silent.url(),
        checksum: soma_crypto::checksum(b"never"),
        size: 1_000,
    });
    let too_large = DataSource::Inline {
        bytes: Base64(text(5 << 20)),
    };
    let body = json!({ "data": [never, too_large], "models": [world.model(1).await] });
    let body = Bytes::from(body.to_string());
    let before = status("VmRSS:");
    let mut clients = Vec::new();
    for number in 1..=64 {
        let request = world.client.post(world.url("/v1/score/batch"));
        let request = request.header("content-type", "application/json");
        clients.push(tokio::spawn(request.body(body.clone()).send()));
        while world.service.info().queue < number {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    let taken = settled(&world).await;
    assert!(taken < 1 << 20, "{taken}");
    let more = status("VmRSS:").saturating_sub(before);
    assert!(more < MORE, "{more} bytes more than {before}");
    for client in clients {
        client.abort();
    }
}
