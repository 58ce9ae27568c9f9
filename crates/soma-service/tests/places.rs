//! No client takes the places of all others.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::body::{Body as RawBody, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, http};
use futures::stream;
use serde_json::Value;
use soma_service::{Body, GuardConfig, guarded};
use tower::ServiceExt as _;

/// Bytes of an answer that keeps its place until it is sent.
const LARGE: usize = 10_000;

/// A service with four places, two of them for one address.
fn service() -> Router {
    let router = Router::new()
        .route(
            "/v1/echo",
            post(async |Body(value): Body<Value>| axum::Json(value)),
        )
        .route("/v1/large", get(async || vec![7_u8; LARGE]))
        .route("/metrics", get(async || vec![7_u8; LARGE]));
    let config = GuardConfig {
        max_concurrent_requests: 4,
        max_concurrent_requests_per_ip: 2,
        ..GuardConfig::default()
    };
    guarded(router, &config, None)
}

/// A request of `client`.
async fn send(service: &Router, client: &str, mut request: Request<RawBody>) -> Response {
    let client: SocketAddr = client.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(client));
    service.clone().oneshot(request).await.unwrap()
}

async fn get_as(service: &Router, client: &str, path: &str) -> Response {
    let request = Request::get(path).body(RawBody::empty()).unwrap();
    send(service, client, request).await
}

/// Begins a request whose body never comes.
fn begin(service: &Router, client: &'static str) {
    let service = service.clone();
    tokio::spawn(async move {
        let body = RawBody::from_stream(stream::pending::<Result<Vec<u8>, Infallible>>());
        let request =
            Request::post("/v1/echo").header(http::header::CONTENT_TYPE, "application/json");
        send(&service, client, request.body(body).unwrap()).await
    });
}

async fn code(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let bytes = to_bytes(response.into_body(), LARGE).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    (status, body["code"].as_str().unwrap_or("none").to_owned())
}

#[tokio::test]
async fn an_address_with_all_its_places_keeps_nobody_else_out() {
    let service = service();
    let refused = (StatusCode::TOO_MANY_REQUESTS, "RateLimited".to_owned());
    let taken = (StatusCode::OK, "none".to_owned());
    begin(&service, "10.0.0.1:1");
    begin(&service, "10.0.0.1:2");
    tokio::task::yield_now().await;
    for _ in 0..10 {
        let again = get_as(&service, "10.0.0.1:3", "/v1/large").await;
        assert_eq!(code(again).await, refused);
        let other = get_as(&service, "10.0.0.2:1", "/v1/large").await;
        assert_eq!(code(other).await, taken);
    }
    // Health and metrics have their own.
    let watched = get_as(&service, "10.0.0.1:4", "/metrics").await;
    assert_eq!(code(watched).await, taken);
    // This machine's own may have all that are left, and no more.
    begin(&service, "127.0.0.1:1");
    begin(&service, "127.0.0.1:2");
    tokio::task::yield_now().await;
    let full = get_as(&service, "10.0.0.2:1", "/v1/large").await;
    let overloaded = (StatusCode::SERVICE_UNAVAILABLE, "Overloaded".to_owned());
    assert_eq!(code(full).await, overloaded);
}

#[tokio::test]
async fn answers_that_are_not_read_count() {
    let service = service();
    let ask = async || get_as(&service, "10.0.0.1:1", "/v1/large").await;
    let unread = [ask().await, ask().await];
    assert_eq!(ask().await.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(unread);
    // Bytes keep their place wherever they are, and the last of them gives it back.
    let bytes = to_bytes(ask().await.into_body(), LARGE).await.unwrap();
    let unread = ask().await;
    assert_eq!(ask().await.status(), StatusCode::TOO_MANY_REQUESTS);
    drop((bytes, unread));
    assert_eq!(ask().await.status(), StatusCode::OK);
}

#[tokio::test]
async fn metrics_that_one_address_does_not_read_are_there_for_others() {
    let service = service();
    let mut unread = Vec::new();
    loop {
        let answer = get_as(&service, "10.0.0.1:1", "/metrics").await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        unread.push(answer);
    }
    let other = get_as(&service, "10.0.0.2:1", "/metrics").await;
    assert_eq!(other.status(), StatusCode::OK);
}
