//! Who waits for a receipt is told at once when there will be none. Who is not told gets an answer
//! without a receipt at the end of the wait, which no test here takes.

use std::time::Duration;

use soma_api::{Base64, ErrorCode};
use soma_consensus::BlockSource as _;
use soma_crypto::transaction::transaction_digest;
use soma_node::Application;
use soma_node::application::{SubmitError, wall_clock_ms};
use soma_node::mempool::DropReason;
use soma_tests::world::{Setup, World};
use soma_types::{Address, SignedTransaction, TransactionKind};

use crate::by_hand::ByHand;
use crate::net::{LONG_MS, Net, transfer};
use crate::sending::until;

const RECIPIENT: Address = Address([7; 32]);
const LONG: Duration = Duration::from_millis(LONG_MS);

/// A transaction of account 0 behind a missing nonce: it waits until something happens.
fn parked(net: &Net, amount: u64) -> SignedTransaction {
    net.api.sign(net.key(0), 1, transfer(RECIPIENT, amount))
}

#[tokio::test]
async fn who_waits_for_a_replaced_transaction_is_told_by_which() {
    let net = Net::start().await;
    let (old, new) = (parked(&net, 1), parked(&net, 2));
    let replacing = async {
        until(&net, 1).await;
        net.api.post(&new, 0).await.typed()
    };
    let (refused, taken) = tokio::join!(net.api.post(&old, LONG_MS), replacing);
    assert_eq!(taken, None);
    let error = refused.error(ErrorCode::NonceInUse);
    assert_eq!(
        error.details["by"],
        transaction_digest(&new.transaction).to_string()
    );
    assert_eq!(error.details["nonce"], 1);
    // The newer one is executed once the gap is filled.
    net.api.execute(net.key(0), transfer(RECIPIENT, 10)).await;
    assert!(net.api.receipt(&new).await.is_success());
    assert_eq!(net.api.account(&RECIPIENT).await.balance.0, 12);
    let path = format!("/v1/transactions/{}", transaction_digest(&old.transaction));
    net.api.get(&path).await.error(ErrorCode::NotFound);
    net.finish().await;
}

#[tokio::test]
async fn everybody_who_waits_for_an_expired_transaction_is_told() {
    let net = Net::start().await;
    let until_height = net.api.application.now().height() + 3;
    let kind = || transfer(RECIPIENT, 1);
    let expiring = net.api.sign_until(net.key(0), 1, until_height, kind());
    let blocks = async {
        until(&net, 1).await;
        for _ in 0..3 {
            net.api.execute(net.key(1), kind()).await;
        }
    };
    let (one, two, ()) = tokio::join!(
        net.api.post(&expiring, LONG_MS),
        net.api.post(&expiring, LONG_MS),
        blocks,
    );
    for answer in [one, two] {
        let error = answer.error(ErrorCode::TransactionExpired);
        assert_eq!(error.details["expiry_height"], until_height);
    }
    net.finish().await;
}

#[tokio::test]
async fn who_waits_longer_than_any_transaction_may_is_told() {
    let net = Net::start_with(|config| config.node.mempool.max_age_blocks = 4).await;
    let waiting = parked(&net, 1);
    let blocks = async {
        until(&net, 1).await;
        for _ in 0..6 {
            net.api.execute(net.key(1), transfer(RECIPIENT, 1)).await;
        }
    };
    let (answer, ()) = tokio::join!(net.api.post(&waiting, LONG_MS), blocks);
    let error = answer.error(ErrorCode::MempoolFull);
    assert!(error.message.contains("send it again"), "{error}");
    net.finish().await;
}

#[tokio::test]
async fn who_waits_is_told_when_the_node_stops() {
    let net = Net::start().await;
    let waiting = parked(&net, 1);
    let stop = net.localnet.stop().clone();
    let stopping = async {
        until(&net, 1).await;
        stop.cancel();
    };
    let (answer, ()) = tokio::join!(net.api.post(&waiting, LONG_MS), stopping);
    answer.error(ErrorCode::Unavailable);
    net.localnet.wait().await.unwrap();
}

