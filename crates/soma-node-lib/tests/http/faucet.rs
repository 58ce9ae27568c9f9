//! The faucet: exact money for everybody at the same time, and limits.

use std::sync::Arc;
use std::time::Duration;

use soma_api::{ErrorCode, FaucetRequest, FaucetResponse};
use soma_crypto::transaction::transaction_digest;
use soma_node::faucet::{NodePurse, Purse};
use soma_service::RateConfig;
use soma_types::{Address, Shannons};

use crate::answer::Answer;
use crate::net::{LONG_MS, Net, transfer};
use crate::raw::{Request, send};
use crate::waiting::{by_hand, sign};

async fn ask(net: &Net, address: Address) -> Answer {
    let body = serde_json::to_vec(&FaucetRequest { address }).unwrap();
    send(net.faucet(), &Request::post("/v1/faucet", body)).await
}

fn account(number: u8) -> Address {
    Address([number; 32])
}

#[tokio::test]
async fn concurrent_requests_for_different_accounts_are_all_paid_exactly() {
    let net = Net::start().await;
    let faucet = net.localnet.keys().faucet.address;
    let before = net.api.account(&faucet).await.balance;
    let asked = (1..=32).map(|number| ask(&net, account(number)));
    let answers = futures::future::join_all(asked).await;
    let mut paid = 0;
    for (number, answer) in (1..=32).zip(answers) {
        let sent: FaucetResponse = answer.json();
        assert_eq!(sent.address, account(number));
        assert_eq!(net.api.account(&sent.address).await.balance, sent.amount);
        let path = format!("/v1/transactions/{}/receipt", sent.transaction);
        let receipt: soma_api::ReceiptView = net.api.read(&path).await;
        assert_eq!(receipt.height, sent.height);
        paid += sent.amount.0 + receipt.fee.total.0;
    }
    let after = net.api.account(&faucet).await;
    assert_eq!(before.0 - after.balance.0, paid);
    assert_eq!(after.nonce, 32);
    net.finish().await;
}

#[tokio::test]
async fn one_account_asking_at_the_same_time_is_paid_each_time() {
    let net = Net::start().await;
    let answers = futures::future::join_all((0..16).map(|_| ask(&net, account(5)))).await;
    let sum: u64 = answers
        .iter()
        .map(|answer| answer.json::<FaucetResponse>().amount.0)
        .sum();
    assert_eq!(net.api.account(&account(5)).await.balance.0, sum);
    net.finish().await;
}

#[tokio::test]
async fn payments_survive_another_program_with_the_same_key() {
    let net = Net::start().await;
    let key = net.localnet.keys().faucet.secret_key.clone();
    let other = async {
        let mut done = 0;
        while done < 10 {
            let nonce = net.api.account(&key.address()).await.next_nonce;
            let signed = net.api.sign(&key, nonce, transfer(account(200), 1));
            // The faucet may take the nonce: that is an error with a name, and a new try.
            let answer = net.api.post(&signed, LONG_MS).await;
            match answer.typed() {
                None => done += 1,
                Some(ErrorCode::NonceInUse | ErrorCode::NonceTooLow) => {}
                Some(other) => panic!("{other:?}: {answer:?}"),
            }
        }
    };
    let asked = (1..=16).map(|number| ask(&net, account(number)));
    let (answers, ()) = tokio::join!(futures::future::join_all(asked), other);
    for (number, answer) in (1..=16).zip(answers) {
        let sent: FaucetResponse = answer.json();
        assert_eq!(net.api.account(&account(number)).await.balance, sent.amount);
    }
    assert_eq!(net.api.account(&account(200)).await.balance.0, 10);
    net.finish().await;
}

#[tokio::test]
async fn a_payment_that_only_this_node_dropped_is_not_made_twice() {
    let (world, blocks) = by_hand();
    let application = &blocks.application;
    let key = world.keys[&world.users[0]].clone();
    let wait = Duration::from_millis(LONG_MS);
    let purse = NodePurse::new(Arc::clone(application), key, wait);
    let steps = async {
        while application.size().transactions == 0 {
            tokio::task::yield_now().await;
        }
        // What waited at the last call already.
        let mempool = application.mempool();
        assert!(mempool.resend(1).is_empty());
        let payment = mempool.resend(1).remove(0);
        let other = sign(&world, application, 0, 2);
        application.enqueue(other).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(application.size().transactions, 1);
        // Another node had the payment still.
        blocks.block(std::slice::from_ref(&payment));
        transaction_digest(&payment.transaction)
    };
    let (paid, payment) = tokio::join!(purse.pay(account(1), Shannons(5)), steps);
    assert_eq!(paid.unwrap().transaction, payment);
    assert_eq!(application.size().transactions, 0);
}

#[tokio::test]
async fn an_account_over_its_rate_is_told_to_wait_and_others_are_paid() {
    let net = Net::start_with(|config| {
        let faucet = config.faucet.as_mut().unwrap();
        faucet.rate_by_address = RateConfig {
            per_minute: 1,
            burst: 2,
        };
    })
    .await;
    for _ in 0..2 {
        ask(&net, account(1)).await.json::<FaucetResponse>();
    }
    let refused = ask(&net, account(1)).await;
    refused.error(ErrorCode::RateLimited);
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    let amount = ask(&net, account(2)).await.json::<FaucetResponse>().amount;
    assert_eq!(net.api.account(&account(1)).await.balance.0, 2 * amount.0);
    net.finish().await;
}

#[tokio::test]
async fn a_client_over_its_rate_is_told_to_wait_whatever_account_it_names() {
    let net = Net::start_with(|config| {
        let faucet = config.faucet.as_mut().unwrap();
        faucet.rate_by_client = RateConfig {
            per_minute: 1,
            burst: 3,
        };
    })
    .await;
    for number in 1..=3 {
        ask(&net, account(number)).await.json::<FaucetResponse>();
    }
    let refused = ask(&net, account(4)).await;
    refused.error(ErrorCode::RateLimited);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(net.api.account(&account(4)).await.balance.0, 0);
    net.finish().await;
}

#[tokio::test]
async fn bad_addresses_are_refused_and_nothing_is_paid() {
    let net = Net::start().await;
    let faucet = net.localnet.keys().faucet.address;
    let before = net.api.account(&faucet).await;
    let good = account(1).to_string();
    let bad = [
        String::new(),
        "0x".to_owned(),
        good[..65].to_owned(),
        format!("{good}0"),
        good.replace("01", "0g"),
        format!(" {good}"),
        "1".repeat(44),
        "\u{1f980}".repeat(16),
    ];
    for address in bad {
        let body = serde_json::json!({ "address": address }).to_string();
        let answer = send(net.faucet(), &Request::post("/v1/faucet", body)).await;
        answer.error(ErrorCode::InvalidJson);
    }
    assert_eq!(net.api.account(&faucet).await.balance, before.balance);
    net.finish().await;
}

#[tokio::test]
async fn an_empty_faucet_says_what_it_has_left() {
    let net = Net::start_with(|config| {
        // More than it starts with.
        config.faucet.as_mut().unwrap().amount = Shannons(9_000_000_000_000_000);
    })
    .await;
    let error = ask(&net, account(1)).await.error(ErrorCode::FaucetEmpty);
    let left = net.api.account(&net.localnet.keys().faucet.address).await;
    assert_eq!(error.details["left"], left.balance.0);
    let health = send(net.faucet(), &Request::new("GET", "/health")).await;
    assert!(health.is_success());
    net.finish().await;
}
