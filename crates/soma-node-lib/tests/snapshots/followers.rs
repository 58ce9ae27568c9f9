//! Nodes without keys, and validators behind them.

use soma_node::localnet::Addresses;
use soma_node::localnet::{LocalnetKeys, localnet_genesis};
use soma_node::{LocalnetConfig, Node, NodeKeys};
use soma_sdk::types::{Address, Shannons};
use soma_sdk::{EventRequest, ProofKey, Trust};

use crate::net::{client, reached, url, wait};

/// validator ◀─▶ near ◀─▶ far ◀─ client
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_hides_behind_a_full_node_and_still_makes_the_blocks() {
    let mut config = LocalnetConfig::for_tests();
    config.node.consensus.sync_interval_ms = 200;
    let keys = LocalnetKeys::generate(1, 1);
    let genesis = localnet_genesis(&config, &keys);
    // The validator, the full node near it, one that is far, and a stranger.
    let addresses = Addresses::choose(4).unwrap();
    let at = |index: usize| addresses.get(index).unwrap().to_owned();
    let place = |index: usize, peers: &[usize]| {
        let mut node = config.node.clone();
        addresses.connect(index, &mut node);
        node.consensus.persistent_peers = peers.iter().map(|peer| at(*peer)).collect();
        node
    };
    let start = |node, keys| Node::start_as(genesis.clone(), node, keys);
    let mut hidden = place(0, &[1]);
    hidden.consensus.persistent_peers_only = true;
    let key = keys.validators[0].secret_key.clone();
    let hidden = start(hidden, NodeKeys::of_validator(key)).await.unwrap();
    let near = start(place(1, &[0]), NodeKeys::default()).await.unwrap();
    let far = start(place(2, &[1]), NodeKeys::default()).await.unwrap();
    // It knows where the validator is, and is not let in.
    let stranger = start(place(3, &[0]), NodeKeys::default()).await.unwrap();

    let [hidden_api, near_api, far_api, stranger_api] =
        [&hidden, &near, &far, &stranger].map(|node| client(&url(node)));
    wait("connections", || async {
        near_api.peers().await.unwrap().peers.len() == 2
    })
    .await;
    let mut events = far_api
        .events(EventRequest {
            types: vec!["block".to_owned()],
            ..EventRequest::default()
        })
        .await
        .unwrap();
    let sender = far_api.account(keys.accounts[0].secret_key.clone());
    let receiver = Address([7; 32]);
    for amount in 1..=5 {
        let receipt = sender.transfer(receiver, Shannons(amount)).await.unwrap();
        reached(hidden.application(), receipt.height).await;
    }
    events.next().await.unwrap();
    let balance =
        |api: soma_sdk::Client| async move { api.balance(&receiver).await.unwrap().balance };
    for node in [&near, &far] {
        reached(node.application(), hidden.application().now().height()).await;
    }
    for api in [&hidden_api, &near_api, &far_api] {
        assert_eq!(balance(api.clone()).await, Shannons(15));
    }
    // Whoever asks the far node need not believe it.
    let trust = Trust::Genesis(Box::new(genesis.clone()));
    let mut chain = far_api.follow(trust).await.unwrap();
    let proven = chain.read(ProofKey::Account(receiver)).await.unwrap();
    assert!(proven.value.is_some());
    let status = far_api.status().await.unwrap();
    assert_eq!(status.consensus.validator, None);
    assert!(!status.consensus.is_voting);

    // The stranger calls again and again; each time it is sent away.
    wait("only the near node at the validator", || async {
        hidden_api.peers().await.unwrap().peers.len() == 1
    })
    .await;
    wait("no peer at the stranger", || async {
        stranger_api.status().await.unwrap().consensus.peers == 0
    })
    .await;
    // It may catch a block before that, and no more.
    let stranger_status = stranger_api.status().await.unwrap();
    let newest = hidden.application().now().height();
    assert!(stranger_status.height < newest, "{stranger_status:?}");
    for node in [stranger, far, near, hidden] {
        node.shutdown().await.unwrap();
    }
}
