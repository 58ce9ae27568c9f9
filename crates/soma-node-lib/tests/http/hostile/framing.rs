//! Bodies that are too large, not declared as JSON, or not wanted.

use soma_api::ErrorCode;

use super::bodies::{body_with, with_bodies};
use super::operations;
use crate::net::Net;
use crate::raw::{Framing, Request, send};

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_refused() {
    let net = Net::start().await;
    for (operation, schema) in with_bodies(&net) {
        let good = body_with(&net, &operation, &schema, "", "");
        for kind in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "application/json, text/plain",
            "\u{e9}",
        ] {
            let mut request = Request::new("POST", operation.path.as_str());
            request.body = good.clone().into_bytes();
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            let answer = send(operation.address, &request).await;
            answer.error(ErrorCode::UnsupportedMediaType);
        }
        for kind in ["application/json; charset=utf-8", "Application/JSON"] {
            let mut request = Request::new("POST", operation.path.as_str());
            request.body = good.clone().into_bytes();
            let request = request.header("content-type", kind);
            assert!(
                send(operation.address, &request).await.is_success(),
                "{kind}"
            );
        }
    }
    net.finish().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_its_length_is_told() {
    let net = Net::start().await;
    for (operation, _) in with_bodies(&net) {
        let (address, path) = (operation.address, operation.path.as_str());
        for size in [operation.max_body + 1, operation.max_body * 3] {
            for framing in [Framing::Length, Framing::Chunked] {
                let body = vec![b' '; size];
                let answer = send(address, &Request::post(path, body).framed(framing)).await;
                answer.error(ErrorCode::BodyTooLarge);
            }
        }
        let body = vec![b' '; operation.max_body];
        let answer = send(address, &Request::post(path, body)).await;
        answer.error(ErrorCode::InvalidJson);
        let body = vec![b' '; operation.max_body + 1];
        let claimed = Framing::Claimed(1 << 50);
        let answer = send(address, &Request::post(path, body).framed(claimed)).await;
        answer.error(ErrorCode::BodyTooLarge);
    }
    net.finish().await;
}

#[tokio::test]
async fn a_body_where_none_is_wanted_is_left_alone() {
    let net = Net::start().await;
    for operation in operations(&net) {
        if operation.body.is_some() {
            continue;
        }
        for body in [b"{}".to_vec(), vec![0xff; 100], b"[".repeat(3_000)] {
            for framing in [Framing::Length, Framing::Chunked] {
                let mut request = Request::new(&operation.method, operation.good_path());
                request.body = body.clone();
                send(operation.address, &request.framed(framing))
                    .await
                    .typed();
            }
        }
    }
    net.finish().await;
}
