//! What a healthy network does.

use soma_tests::world::Setup;

use crate::net::{Network, now_ms};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_and_a_follower_agree_on_every_block() {
    let mut network = Network::new(Setup::default(), 1);
    network.start_all().await;
    // Whichever node a client talks to, its transactions reach the proposer.
    for place in 0..5 {
        network.advance(place, 4).await;
    }
    network.check_agreement();
    assert!(network.running(4).handle.observer().validator().is_none());
    let status = *network.running(0).handle.observer().status().borrow();
    assert!(status.is_validator && status.height > 10);
    assert_eq!(network.running(0).handle.observer().peers().await.len(), 4);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_alone_makes_blocks_and_goes_on_after_a_restart() {
    let setup = Setup {
        validators: 1,
        ..Setup::default()
    };
    let mut network = Network::new(setup, 0);
    network.start(0).await;
    network.advance(0, 10).await;
    network.stop(0).await;
    network.start(0).await;
    assert!(network.height(0) >= 10);
    network.advance(0, 10).await;
    network.check_agreement();
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_begins_at_its_time_and_not_before() {
    let begin_ms = now_ms() + 3_000;
    let setup = Setup {
        validators: 2,
        time_ms: begin_ms,
        ..Setup::default()
    };
    let mut network = Network::new(setup, 0);
    // Who waits can be stopped.
    network.start_all().await;
    network.stop_all().await;
    network.start_all().await;
    network
        .wait("the first block", |network| network.height(0) > 0)
        .await;
    assert!(now_ms() >= begin_ms);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_network_makes_no_blocks() {
    let mut network = Network::new(Setup::default(), 0);
    network.start_all().await;
    network.advance(0, 3).await;
    let height = network.height(0);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    network.reach(height).await;
    assert!(network.height(0) <= height + 1, "{height}");
    network.stop_all().await;
}
