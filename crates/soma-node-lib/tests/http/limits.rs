//! Too much of anything is refused with a type and a time to come back.

use soma_api::ErrorCode;
use soma_service::RateConfig;
use soma_types::Address;

use crate::net::{LONG_MS, Net, transfer};
use crate::sending::until;

#[tokio::test]
async fn a_client_over_its_rate_is_refused_until_it_slows_down() {
    let net = Net::start_with(|config| {
        config.node.rpc.guard.rate = RateConfig {
            per_minute: 1,
            burst: 3,
        };
    })
    .await;
    for _ in 0..3 {
        assert!(net.api.get("/v1/status").await.is_success());
    }
    for target in ["/v1/status", "/health", "/v1/nothing", "/v1/events"] {
        net.api.get(target).await.error(ErrorCode::RateLimited);
    }
    net.localnet.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_waits_for_a_receipt_keeps_nobody_out_but_more_who_wait() {
    let net = Net::start_with(|config| {
        config.node.rpc.guard.max_concurrent_requests = 1;
        config.node.rpc.max_waiting = 1;
    })
    .await;
    let kind = || transfer(Address([7; 32]), 1);
    let (waiting, more) = (
        net.api.sign(net.key(0), 1, kind()),
        net.api.sign(net.key(0), 2, kind()),
    );
    let others = async {
        until(&net, 1).await;
        // The one place is free as soon as the request does nothing but wait.
        while !net.api.get("/v1/status").await.is_success() {}
        let refused = net.api.post(&more, LONG_MS).await;
        refused.error(ErrorCode::Overloaded);
        until(&net, 2).await;
        assert!(net.api.post(&more, 0).await.is_success());
        let first = net.api.sign(net.key(0), 0, kind());
        assert!(net.api.post(&first, 0).await.is_success());
    };
    let (answer, ()) = tokio::join!(net.api.post(&waiting, LONG_MS), others);
    assert!(answer.is_success(), "{answer:?}");
    // There is room again, and a receipt that is there needs none.
    assert!(net.api.receipt(&more).await.is_success());
    net.finish().await;
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_a_typed_error() {
    let net = Net::start_with(|config| config.node.rpc.guard.request_timeout_ms = 30).await;
    let waiting = net.api.sign(net.key(0), 1, transfer(Address([7; 32]), 1));
    net.api
        .post(&waiting, LONG_MS)
        .await
        .error(ErrorCode::Timeout);
    let digest = soma_crypto::transaction::transaction_digest(&waiting.transaction);
    assert!(
        net.api.application.mempool().contains(&digest),
        "it still waits"
    );
    net.localnet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_full_mempool_and_a_sender_too_far_ahead_are_refused_by_name() {
    let net = Net::start_with(|config| {
        config.node.mempool.max_transactions = 8;
        config.node.mempool.max_parked_percent = 100;
        config.node.mempool.max_sender_transactions = 3;
    })
    .await;
    let parked = |sender: usize, nonce| {
        let kind = transfer(Address([7; 32]), 1);
        net.api.sign(net.key(sender), nonce, kind)
    };
    let mut codes = Vec::new();
    for sender in 0..5 {
        for nonce in 1..3 {
            codes.push(net.api.post(&parked(sender, nonce), 0).await.typed());
        }
    }
    assert!(codes[..8].iter().all(Option::is_none), "{codes:?}");
    assert_eq!(codes[8..], [Some(ErrorCode::MempoolFull); 2]);
    let far = net.api.post(&parked(0, 3), 0).await;
    far.error(ErrorCode::NonceGap);
    net.localnet.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_sender_with_too_many_bytes_waiting_is_refused_and_others_are_not() {
    let net = Net::start_with(|config| config.node.mempool.max_sender_bytes = 700).await;
    let parked = |sender: usize, nonce| {
        let kind = transfer(Address([7; 32]), 1);
        net.api.sign(net.key(sender), nonce, kind)
    };
    let mut codes = Vec::new();
    for nonce in 1..6 {
        codes.push(net.api.post(&parked(0, nonce), 0).await.typed());
    }
    assert!(codes[0].is_none(), "{codes:?}");
    assert_eq!(codes[4], Some(ErrorCode::SenderLimit), "{codes:?}");
    assert!(net.api.post(&parked(1, 1), 0).await.is_success());
    net.api.assert_alive(net.key(2)).await;
    net.localnet.shutdown().await.unwrap();
}
