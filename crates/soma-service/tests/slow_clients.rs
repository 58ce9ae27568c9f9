//! Clients that send or read slowly or nothing hold no place for long, and nobody is blind meanwhile.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{self, Bytes};
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures::{StreamExt as _, stream};
use serde_json::Value;
use soma_service::{Body, GuardConfig, ServeConfig, Server, Slot, bind, guarded};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Bytes of an answer that no buffer between two sockets takes whole.
const BIG: usize = 24 << 20;

/// A service with one place; bodies have `body_timeout_ms`.
async fn start(body_timeout_ms: u64) -> (SocketAddr, CancellationToken) {
    start_with(body_timeout_ms, ServeConfig::default()).await
}

async fn start_with(body_timeout_ms: u64, serve: ServeConfig) -> (SocketAddr, CancellationToken) {
    let router = Router::new()
        .route(
            "/v1/echo",
            post(async |Body(value): Body<Value>| axum::Json(value)),
        )
        // Lasts longer than any timeout of a connection here.
        .route("/v1/slow", get(async || sleepy("slow").await))
        .route(
            "/v1/stream",
            get(async || body::Body::from_stream(stream::once(sleepy("late")))),
        )
        .route(
            "/v1/wait",
            get(async |Extension(slot): Extension<Slot>| {
                slot.release();
                std::future::pending::<()>().await;
            }),
        )
        .route("/v1/big", get(async || vec![7_u8; BIG]))
        .route(
            "/v1/pieces",
            get(async || {
                let piece = Bytes::from_static(&[7; 1 << 16]);
                let pieces = vec![Ok::<_, Infallible>(piece); BIG >> 16];
                body::Body::from_stream(stream::iter(pieces))
            }),
        )
        .route(
            "/v1/events",
            get(async || {
                let events = stream::iter(["first", "second"]).then(sleepy);
                Sse::new(events.map(|text| text.map(|text| Event::default().data(text))))
            }),
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
        config: serve,
    };
    tokio::spawn(server.run(stop.clone()));
    (address, stop)
}

async fn sleepy(text: &'static str) -> Result<&'static str, Infallible> {
    tokio::time::sleep(Duration::from_millis(600)).await;
    Ok(text)
}

/// Short timeouts, and room for `max_connections`.
fn impatient(max_connections: usize) -> ServeConfig {
    ServeConfig {
        max_connections,
        head_timeout_ms: 200,
        idle_timeout_ms: 200,
        stop_timeout_ms: 200,
        ..ServeConfig::default()
    }
}

/// Sends `bytes` and gives all that comes until the service closes.
async fn until_closed(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut received = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut received).await;
    received
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

/// How a client of HTTP/2 begins, with no settings.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Windows as large as they may be: of streams in the settings, and of the connection.
const HTTP2_WINDOWS: &[u8] =
    b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0";

/// How a client of HTTP/2 begins that takes no bytes of answers: windows of streams are 0.
const HTTP2_NO_WINDOWS: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";

/// `GET path` of HTTP/1.
fn http1_get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes()
}

/// `GET path` as the first request of HTTP/2.
fn http2_get(path: &str) -> Vec<u8> {
    let size = u8::try_from(path.len()).unwrap();
    let frame = [0, 0, size + 7, 1, 5, 0, 0, 0, 1];
    let (before, after) = ([0x82, 0x86, 4, size], b"\x01\x01a");
    [&frame[..], &before, path.as_bytes(), after].concat()
}

#[tokio::test]
async fn clients_that_send_no_request_are_closed_and_others_get_in() {
    let beginnings: [&[u8]; 5] = [b"", b"PRI * HT", b"GET /hea", HTTP2, &HTTP2[..30]];
    let (address, stop) = start_with(30_000, impatient(beginnings.len())).await;
    let clients =
        beginnings.map(|bytes| tokio::spawn(async move { until_closed(address, bytes).await }));
    // They hold all places, until each is closed.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(status(address, "/health").await, 200);
    for client in clients {
        client.await.unwrap();
    }
    stop.cancel();
}

