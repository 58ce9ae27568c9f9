//! Routes and methods that are not there, and bytes that are not HTTP.

use soma_api::ErrorCode;

use super::operations;
use crate::net::Net;
use crate::raw::{Request, Then, exchange, send};

#[tokio::test]
async fn a_method_that_a_route_does_not_take_is_refused_by_name() {
    let net = Net::start().await;
    let all = operations(&net);
    for operation in &all {
        let path = operation.good_path();
        let takes = |method: &str| {
            let same = all
                .iter()
                .filter(|o| (o.address, &o.path) == (operation.address, &operation.path));
            same.into_iter().any(|o| o.method == method)
        };
        for method in [
            "GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW", "get",
        ] {
            if !takes(method) {
                let answer = send(operation.address, &Request::new(method, path.clone())).await;
                answer.error(ErrorCode::MethodNotAllowed);
            }
        }
        // HEAD is GET without a body; OPTIONS is what browsers ask before a request.
        let head = send(operation.address, &Request::new("HEAD", path.clone())).await;
        assert_eq!(head.status == 405, !takes("GET"), "{}", head.what);
        assert!(head.body.is_empty(), "{}", head.what);
        let options = send(operation.address, &Request::new("OPTIONS", path.clone())).await;
        assert!(options.is_success(), "{}", options.what);
    }
    net.finish().await;
}

#[tokio::test]
async fn a_route_that_does_not_exist_is_refused_by_name() {
    let net = Net::start().await;
    let long = format!("/v1/{}", "x".repeat(10_000));
    let unknown = [
        "/",
        "//",
        "/v1",
        "/v1/",
        "/v2/status",
        "/v1/status/",
        "/v1//status",
        "/v1/../v1/status",
        "/v1/%2e%2e/v1/status",
        "/V1/STATUS",
        "/v1/status%00",
        "/v1/status%2f",
        "/v1/%ff%fe",
        "/v1/nothing?limit=1",
        "/health/x",
        "*",
        "/%",
        "/../../etc/passwd",
        &long,
    ];
    for address in [net.api.address, net.faucet(), net.admin()] {
        for target in unknown {
            let answer = send(address, &Request::new("GET", target)).await;
            answer.error(ErrorCode::RouteNotFound);
            let answer = send(address, &Request::post(target, "{}")).await;
            answer.error(ErrorCode::RouteNotFound);
        }
    }
    for operation in operations(&net) {
        let target = format!("{}/more/than/that", operation.good_path());
        let answer = send(operation.address, &Request::new("GET", target)).await;
        answer.error(ErrorCode::RouteNotFound);
    }
    net.finish().await;
}

#[tokio::test]
async fn what_is_not_http_hurts_nobody() {
    let net = Net::start().await;
    let head = "GET /v1/status HTTP/1.1\r\nhost: x\r\n";
    let junk: [Vec<u8>; 15] = [
        Vec::new(),
        b"\r\n\r\n".to_vec(),
        vec![0; 10_000],
        vec![0xff; 10_000],
        head.as_bytes().to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET \xff\xfe HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /v1/blocks/\0 HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        b"GET /v1/blocks/latest?\x7f HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        format!("{head}x: {}\r\n\r\n", "y".repeat(2 << 20)).into_bytes(),
        format!("{head}{}\r\n", "a: b\r\n".repeat(10_000)).into_bytes(),
        format!("{head}content-length: -1\r\n\r\n").into_bytes(),
        format!("{head}content-length: {}\r\n\r\n", u64::MAX).into_bytes(),
        format!("{head}content-length: 5\r\ncontent-length: 6\r\n\r\n").into_bytes(),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "z".repeat(1 << 20)).into_bytes(),
    ];
    for address in [net.api.address, net.faucet(), net.admin()] {
        for bytes in &junk {
            let received = exchange(address, bytes.clone(), Then::Close).await;
            let text = String::from_utf8_lossy(&received);
            let is_refused = text.is_empty() || text.starts_with("HTTP/1.1 4");
            assert!(is_refused, "{text:.200}");
        }
    }
    net.finish().await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused() {
    let net = Net::start().await;
    for (address, path) in [
        (net.api.address, "/v1/transactions"),
        (net.api.address, "/v1/transactions/simulate"),
        (net.faucet(), "/v1/faucet"),
    ] {
        for length in [
            "content-length: 100\r\n\r\n{\"a",
            "transfer-encoding: chunked\r\n\r\n5\r\n{\"a",
        ] {
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
            let bytes = format!("{head}{length}").into_bytes();
            let received = exchange(address, bytes, Then::Close).await;
            let text = String::from_utf8_lossy(&received);
            assert!(
                text.is_empty() || text.starts_with("HTTP/1.1 400"),
                "{text}"
            );
        }
    }
    net.finish().await;
}
