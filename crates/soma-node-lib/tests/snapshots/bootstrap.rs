//! Nodes that start from a snapshot.

use soma_node::node::{BootstrapError, NodeError, TrustedBlock};
use soma_sdk::types::{Address, Digest, Epoch, Shannons};
use soma_sdk::{BlockName, ProofKey, Trust};

use crate::net::{Net, client, has_snapshot, reached, url};
use crate::tamper::{Answer, Tampering};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_node_starts_from_a_snapshot_under_load_follows_and_gives_it_on() {
    let net = Net::start().await;
    let load = net.load();
    let epoch = net.snapshot(4).await;
    let kept = net.client().snapshots().await.unwrap().snapshots;
    assert!(kept.len() == 2 && kept[0].epoch == epoch, "{kept:?}");
    assert!(kept[0].chunks > 3, "{kept:?}");

    let folder = tempfile::tempdir().unwrap();
    let config = net.joining(folder.path(), &[net.url()]);
    let node = net.join(config.clone()).await.unwrap();
    let height = kept[0].height;
    assert!(node.application().now().height() >= height);
    assert!(!folder.path().join("bootstrap").exists());
    net.blocks(5).await;
    net.followed_by(&node).await;
    let own = client(&url(&node));

    // What it does not have it says, and what it has is right.
    let status = own.status().await.unwrap();
    assert_eq!(status.lowest_height, height + 1);
    for old in [1, height] {
        let error = own.block(BlockName::Height(old), false).await.unwrap_err();
        assert_eq!(error.name(), "Pruned", "{error}");
    }
    let trust = || Trust::Genesis(Box::new(net.genesis()));
    let mut chain = own.follow(trust()).await.unwrap();
    assert!(chain.epoch() > epoch);
    let receiver = Address([7; 32]);
    let sender = net.account(2, &own);
    sender.transfer(receiver, Shannons(5)).await.unwrap();
    let proven = chain.read(ProofKey::Account(receiver)).await.unwrap();
    assert!(proven.value.is_some());

    // It makes the same snapshot by itself, chunk for chunk, and another node starts from that.
    has_snapshot(&own, epoch).await;
    let manifest = own.snapshot(epoch).await.unwrap();
    assert_eq!(manifest, net.client().snapshot(epoch).await.unwrap());
    let last = manifest.chunks.len() - 1;
    for index in [0, last] {
        let chunk = own.snapshot_chunk(&manifest, index).await.unwrap();
        assert_eq!(chunk.len() as u64, manifest.chunks[index].size);
    }
    let third_folder = tempfile::tempdir().unwrap();
    let third = net.joining(third_folder.path(), &[url(&node)]);
    let third = net.join(third).await.unwrap();
    net.followed_by(&third).await;

    // The next epochs come to it, too; after a restart it goes on with its own chain.
    let next = net.end_epochs(1).await;
    drop(load);
    net.followed_by(&node).await;
    has_snapshot(&own, next).await;
    let reached = node.application().now().height();
    node.shutdown().await.unwrap();
    let node = net.join(config).await.unwrap();
    assert!(node.application().now().height() >= reached);
    node.shutdown().await.unwrap();
    third.shutdown().await.unwrap();
    net.localnet.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_without_snapshots_is_joined_by_blocks() {
    let net = Net::start().await;
    net.blocks(3).await;
    let folder = tempfile::tempdir().unwrap();
    let node = net.joining(folder.path(), &[net.url()]);
    let node = net.join(node).await.unwrap();
    net.followed_by(&node).await;
    assert!(node.application().block(1).unwrap().is_some());
    node.shutdown().await.unwrap();

    // Without a place for it, a snapshot is not asked for.
    let mut config = net.joining(folder.path(), &[net.url()]);
    config.data_dir = None;
    let refused = net.join(config).await.err();
    let is_named = matches!(
        refused,
        Some(NodeError::Bootstrap(BootstrapError::NoDataFolder))
    );
    assert!(is_named, "{refused:?}");
    net.localnet.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_broke_goes_on_where_it_was() {
    let net = Net::start().await;
    net.blocks(60).await;
    let load = net.load();
    let epoch = net.snapshot(2).await;
    drop(load);
    let manifest = net.client().snapshot(epoch).await.unwrap();
    let count = manifest.chunks.len();
    assert!(count >= 6, "{count} chunks");
    let is_chunk = |path: &str| path.contains("/chunks/");
    let late = move |path: &str| {
        let index = path.rsplit('/').next().and_then(|text| text.parse().ok());
        is_chunk(path) && index.is_some_and(|index: usize| index >= count / 2)
    };
    let breaks = Tampering::start(net.url(), move |path, bytes| match late(path) {
        true => Answer::Status(404),
        false => Answer::Bytes(bytes),
    });
    let breaks = breaks.await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = net.joining(folder.path(), std::slice::from_ref(&breaks.url));
    // One after the other: what is under way when one fails is given up.
    config.snapshots.parallel = 1;
    let error = net.join(config).await.err().unwrap().to_string();
    assert!(error.contains("404"), "{error}");
    assert!(!folder.path().join("chain").exists());
    let kept = std::fs::read_dir(folder.path().join("bootstrap/chunks"));
    let kept = kept.unwrap().count();
    assert!(kept >= 1, "nothing was kept");

    let works = Tampering::start(net.url(), |_, bytes| Answer::Bytes(bytes)).await;
    let config = net.joining(folder.path(), std::slice::from_ref(&works.url));
    let node = net.join(config).await.unwrap();
    net.followed_by(&node).await;
    let asked = works.asked().into_iter().filter(|path| is_chunk(path));
    let asked = asked.count();
    assert!(asked < count, "{asked} of {count} were asked for again");
    node.shutdown().await.unwrap();
    net.localnet.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_begins_at_a_trusted_block() {
    let net = Net::start().await;
    let epoch = net.snapshot(3).await;
    let source = Tampering::start(net.url(), |_, bytes| Answer::Bytes(bytes)).await;
    let trusted = net.client().handover(Epoch(epoch.0 - 1)).await.unwrap();
    let header = trusted.committee.header;
    let config = |folder: &tempfile::TempDir, trusted| {
        let mut config = net.joining(folder.path(), std::slice::from_ref(&source.url));
        config.trusted_block = Some(trusted);
        config
    };
    let folder = tempfile::tempdir().unwrap();
    let good = TrustedBlock {
        height: header.height,
        digest: soma_chain::header::digest(&header),
    };
    let node = net.join(config(&folder, good)).await.unwrap();
    net.followed_by(&node).await;
    let asked = source.asked();
    // The way from the genesis was not needed.
    assert!(asked.contains(&format!("/v1/epochs/{epoch}/handover")));
    let own = client(&url(&node));
    own.handover(Epoch(epoch.0 - 1)).await.unwrap();
    let error = own.handover(Epoch(0)).await.unwrap_err();
    assert_eq!(error.name(), "NotFound");
    node.shutdown().await.unwrap();

    // A block in the middle of an epoch, while its state can be proven.
    let head = net.localnet.application().now().head;
    net.snapshot(1).await;
    let young = TrustedBlock {
        height: head.header.height,
        digest: head.digest,
    };
    let folder = tempfile::tempdir().unwrap();
    let node = net.join(config(&folder, young)).await.unwrap();
    assert!(node.application().now().height() > young.height);
    node.shutdown().await.unwrap();

    // Another block than the chain has.
    for height in [header.height, head.header.height] {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest([1; 32]);
        let wrong = config(&folder, TrustedBlock { height, digest });
        let error = net.join(wrong).await.err().unwrap().to_string();
        assert!(error.contains("trusted"), "{error}");
        assert!(!folder.path().join("chain").exists());
    }

    // The young one again, when its state is gone.
    net.blocks(20).await;
    let folder = tempfile::tempdir().unwrap();
    let error = net.join(config(&folder, young)).await.err().unwrap();
    let error = error.to_string();
    assert!(error.contains("last block of an epoch"), "{error}");
    assert!(error.contains("/v1/snapshots"), "{error}");
    reached(net.localnet.application(), head.header.height).await;
    net.localnet.shutdown().await.unwrap();
}
