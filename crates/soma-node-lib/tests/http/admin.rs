//! The admin routes: for this machine only, never for web pages.

use std::collections::BTreeSet;
use std::sync::Arc;

use soma_api::{AdvanceEpochResponse, ErrorCode};
use soma_node::admin::{Admin, AdminConfig, NotLoopback};
use soma_node::localnet::LocalnetError;
use soma_node::{Localnet, LocalnetConfig};
use soma_tests::world::Setup;

use crate::net::{Net, WorldNode};
use crate::raw::{Request, send};

const ADVANCE: &str = "/v1/admin/advance-epoch";

#[tokio::test]
async fn concurrent_requests_each_end_an_epoch_of_their_own() {
    let net = Net::start().await;
    let asked = (0..8).map(|_| async {
        let answer = send(net.admin(), &Request::new("POST", ADVANCE)).await;
        answer.json::<AdvanceEpochResponse>()
    });
    let answers = futures::future::join_all(asked).await;
    let epochs: BTreeSet<_> = answers.iter().map(|answer| answer.epoch.0).collect();
    assert_eq!(epochs, (1..=8).collect());
    let heights: BTreeSet<_> = answers.iter().map(|answer| answer.height).collect();
    assert_eq!(heights.len(), 8, "a block for each");
    assert_eq!(net.api.application.now().system.epoch.0, 8);
    net.finish().await;
}

#[tokio::test]
async fn web_pages_and_foreign_names_are_refused() {
    let net = Net::start().await;
    let port = net.admin().port();
    for origin in ["https://example.org", "null", "http://localhost", ""] {
        let request = Request::new("POST", ADVANCE).header("origin", origin);
        let answer = send(net.admin(), &request).await;
        answer.error(ErrorCode::InvalidRequest);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    for host in [
        "example.org".to_owned(),
        format!("127.example.org:{port}"),
        format!("127.0.0.1.example.org:{port}"),
        format!("localhost.example.org:{port}"),
        format!("10.0.0.1:{port}"),
        "\u{e9}".to_owned(),
        String::new(),
    ] {
        let request = Request::new("POST", ADVANCE).header("host", &host);
        send(net.admin(), &request)
            .await
            .error(ErrorCode::InvalidRequest);
    }
    assert_eq!(
        net.api.application.now().system.epoch.0,
        0,
        "nothing happened"
    );
    for host in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
    ] {
        let request = Request::new("POST", ADVANCE).header("host", &host);
        send(net.admin(), &request)
            .await
            .json::<AdvanceEpochResponse>();
    }
    assert_eq!(net.api.application.now().system.epoch.0, 3);
    net.finish().await;
}

#[tokio::test]
async fn a_page_may_not_even_ask_whether_it_may() {
    let net = Net::start().await;
    let preflight = Request::new("OPTIONS", ADVANCE)
        .header("origin", "https://example.org")
        .header("access-control-request-method", "POST");
    let answer = send(net.admin(), &preflight).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    net.finish().await;
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut config = LocalnetConfig::for_tests();
        config.admin.as_mut().unwrap().address = address.parse().unwrap();
        let refused = Localnet::start(config).await.err().unwrap();
        let expected = NotLoopback(address.parse().unwrap());
        assert!(
            matches!(refused, LocalnetError::Admin(found) if found == expected),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_chain_that_does_not_allow_it_is_not_hurried() {
    let node = WorldNode::start_changed(
        Setup::default(),
        |genesis| genesis.allow_forced_epochs = false,
        |_| {},
    )
    .await;
    let admin = Admin::new(Arc::clone(&node.api.application), AdminConfig::default()).unwrap();
    let error = admin.advance_epoch().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ForcedEpochsNotAllowed);
    assert_eq!(node.api.application.now().system.epoch.0, 0);
    node.node.shutdown().await.unwrap();
}
