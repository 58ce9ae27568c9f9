//! A light client against a network of several validators, one of which it asks.

use soma_node::{Localnet, LocalnetConfig};
use soma_sdk::types::{Address, Digest, Epoch, Shannons, TransactionKind};
use soma_sdk::{BlockName, Client, ProofKey, SdkError, SecretKey, Trust};

async fn network() -> (Localnet, Client) {
    let net = Localnet::start(LocalnetConfig::for_tests()).await.unwrap();
    let client = Client::builder()
        .rpc_url(net.rpc_url())
        .admin_url(net.admin_url().unwrap())
        .build()
        .unwrap();
    (net, client)
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
