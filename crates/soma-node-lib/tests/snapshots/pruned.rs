//! Networks whose nodes do not keep all blocks.

use crate::net::{Net, client, url, wait};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_says_that_history_is_pruned_and_a_snapshot_helps() {
    let net = Net::start_with(|config| {
        config.keep_blocks = Some(8);
        config.consensus.sync_interval_ms = 200;
    });
    let net = net.await;
    net.blocks(40).await;
    net.snapshot(2).await;
    let status = net.client().status().await.unwrap();
    assert!(status.lowest_height > 1, "{status:?}");

    let folder = tempfile::tempdir().unwrap();
    let node = net.join(net.joining(folder.path(), &[])).await.unwrap();
    let own = client(&url(&node));
    wait("the complaint", || async {
        let status = own.status().await.unwrap();
        assert_eq!(status.height, 0, "{status:?}");
        status.activity.contains("pruned") && status.activity.contains("snapshot")
    })
    .await;

    let other = tempfile::tempdir().unwrap();
    let helped = net.join(net.joining(other.path(), &[net.url()])).await;
    let helped = helped.unwrap();
    net.blocks(3).await;
    net.followed_by(&helped).await;
    let status = client(&url(&helped)).status().await.unwrap();
    assert!(!status.activity.contains("pruned"), "{status:?}");
    helped.shutdown().await.unwrap();
    node.shutdown().await.unwrap();
    net.localnet.shutdown().await.unwrap();
}
