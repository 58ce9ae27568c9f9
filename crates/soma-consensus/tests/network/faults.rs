//! What stops, starts again, or comes late.

use std::time::Duration;

use soma_tests::world::Setup;

use crate::net::Network;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_four_may_be_away_and_catches_up() {
    let mut network = Network::new(Setup::default(), 0);
    network.start_all().await;
    network.advance(0, 3).await;
    network.stop(3).await;
    network.advance(0, 6).await;
    let height = network.height(0);
    network.start(3).await;
    network.reach(height).await;
    network.advance(3, 3).await;
    network.check_agreement();
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_nothing_is_decided_until_it_is_back() {
    let mut network = Network::new(Setup::default(), 0);
    network.start_all().await;
    network.advance(0, 3).await;
    network.stop(2).await;
    network.stop(3).await;
    // What is in flight may still be decided.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let height = network.height(0);
    let transfer = network.transfer();
    network.send(0, transfer);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(network.height(0), height);
    network.start_all().await;
    network.reach(height + 1).await;
    network.advance(2, 3).await;
    network.check_agreement();
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_stop_at_once_and_nothing_final_is_lost() {
    let mut network = Network::new(Setup::default(), 0);
    let mut last = 0;
    for _ in 0..3 {
        network.start_all().await;
        for place in 0..4 {
            assert!(network.height(place) + 1 >= last, "a final block was lost");
        }
        network.advance(1, 4).await;
        last = network.height(1);
        network.stop_all().await;
    }
    network.start_all().await;
    network.reach(last).await;
    network.check_agreement();
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_comes_late_has_all_blocks() {
    let mut network = Network::new(Setup::default(), 1);
    for place in 0..4 {
        network.start(place).await;
    }
    network.advance(0, 30).await;
    let height = network.height(0);
    network.start(4).await;
    network.reach(height).await;
    network.advance(4, 3).await;
    network.check_agreement();
    network.stop_all().await;
}
