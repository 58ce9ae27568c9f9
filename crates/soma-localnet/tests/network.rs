//! All services together.

use soma_localnet::{Network, NetworkConfig, NetworkError};
use soma_sdk::Client;

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
