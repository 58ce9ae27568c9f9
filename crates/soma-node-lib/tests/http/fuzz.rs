//! Random bytes, damaged transactions, and random transactions with good signatures.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use soma_api::{Base64, ErrorCode, SimulateRequest, SubmitRequest};
use soma_crypto::transaction::sign;
use soma_tests::samples::Samples;
use soma_types::{Transaction, TransactionKind};
use tokio::runtime::Runtime;

use crate::answer::Answer;
use crate::net::Net;
use crate::raw::{Request, send};

const SUBMIT: &str = "/v1/transactions";
const SIMULATE: &str = "/v1/transactions/simulate";

/// Runs `check` with many values of `strategy` on one node, which must work at the end.
fn fuzz<S: Strategy>(strategy: S, check: impl AsyncFn(&Net, S::Value)) {
    let runtime = Runtime::new().unwrap();
    let net = runtime.block_on(Net::start());
    let config = Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&strategy, |value| {
        runtime.block_on(check(&net, value));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(net.finish());
}

async fn post(net: &Net, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    send(net.api.address, &Request::post(path, body)).await
}

async fn submit(net: &Net, bytes: Vec<u8>) -> Answer {
    let request = SubmitRequest {
        transaction: Base64(bytes),
        wait_ms: None,
    };
    post(net, SUBMIT, serde_json::to_vec(&request).unwrap()).await
}

async fn simulate(net: &Net, bytes: Vec<u8>) -> Answer {
    let request = SimulateRequest {
        transaction: Base64(bytes),
    };
    post(net, SIMULATE, serde_json::to_vec(&request).unwrap()).await
}

/// A kind of any sort, filled at random.
fn kind(samples: &mut Samples) -> TransactionKind {
    let mut kinds = samples.kinds();
    kinds.swap_remove(samples.below(kinds.len()))
}

/// A transaction of a funded account that the node would take.
fn transaction(net: &Net, kind: TransactionKind) -> Transaction {
    Transaction {
        chain_id: net.api.application.chain().chain_id(),
        sender: net.key(1).address(),
        nonce: 0,
        expiry_height: u64::MAX,
        kind,
    }
}

#[test]
fn random_bytes_are_no_transaction() {
    fuzz(
        prop::collection::vec(any::<u8>(), 0..2_000),
        async |net, bytes| {
            submit(net, bytes.clone())
                .await
                .error(ErrorCode::InvalidTransaction);
            // 81 random bytes can be an unsigned transaction without arguments, of some other chain.
            let code = simulate(net, bytes).await.typed();
            let known = [ErrorCode::InvalidTransaction, ErrorCode::WrongChain];
            assert!(code.is_some_and(|code| known.contains(&code)), "{code:?}");
        },
    );
}

#[test]
fn random_text_is_no_request() {
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    fuzz((".{0,300}", bytes), async |net, (text, bytes)| {
        for path in [SUBMIT, SIMULATE] {
            let body = serde_json::json!({ "transaction": text }).to_string();
            let code = post(net, path, body).await.typed();
            let known = [ErrorCode::InvalidJson, ErrorCode::InvalidTransaction];
            assert!(code.is_some_and(|code| known.contains(&code)), "{code:?}");
            post(net, path, bytes.clone())
                .await
                .error(ErrorCode::InvalidJson);
        }
    });
}

#[test]
fn a_damaged_signed_transaction_is_refused_with_a_type() {
    fuzz(any::<u64>(), async |net, seed| {
        let mut samples = Samples::new(seed);
        let unsigned = transaction(net, kind(&mut samples));
        let bytes = Base64::encode(&sign(unsigned, net.key(1))).0;
        let damaged = samples.damage(&bytes);
        let code = submit(net, damaged.clone()).await.typed();
        assert!(damaged == bytes || code.is_some(), "taken: {damaged:?}");
    });
}

#[test]
fn a_damaged_unsigned_transaction_is_tried_or_refused_with_a_type() {
    fuzz(any::<u64>(), async |net, seed| {
        let mut samples = Samples::new(seed);
        let unsigned = transaction(net, kind(&mut samples));
        let damaged = samples.damage(&Base64::encode(&unsigned).0);
        simulate(net, damaged).await.typed();
    });
}

#[test]
fn a_random_transaction_with_a_good_signature_is_executed() {
    fuzz(any::<u64>(), async |net, seed| {
        let mut samples = Samples::new(seed);
        let kind = kind(&mut samples);
        let key = net.key(1 + samples.below(3));
        let nonce = net.api.account(&key.address()).await.next_nonce;
        let signed = net.api.sign(key, nonce, kind);
        let tried = simulate(net, Base64::encode(&signed.transaction).0).await;
        assert_eq!(tried.typed(), None, "{tried:?}");
        let receipt = net.api.receipt(&signed).await;
        assert_eq!(receipt.is_success(), receipt.error.is_none());
        if let Some(error) = receipt.error {
            assert!(!error.code.is_empty() && error.details.is_object());
        }
    });
}
