//! Hostile texts in paths, queries and headers.

use soma_api::ErrorCode;

use super::operations;
use crate::net::Net;
use crate::raw::{Request, send};

/// Texts as they stand in a request line.
fn hostile() -> Vec<String> {
    let fixed = [
        "",
        "%00",
        "latest%00",
        "%ff%fe",
        "%c3%28",
        "%ed%a0%80",
        "..",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        ".",
        "%2f",
        "%zz",
        "%",
        "%u0041",
        "+",
        "%20",
        "0",
        "-0",
        "-1",
        "+1",
        "01",
        "0x",
        "0x0",
        "1e400",
        "1.5",
        "18446744073709551615",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
        "NaN",
        "Infinity",
        "-inf",
        "null",
        "true",
        "[]",
        "%7B%7D",
        "%F0%9F%A6%80",
        "%E2%80%AE%D9%A1%D9%A2",
        "%EF%BC%91",
        "%27%20OR%201=1--",
        "$(reboot)",
        "%0d%0aset-cookie:%20a=b",
        "latest",
        "current",
        "system",
        "account",
        "embedding,embedding",
        ",,,",
        ":",
        "1:",
        ":1",
        "1:4294967296",
        "18446744073709551615:4294967295",
    ];
    let mut texts: Vec<String> = fixed.map(str::to_owned).into();
    texts.extend([
        "a".repeat(10_000),
        "9".repeat(10_000),
        "%F0%9F%A6%80".repeat(2_000),
        format!("0x{}", "f".repeat(64)),
        format!("0x{}", "g".repeat(64)),
        format!("0x{}", "f".repeat(63)),
        format!("0x{}", "f".repeat(66)),
        format!("0X{}", "F".repeat(64)),
        format!("0x{}", "%C3%A9".repeat(32)),
        format!("{}.{}", "f".repeat(8), "f".repeat(64)),
        "z".repeat(44),
    ]);
    texts
}

#[tokio::test]
async fn hostile_texts_in_paths_are_answered_with_types() {
    let net = Net::start().await;
    let mut count = 0;
    for operation in operations(&net) {
        for name in operation.names("path") {
            for text in hostile() {
                let target = operation.path_with(name, &text);
                let answer = send(operation.address, &Request::new("GET", target)).await;
                answer.typed();
                count += 1;
            }
        }
    }
    assert!(count > 800, "{count} requests");
    net.finish().await;
}

#[tokio::test]
async fn hostile_texts_in_queries_are_answered_with_types() {
    let net = Net::start().await;
    let mut count = 0;
    for operation in operations(&net) {
        for name in operation.names("query") {
            let path = operation.good_path();
            for text in hostile() {
                let target = format!("{path}?{name}={text}");
                send(operation.address, &Request::new("GET", target))
                    .await
                    .typed();
                count += 1;
            }
            let twice = format!("{path}?{name}=1&{name}=2");
            let answer = send(operation.address, &Request::new("GET", twice)).await;
            answer.error(ErrorCode::InvalidRequest);
            let unknown = format!("{path}?{name}x=1");
            let answer = send(operation.address, &Request::new("GET", unknown)).await;
            answer.error(ErrorCode::InvalidRequest);
        }
        let broken = ["?", "?&&&", "?=", "?%ff", "?a=b=c", "?é"];
        for query in broken {
            let target = format!("{}{query}", operation.good_path());
            let mut request = Request::new(&operation.method, target);
            if operation.method == "POST" {
                request = Request::post(request.target, "{}");
            }
            send(operation.address, &request).await.typed();
        }
    }
    assert!(count > 1_000, "{count} requests");
    net.finish().await;
}

#[tokio::test]
async fn hostile_texts_in_headers_are_answered_with_types() {
    let net = Net::start().await;
    let mut count = 0;
    for operation in operations(&net) {
        for name in operation.names("header") {
            for text in hostile() {
                let request = Request::new("GET", operation.good_path()).header(name, &text);
                send(operation.address, &request).await.typed();
                count += 1;
            }
        }
        for name in [
            "content-type",
            "accept",
            "origin",
            "x-forwarded-for",
            "range",
            "expect",
        ] {
            let text = "\u{e9}".repeat(100);
            let request = Request::new(&operation.method, operation.good_path());
            send(operation.address, &request.header(name, &text))
                .await
                .typed();
        }
    }
    assert!(count > 50, "{count} requests");
    net.finish().await;
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_not_guessed() {
    let net = Net::start().await;
    let bad = [
        "/v1/blocks/-1",
        "/v1/blocks/18446744073709551616",
        "/v1/blocks/1e3",
        "/v1/blocks/latest%00",
        "/v1/blocks/latest?include=everything",
        "/v1/epochs/-1",
        "/v1/epochs/NaN",
        "/v1/supply/current",
        "/v1/accounts/0x1/balance",
        "/v1/accounts/%ff/balance",
        "/v1/models?limit=0",
        "/v1/models?limit=-1",
        "/v1/models?limit=1e9",
        "/v1/models?limit=18446744073709551616",
        "/v1/models?status=Active",
        "/v1/models?owner=0x1",
        "/v1/targets?epoch=-1",
        "/v1/targets?submitter=everybody",
        "/v1/events?types=",
        "/v1/events?from=latest",
        "/v1/proofs/account",
        "/v1/proofs/nonsense/1",
        "/v1/proofs/epoch/-1",
        "/v1/proofs/supply?height=-1",
    ];
    for target in bad {
        net.api.get(target).await.error(ErrorCode::InvalidRequest);
    }
    net.finish().await;
}
