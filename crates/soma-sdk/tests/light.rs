//! A light client against a network of several validators, one of which it asks.

use std::sync::Arc;

use serde_json::Value;
use soma_node::{Localnet, LocalnetConfig};
use soma_sdk::types::{Address, Digest, Epoch, Shannons, TransactionKind};
use soma_sdk::{BlockName, Client, ProofKey, SdkError, SecretKey, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn network() -> (Localnet, Client) {
    let net = Localnet::start(LocalnetConfig::for_tests()).await.unwrap();
    let client = Client::builder()
        .rpc_url(net.rpc_url())
        .admin_url(net.admin_url().unwrap())
        .build()
        .unwrap();
    (net, client)
}

/// The node at `url`, but that the answer to `path` is `lie`. It ends with the test.
async fn lying(url: String, path: String, lie: Value) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let (url, path, lie) = (Arc::new(url), Arc::new(path), Arc::new(lie.to_string()));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (url, path, lie) = (Arc::clone(&url), Arc::clone(&path), Arc::clone(&lie));
            tokio::spawn(async move { answer(stream, &url, &path, &lie).await });
        }
    });
    Client::builder().rpc_url(own).build().unwrap()
}

/// Answers one request.
async fn answer(mut stream: TcpStream, url: &str, path: &str, lie: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let asked = head.split(' ').nth(1).unwrap();
    let (status, body) = match asked == path {
        true => (200, lie.to_owned()),
        false => {
            let found = reqwest::get(format!("{url}{asked}")).await.unwrap();
            (found.status().as_u16(), found.text().await.unwrap())
        }
    };
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// The answer of an honest node.
async fn answered(url: &str, path: &str) -> Value {
    let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_genesis_is_all_that_is_trusted() {
    let (net, client) = network().await;
    let genesis = net.application().chain().genesis().clone();
    let trust = Trust::Genesis(Box::new(genesis.clone()));
    let mut chain = client.follow(trust.clone()).await.unwrap();
    assert_eq!(chain.epoch(), Epoch(0));

    let alice = client.account(net.keys().accounts[0].secret_key.clone());
    let receiver = Address([7; 32]);
    alice.transfer(receiver, Shannons(5)).await.unwrap();
    for _ in 0..3 {
        client.advance_epoch().await.unwrap();
    }
    alice.transfer(receiver, Shannons(6)).await.unwrap();
    let proven = chain.read(ProofKey::Account(receiver)).await.unwrap();
    assert_eq!(chain.epoch(), Epoch(3));
    let account = client.verified_account(receiver).await.unwrap();
    assert_eq!(account.value.unwrap().balance, Shannons(11));
    assert_eq!(proven.header.epoch, Epoch(3));
    assert!(proven.value.is_some());
    let absent = ProofKey::Account(SecretKey::generate().address());
    assert_eq!(chain.read(absent).await.unwrap().value, None);
    // Blocks of all epochs since the start.
    for height in 1..=proven.header.height {
        let header = chain.header(height).await.unwrap();
        assert_eq!(header.height, height);
    }

    // Another genesis, another chain.
    let mut other = genesis;
    other.time_ms += 1;
    let other = client.follow(Trust::Genesis(Box::new(other))).await;
    assert!(matches!(other.err(), Some(SdkError::Light(_))));
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_trusted_block_takes_the_place_of_the_genesis() {
    let (net, client) = network().await;
    for _ in 0..2 {
        client.advance_epoch().await.unwrap();
    }
    let handover = client.handover(Epoch(0)).await.unwrap();
    let last = handover.committee.header.height;
    let block = client.block(BlockName::Height(last), false).await.unwrap();
    let trust = |height, digest| client.follow(Trust::Block { height, digest });
    let chain = trust(last, block.digest).await.unwrap();
    assert_eq!(chain.epoch(), Epoch(2));
    assert!(chain.committee(Epoch(0)).is_none());
    assert_eq!(chain.committee(Epoch(1)).unwrap().members.len(), 1);

    let head = client.status().await.unwrap();
    let mut chain = trust(head.height, head.digest).await.unwrap();
    let early = chain.header(1).await.unwrap_err();
    assert!(matches!(early, SdkError::InvalidArgument(_)), "{early}");
    let wrong = trust(head.height, Digest([1; 32])).await;
    assert!(matches!(wrong.err(), Some(SdkError::Light(_))));
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_trusted_block_cannot_be_made_one_of_an_old_epoch() {
    let (net, client) = network().await;
    for _ in 0..2 {
        client.advance_epoch().await.unwrap();
    }
    let status = client.status().await.unwrap();
    let (height, digest) = (status.height, status.digest);
    let path = format!("/v1/blocks/{height}");
    let mut block = answered(&net.rpc_url(), &path).await;
    assert_ne!(block["header"]["epoch"], 0);
    // What it says of the state stays true, and the first committee is still in it.
    block["header"]["epoch"] = 0.into();
    let liar = lying(net.rpc_url(), path, block).await;
    let old = liar.proof(ProofKey::Committee(Epoch(0)), Some(height));
    assert!(old.await.unwrap().value.is_some());
    let followed = liar.follow(Trust::Block { height, digest }).await;
    let error = followed.err().expect("it starts in epoch 0");
    assert!(matches!(error, SdkError::Light(_)), "{error}");
    assert!(error.to_string().contains("not the trusted"), "{error}");
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn another_final_block_is_no_answer() {
    let (net, client) = network().await;
    let genesis = net.application().chain().genesis().clone();
    let alice = client.account(net.keys().accounts[0].secret_key.clone());
    for _ in 0..2 {
        alice.transfer(Address([7; 32]), Shannons(5)).await.unwrap();
    }
    // As final as the one that is asked for.
    let other = answered(&net.rpc_url(), "/v1/blocks/1").await;
    let liar = lying(net.rpc_url(), "/v1/blocks/2".to_owned(), other).await;
    let mut chain = liar
        .follow(Trust::Genesis(Box::new(genesis)))
        .await
        .unwrap();
    let committee = chain.committee(Epoch(0)).unwrap().clone();
    for given in [
        chain.header(2).await,
        liar.final_header(2, &committee).await,
    ] {
        let error = given.expect_err("block 1 in the place of block 2");
        assert!(
            matches!(error, SdkError::UnexpectedAnswer { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("block 1, not 2"), "{error}");
    }
    assert_eq!(chain.header(1).await.unwrap().height, 1);
    assert_eq!(liar.final_header(1, &committee).await.unwrap().height, 1);
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_forged_handover_is_refused() {
    let (net, client) = network().await;
    let genesis = net.application().chain().genesis().clone();
    let trust = Trust::Genesis(Box::new(genesis));
    let mut chain = client.follow(trust).await.unwrap();
    let alice = client.account(net.keys().accounts[0].secret_key.clone());
    let kind = TransactionKind::Transfer {
        recipient: Address([7; 32]),
        amount: Shannons(1),
    };
    alice.execute(kind).await.unwrap();
    client.advance_epoch().await.unwrap();
    client.advance_epoch().await.unwrap();
    let good = client.handover(Epoch(0)).await.unwrap();
    let next = client.handover(Epoch(1)).await.unwrap();

    let mut forged = good.clone();
    forged.certificate = next.certificate.clone();
    assert!(matches!(chain.advance(&forged), Err(SdkError::Light(_))));
    let mut forged = good.clone();
    forged.committee = next.committee.clone();
    assert!(matches!(chain.advance(&forged), Err(SdkError::Light(_))));
    let mut forged = good.clone();
    let value = forged.committee.value.as_mut().unwrap();
    *value.last_mut().unwrap() ^= 1;
    assert!(matches!(chain.advance(&forged), Err(SdkError::Light(_))));
    assert!(matches!(chain.advance(&next), Err(SdkError::Light(_))));
    assert_eq!(chain.epoch(), Epoch(0));
    chain.advance(&good).unwrap();
    chain.advance(&next).unwrap();
    assert_eq!(chain.epoch(), Epoch(2));
    net.shutdown().await.unwrap();
}
