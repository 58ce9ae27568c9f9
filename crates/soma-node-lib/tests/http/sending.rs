//! Sending transactions: what is taken, what is refused, and what a second copy does.

use soma_api::{ErrorCode, ReceiptStatus, ReceiptView, SubmitResponse, TransactionRecord};
use soma_crypto::SecretKey;
use soma_crypto::transaction::transaction_digest;
use soma_types::{Address, ChainId};

use crate::net::{LONG_MS, Net, transfer};

const RECIPIENT: Address = Address([7; 32]);

#[tokio::test]
async fn a_transaction_is_executed_and_its_receipt_is_found_again() {
    let net = Net::start().await;
    let signed = net.api.sign(net.key(0), 0, transfer(RECIPIENT, 5));
    let receipt = net.api.receipt(&signed).await;
    assert_eq!(receipt.status, ReceiptStatus::Success);
    assert_eq!(receipt.transaction, transaction_digest(&signed.transaction));
    assert_eq!(receipt.sender, net.key(0).address());
    let path = format!("/v1/transactions/{}", receipt.transaction);
    let record: TransactionRecord = net.api.read(&path).await;
    assert_eq!(record.receipt.as_ref(), Some(&receipt));
    assert_eq!(record.transaction.nonce, 0);
    let again: ReceiptView = net.api.read(&format!("{path}/receipt")).await;
    assert_eq!(again, receipt);
    assert_eq!(net.api.account(&RECIPIENT).await.balance.0, 5);
    net.finish().await;
}

#[tokio::test]
async fn a_transaction_that_fails_on_chain_has_a_receipt_with_its_error() {
    let net = Net::start().await;
    let signed = net.api.sign(net.key(0), 0, transfer(RECIPIENT, u64::MAX));
    let receipt = net.api.receipt(&signed).await;
    assert_eq!(receipt.status, ReceiptStatus::Failure);
    let error = receipt.error.unwrap();
    assert_eq!(error.code, "InsufficientCoinBalance");
    assert!(error.details["available"].is_u64(), "{error:?}");
    assert!(receipt.fee.total.0 > 0, "the base fee is paid");
    let account = net.api.account(&net.key(0).address()).await;
    assert_eq!(account.nonce, 1, "the nonce is used");
    net.finish().await;
}

#[tokio::test]
async fn copies_of_a_transaction_are_one_transaction() {
    let net = Net::start().await;
    let signed = net.api.sign(net.key(0), 0, transfer(RECIPIENT, 5));
    let copies = (0..8).map(|_| net.api.receipt(&signed));
    let receipts: Vec<_> = join_all(copies).await;
    assert!(receipts.iter().all(|receipt| receipt == &receipts[0]));
    // Executed long ago, it is still no error to send it again.
    net.api.assert_alive(net.key(1)).await;
    assert_eq!(net.api.receipt(&signed).await, receipts[0]);
    let at_once: SubmitResponse = net.api.post(&signed, 0).await.json();
    assert_eq!(at_once.receipt.as_ref(), Some(&receipts[0]));
    assert_eq!(net.api.account(&RECIPIENT).await.balance.0, 5);

    let parked = net.api.sign(net.key(0), 5, transfer(RECIPIENT, 5));
    for _ in 0..3 {
        let taken: SubmitResponse = net.api.post(&parked, 0).await.json();
        assert_eq!(taken.receipt, None);
    }
    assert_eq!(net.api.application.size().transactions, 1);
    net.finish().await;
}

#[tokio::test]
async fn what_can_never_be_executed_is_refused_by_name() {
    let net = Net::start().await;
    let (api, key) = (&net.api, net.key(0));
    for _ in 0..3 {
        api.assert_alive(key).await;
    }
    let expired = api.sign_until(key, 3, 2, transfer(RECIPIENT, 1));
    let error = api
        .post(&expired, LONG_MS)
        .await
        .error(ErrorCode::TransactionExpired);
    assert_eq!(error.details["expiry_height"], 2);

    let used = api.sign(key, 0, transfer(RECIPIENT, 77));
    let error = api.post(&used, LONG_MS).await.error(ErrorCode::NonceTooLow);
    assert_eq!(
        (&error.details["expected"], &error.details["got"]),
        (&3.into(), &0.into())
    );

    let far = api.sign(key, 3 + 1_024, transfer(RECIPIENT, 1));
    api.post(&far, LONG_MS).await.error(ErrorCode::NonceGap);
    let last = api.sign(key, u64::MAX, transfer(RECIPIENT, 1));
    api.post(&last, LONG_MS).await.error(ErrorCode::NonceGap);

    let poor = SecretKey::generate();
    let unpaid = api.sign(&poor, 0, transfer(RECIPIENT, 1));
    let error = api
        .post(&unpaid, LONG_MS)
        .await
        .error(ErrorCode::InsufficientGas);
    assert_eq!(error.details["available"], 0);

    let mut elsewhere = api.sign(key, 3, transfer(RECIPIENT, 1)).transaction;
    elsewhere.chain_id = ChainId([9; 32]);
    let elsewhere = soma_crypto::transaction::sign(elsewhere, key);
    api.post(&elsewhere, LONG_MS)
        .await
        .error(ErrorCode::WrongChain);

    let mut forged = api.sign(key, 3, transfer(RECIPIENT, 1));
    forged.transaction.kind = transfer(RECIPIENT, 2);
    api.post(&forged, LONG_MS)
        .await
        .error(ErrorCode::InvalidTransaction);
    let mut stolen = api.sign(key, 3, transfer(RECIPIENT, 1));
    stolen.transaction.sender = net.key(1).address();
    api.post(&stolen, LONG_MS)
        .await
        .error(ErrorCode::InvalidTransaction);
    net.finish().await;
}

#[tokio::test]
async fn a_gap_of_nonces_waits_until_it_is_filled() {
    let net = Net::start().await;
    let signed = |nonce| {
        net.api
            .sign(net.key(0), nonce, transfer(RECIPIENT, 1 + nonce))
    };
    let (first, second, third) = (signed(0), signed(1), signed(2));
    // Sent in the wrong order, and all waited for at the same time.
    let filling = async {
        for count in 1..=2 {
            until(&net, count).await;
        }
        net.api.receipt(&first).await
    };
    let (a, b, c) = tokio::join!(filling, net.api.receipt(&second), net.api.receipt(&third));
    assert!(a.is_success() && b.is_success() && c.is_success());
    assert!((a.height, a.index) < (b.height, b.index));
    assert!((b.height, b.index) < (c.height, c.index));
    net.finish().await;
}

#[tokio::test]
async fn a_wait_that_passes_leaves_the_transaction_waiting() {
    let net = Net::start().await;
    let parked = net.api.sign(net.key(0), 1, transfer(RECIPIENT, 1));
    let taken: SubmitResponse = net.api.post(&parked, 20).await.json();
    assert_eq!(taken.receipt, None);
    let record: TransactionRecord = net
        .api
        .read(&format!("/v1/transactions/{}", taken.digest))
        .await;
    assert_eq!(record.receipt, None);
    let path = format!("/v1/transactions/{}/receipt", taken.digest);
    net.api.get(&path).await.error(ErrorCode::NotFound);
    net.api.execute(net.key(0), transfer(RECIPIENT, 1)).await;
    assert!(net.api.receipt(&parked).await.is_success());
    net.finish().await;
}

/// Waits until `count` transactions wait in the mempool.
pub(crate) async fn until(net: &Net, count: usize) {
    while net.api.application.size().transactions < count {
        tokio::task::yield_now().await;
    }
}

async fn join_all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures::future::join_all(futures).await
}