#[tokio::test]
async fn a_connection_without_requests_any_more_is_closed() {
    let (address, stop) = start_with(30_000, impatient(1)).await;
    let http1 = until_closed(address, &http1_get("/health")).await;
    assert!(http1.starts_with(b"HTTP/1.1 200"), "{http1:?}");
    let http2 = until_closed(address, &[HTTP2, &http2_get("/health")].concat()).await;
    assert!(http2.windows(2).any(|bytes| bytes == b"ok"), "{http2:?}");
    stop.cancel();
}

#[tokio::test]
async fn a_request_under_way_keeps_its_connection_however_long_it_takes() {
    let (address, stop) = start_with(30_000, impatient(1)).await;
    for (path, expected) in [("slow", "slow"), ("stream", "late")] {
        let answer = reqwest::get(format!("http://{address}/v1/{path}")).await;
        assert_eq!(answer.unwrap().text().await.unwrap(), expected);
    }
    stop.cancel();
}

#[tokio::test]
async fn who_reads_slowly_gets_a_large_answer_whole() {
    for path in ["/v1/big", "/v1/pieces"] {
        let http1 = http1_get(path);
        let http2 = [HTTP2, HTTP2_WINDOWS, &http2_get(path)].concat();
        tokio::join!(read_slowly(&http1), read_slowly(&http2));
    }
}

/// Asks with `request` for the large answer, and takes several idle limits to read it.
async fn read_slowly(request: &[u8]) {
    let serve = impatient(1);
    let limit = Duration::from_millis(serve.idle_timeout_ms + serve.stop_timeout_ms);
    let (address, stop) = start_with(30_000, serve).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let (begin, mut bytes) = (Instant::now(), vec![0; BIG / 48]);
    for _ in 0..48 {
        let all = stream.read_exact(&mut bytes).await;
        all.expect("the rest of the answer");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(begin.elapsed() > 2 * limit);
    stop.cancel();
}

/// Asks with `request` for a large answer, of which nothing is read.
async fn ask(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

/// Waits until a small request has `expected` for its status.
async fn until(address: SocketAddr, expected: u16) {
    let waiting = async {
        while echo(address).await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "{expected} does not come");
}

#[tokio::test]
async fn who_reads_nothing_of_an_answer_is_closed_and_the_place_is_free() {
    for path in ["/v1/big", "/v1/pieces"] {
        let no_windows = [HTTP2_NO_WINDOWS, &http2_get(path)].concat();
        let windows = [HTTP2, HTTP2_WINDOWS, &http2_get(path)].concat();
        for request in [http1_get(path), no_windows, windows] {
            let (address, stop) = start_with(30_000, impatient(1)).await;
            let silent = ask(address, &request).await;
            // It has the only connection, and the only place.
            until(address, 200).await;
            drop(silent);
            stop.cancel();
        }
    }
}

#[tokio::test]
async fn an_answer_keeps_its_place_until_it_is_sent() {
    for path in ["/v1/big", "/v1/pieces"] {
        let (address, stop) = start(30_000).await;
        let mut slow = ask(address, &http1_get(path)).await;
        until(address, 503).await;
        slow.read_exact(&mut vec![0; BIG]).await.unwrap();
        until(address, 200).await;
        stop.cancel();
    }
}

#[tokio::test]
async fn an_event_stream_lasts_however_little_it_says_and_keeps_no_place() {
    let http2 = [HTTP2, &http2_get("/v1/events")].concat();
    for request in [http1_get("/v1/events"), http2] {
        let (address, stop) = start_with(30_000, impatient(2)).await;
        let events = tokio::spawn(async move { until_closed(address, &request).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(echo(address).await, 200);
        let events = String::from_utf8_lossy(&events.await.unwrap()).into_owned();
        assert!(events.contains("data: first"), "{events}");
        assert!(events.contains("data: second"), "{events}");
        stop.cancel();
    }
}

#[tokio::test]
async fn who_only_waits_takes_no_place() {
    let (address, stop) = start(30_000).await;
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(&http1_get("/v1/wait")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(echo(address).await, 200);
    drop(waiting);
    stop.cancel();
}