/// A chain whose blocks are made by hand.
pub(crate) fn by_hand() -> (World, ByHand) {
    let world = World::with(Setup {
        time_ms: wall_clock_ms(),
        ..Setup::default()
    });
    let blocks = ByHand::new(&world.genesis);
    (world, blocks)
}

pub(crate) fn sign(
    world: &World,
    application: &Application,
    nonce: u64,
    amount: u64,
) -> SignedTransaction {
    let sender = world.users[0];
    let transaction = soma_types::Transaction {
        chain_id: application.chain().chain_id(),
        sender,
        nonce,
        expiry_height: 100,
        kind: transfer(RECIPIENT, amount),
    };
    soma_crypto::transaction::sign(transaction, &world.keys[&sender])
}

#[tokio::test]
async fn who_waits_is_told_when_another_transaction_with_the_nonce_was_executed() {
    let (world, blocks) = by_hand();
    let application = &blocks.application;
    let (mine, other) = (
        sign(&world, application, 0, 1),
        sign(&world, application, 0, 2),
    );
    let ticket = application.enqueue(mine.clone()).await.unwrap();
    let second = sign(&world, application, 1, 3);
    let executed = application.enqueue(second.clone()).await.unwrap();
    blocks.block(&[other, second]);
    let error = ticket.receipt(LONG).await.unwrap_err();
    let reason = DropReason::NonceUsed { nonce: 0 };
    assert!(
        matches!(error, SubmitError::Dropped(found) if found == reason),
        "{error}"
    );
    assert!(error.is_nonce_race() && !error.is_retryable());
    let receipt = executed.receipt(LONG).await.unwrap().receipt;
    assert!(receipt.unwrap().status.is_success());
    let again = application.enqueue(mine).await;
    assert!(again.is_err_and(|error| error.is_nonce_race()));
}

#[tokio::test]
async fn who_waits_for_what_was_replaced_and_sent_again_goes_on_waiting() {
    let (world, blocks) = by_hand();
    let application = &blocks.application;
    let (first, second) = (
        sign(&world, application, 0, 1),
        sign(&world, application, 0, 2),
    );
    let patient = application.enqueue(first.clone()).await.unwrap();
    let replaced = application.enqueue(second).await.unwrap();
    let back = application.enqueue(first.clone()).await.unwrap();
    let error = replaced.receipt(LONG).await.unwrap_err();
    assert!(
        matches!(error, SubmitError::Dropped(DropReason::Replaced { .. })),
        "{error}"
    );
    // Both wait for the same transaction, one of them since before it was replaced.
    let waiting = tokio::spawn(patient.receipt(LONG));
    tokio::task::yield_now().await;
    blocks.block(&[first]);
    let receipts = [waiting.await.unwrap(), back.receipt(LONG).await];
    for submitted in receipts {
        assert!(submitted.unwrap().receipt.unwrap().status.is_success());
    }
}

#[tokio::test]
async fn what_makes_a_block_impossible_is_dropped_and_said_so() {
    let (world, blocks) = by_hand();
    let application = &blocks.application;
    let signed = sign(&world, application, 0, 1);
    let ticket = application.enqueue(signed).await.unwrap();
    application.drop_failed(&[ticket.digest()]);
    assert!(blocks.next().receipts.is_empty());
    let error = ticket.receipt(LONG).await.unwrap_err();
    assert!(
        matches!(error, SubmitError::Dropped(DropReason::Unexecutable)),
        "{error}"
    );
}

#[tokio::test]
async fn clients_that_go_away_while_they_wait_leave_the_node_working() {
    let net = Net::start().await;
    let waiting = parked(&net, 1);
    let request = soma_api::SubmitRequest {
        transaction: Base64::encode(&waiting),
        wait_ms: Some(LONG_MS),
    };
    let client = reqwest::Client::new();
    for _ in 0..20 {
        let url = format!("http://{}/v1/transactions", net.api.address);
        let sent = client.post(url).json(&request).send();
        let impatient = Duration::from_millis(5);
        assert!(tokio::time::timeout(impatient, sent).await.is_err());
    }
    let kind: TransactionKind = transfer(RECIPIENT, 1);
    let (receipt, _) = tokio::join!(net.api.receipt(&waiting), net.api.execute(net.key(0), kind));
    assert!(receipt.is_success());
    net.finish().await;
}
