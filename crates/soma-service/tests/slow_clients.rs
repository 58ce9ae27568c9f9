//! Clients that send slowly hold no place for long, and nobody is blind meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use serde_json::Value;
use soma_service::{Body, GuardConfig, ServeConfig, Server, bind, guarded};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// A service with one place; bodies have `body_timeout_ms`.
async fn start(body_timeout_ms: u64) -> (SocketAddr, CancellationToken) {
    let router = Router::new()
        .route(
            "/v1/echo",
            post(async |Body(value): Body<Value>| axum::Json(value)),
        )
        .route("/health", get(async || "ok"))
        .route("/metrics", get(async || "none"));
    let config = GuardConfig {
        body_timeout_ms,
        max_concurrent_requests: 1,
        ..GuardConfig::default()
    };
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let server = Server {
        listener,
        router: guarded(router, &config, None),
        config: ServeConfig::default(),
    };
    tokio::spawn(server.run(stop.clone()));
    (address, stop)
}

/// Sends the head of a request and the beginning of its body.
async fn begin(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                content-length: 1000\r\n\r\n[";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn status(address: SocketAddr, path: &str) -> u16 {
    let url = format!("http://{address}{path}");
    reqwest::get(url).await.unwrap().status().as_u16()
}

/// The status of a small request.
async fn echo(address: SocketAddr) -> u16 {
    let request = reqwest::Client::new().post(format!("http://{address}/v1/echo"));
    let request = request
        .header("content-type", "application/json")
        .body("[1]");
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_dripping_body_gives_up_its_place_with_a_typed_error() {
    let (address, stop) = start(300).await;
    let stream = begin(address).await;
    let (mut answer, mut client) = stream.into_split();
    tokio::spawn(async move {
        while client.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut text = String::new();
    while !text.contains("\"code\":\"Timeout\"") {
        let mut bytes = [0; 1_024];
        let count = answer.read(&mut bytes).await.unwrap();
        assert!(count > 0, "{text}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
    assert_eq!(echo(address).await, 200, "the place is free again");
    stop.cancel();
}

#[tokio::test]
async fn a_full_service_can_still_be_looked_after() {
    let (address, stop) = start(600_000).await;
    let held = begin(address).await;
    // The place is taken once the request has arrived.
    while echo(address).await != 503 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(status(address, "/health").await, 200);
    assert_eq!(status(address, "/metrics").await, 200);
    assert_eq!(status(address, "/v1/nothing").await, 503);
    drop(held);
    while echo(address).await != 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
}
