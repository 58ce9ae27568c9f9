//! All services together.

use soma_localnet::{Network, NetworkConfig, NetworkError, NodeProgram};
use soma_sdk::types::{Epoch, Shannons};
use soma_sdk::{BlockName, Client};

fn client(network: &Network) -> Client {
    Client::builder()
        .rpc_url(network.node().rpc_url())
        .scoring_url(network.scorer_url().unwrap())
        .build()
        .unwrap()
}

#[tokio::test]
async fn all_services_answer_once_it_is_started() {
    let network = Network::start(NetworkConfig::for_tests()).await.unwrap();
    let client = client(&network);
    assert!(client.health().await.unwrap());
    assert!(client.scorer_health().await.unwrap());
    let info = client.scorer_info().await.unwrap();
    let parameters = client.parameters().await.unwrap();
    assert_eq!(info.model_size, "small");
    assert_eq!(info.embedding_dim as u64, parameters.target_embedding_dim);
    let url = format!("{}/blobs/unknown", network.blobs_url().unwrap());
    assert!(reqwest::get(url).await.unwrap().status().is_client_error());
    network.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_size_of_models_is_that_of_the_genesis() {
    let folder = tempfile::tempdir().unwrap();
    let config = |size: Option<&str>| {
        let mut config = NetworkConfig::for_tests();
        config.node.data_dir = Some(folder.path().to_owned());
        config.node.small_model = false;
        config.model_size = size.map(str::to_owned);
        config
    };
    let network = Network::start(config(Some("mini"))).await.unwrap();
    network.shutdown().await.unwrap();

    let network = Network::start(config(None)).await.unwrap();
    assert_eq!(network.model_size(), "mini");
    assert_eq!(
        client(&network).scorer_info().await.unwrap().model_size,
        "mini"
    );
    network.shutdown().await.unwrap();

    let other = Network::start(config(Some("base"))).await;
    assert!(matches!(other, Err(NetworkError::Fixed { .. })));
    let unknown = Network::start(NetworkConfig {
        model_size: Some("huge".to_owned()),
        ..NetworkConfig::for_tests()
    });
    assert!(matches!(unknown.await, Err(NetworkError::Size(_))));
}

#[tokio::test]
async fn four_validators_agree_and_epochs_end_at_once_for_all() {
    let mut config = NetworkConfig::for_tests();
    config.node.validators = Some(4);
    config.scorer = None;
    let network = Network::start(config).await.unwrap();
    let first = Client::builder()
        .rpc_url(network.node().rpc_url())
        .admin_url(network.node().admin_url().unwrap())
        .build()
        .unwrap();
    let validators = network.rpc_urls().into_iter();
    let validators: Vec<_> = validators
        .map(|url| Client::builder().rpc_url(url).build().unwrap())
        .collect();
    assert_eq!(validators.len(), 4);

    let accounts = &network.node().keys().accounts;
    let sender = validators[3].account(accounts[0].secret_key.clone());
    let receipt = sender.transfer(accounts[1].address, Shannons(7)).await;
    let receipt = receipt.unwrap();
    first.advance_epoch().await.unwrap();
    let head = first.status().await.unwrap();
    assert_eq!(head.epoch, Epoch(1));
    for validator in &validators {
        while validator.status().await.unwrap().height < head.height {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let found = validator.transaction(&receipt.transaction).await.unwrap();
        assert_eq!(found.receipt.unwrap().height, receipt.height);
        let block = validator.block(BlockName::Height(head.height), false).await;
        assert_eq!(block.unwrap().digest, head.digest);
        let consensus = validator.status().await.unwrap().consensus;
        assert!(consensus.is_voting && consensus.peers == 3);
        assert_eq!(validator.peers().await.unwrap().peers.len(), 3);
    }
    network.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_single_validator_listens_where_its_genesis_says_at_every_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut listed = None;
    for _ in 0..2 {
        let mut config = NetworkConfig::for_tests();
        config.node.data_dir = Some(folder.path().to_owned());
        config.scorer = None;
        let network = Network::start(config).await.unwrap();
        let genesis = network.node().application().chain().genesis();
        let address = genesis.validators[0].metadata.p2p_address.to_string();
        assert_eq!(network.node().addresses().get(0), Some(address.as_str()));
        let port = address.strip_prefix("/ip4/127.0.0.1/tcp/").unwrap();
        // It may begin to listen a moment after the API answers.
        let connect = || tokio::net::TcpStream::connect(format!("127.0.0.1:{port}"));
        while connect().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(listed.get_or_insert_with(|| address.clone()), &address);
        network.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_network_with_a_validator_that_ends_at_once_does_not_start() {
    let mut config = NetworkConfig::for_tests();
    config.node.validators = Some(2);
    config.scorer = None;
    config.program = Some(NodeProgram {
        path: "/bin/sh".into(),
        arguments: vec!["-c".into(), "echo 'Error: no key' >&2; exit 3".into()],
    });
    match Network::start(config).await.err().unwrap() {
        NetworkError::Validator { number: 2, reason } => {
            assert!(reason.contains("no key"), "{reason}");
        }
        other => panic!("{other}"),
    }
}
