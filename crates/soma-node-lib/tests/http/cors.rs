//! Web pages: those of origins that the settings name may call the API.

use crate::net::Net;
use crate::raw::{Request, send};

const ALLOW: &str = "access-control-allow-origin";
const PAGE: &str = "https://wallet.example.org";

async fn with_origins(origins: &[&str]) -> Net {
    let origins = origins.iter().map(ToString::to_string).collect();
    Net::start_with(|config| config.node.rpc.guard.cors_origins = origins).await
}

async fn allowed(net: &Net, origin: &str) -> Option<String> {
    let request = Request::new("GET", "/v1/status").header("origin", origin);
    let answer = send(net.api.address, &request).await;
    assert!(answer.is_success(), "{answer:?}");
    answer.header(ALLOW).map(ToOwned::to_owned)
}

#[tokio::test]
async fn a_page_of_a_named_origin_may_call_and_others_may_not() {
    let net = with_origins(&[PAGE]).await;
    assert_eq!(allowed(&net, PAGE).await.as_deref(), Some(PAGE));
    for other in ["https://example.org", "http://wallet.example.org", "null"] {
        assert_eq!(allowed(&net, other).await, None, "{other}");
    }
    let preflight = |origin| {
        Request::new("OPTIONS", "/v1/transactions")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
    };
    let answer = send(net.api.address, &preflight(PAGE)).await;
    assert!(answer.is_success(), "{answer:?}");
    assert_eq!(answer.header(ALLOW), Some(PAGE));
    let methods = answer.header("access-control-allow-methods");
    assert!(methods.is_some_and(|methods| methods.contains("POST")));
    let headers = answer.header("access-control-allow-headers");
    assert!(headers.is_some_and(|headers| headers.contains("content-type")));
    let answer = send(net.api.address, &preflight("https://example.org")).await;
    assert_eq!(answer.header(ALLOW), None);
    net.finish().await;
}

#[tokio::test]
async fn a_star_lets_all_pages_call_and_nothing_lets_none() {
    let net = with_origins(&["*"]).await;
    assert_eq!(allowed(&net, PAGE).await.as_deref(), Some("*"));
    net.finish().await;
    let net = with_origins(&[]).await;
    assert_eq!(allowed(&net, PAGE).await, None);
    net.finish().await;
}
