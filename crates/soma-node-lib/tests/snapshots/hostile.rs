//! Sources that lie.

use serde_json::Value;
use soma_api::SnapshotManifest;
use soma_node::NodeError;
use soma_node::node::{BootstrapError, TrustedBlock};
use soma_sdk::types::{Checksum, Digest, Epoch};
use tempfile::TempDir;

use crate::net::Net;
use crate::tamper::{Answer, Tampering};

/// A network with a snapshot whose parts are at hand.
struct Case {
    net: Net,
    manifest: SnapshotManifest,
    chunks: Vec<Vec<u8>>,
}

impl Case {
    async fn new() -> Self {
        // An older one would be taken in its place.
        let net = Net::start_with(|config| config.snapshots.keep = 1).await;
        net.blocks(40).await;
        let epoch = net.snapshot(2).await;
        let client = net.client();
        let manifest = client.snapshot(epoch).await.unwrap();
        let mut chunks = Vec::new();
        for index in 0..manifest.chunks.len() {
            chunks.push(client.snapshot_chunk(&manifest, index).await.unwrap());
        }
        assert!(chunks.len() >= 3, "{} chunks", chunks.len());
        Self {
            net,
            manifest,
            chunks,
        }
    }

    /// The error of a start whose only source changes answers so; nothing may be left that opens.
    async fn refused(
        &self,
        tamper: impl Fn(&str, Vec<u8>) -> Answer + Send + Sync + 'static,
    ) -> String {
        let (error, folder) = self.tried(tamper).await;
        assert!(!folder.path().join("chain").exists(), "a chain is left");
        assert!(!folder.path().join("bootstrap/chain").exists());
        match error {
            NodeError::Bootstrap(error @ BootstrapError::NoSource { .. }) => error.to_string(),
            other => panic!("{other}"),
        }
    }

    async fn tried(
        &self,
        tamper: impl Fn(&str, Vec<u8>) -> Answer + Send + Sync + 'static,
    ) -> (NodeError, TempDir) {
        let source = Tampering::start(self.net.url(), tamper).await;
        let folder = tempfile::tempdir().unwrap();
        let config = self
            .net
            .joining(folder.path(), std::slice::from_ref(&source.url));
        let error = self.net.join(config).await.err();
        (error.expect("it started"), folder)
    }

    /// As [`Case::refused`], with another manifest, and other chunks.
    async fn refused_snapshot(&self, manifest: &SnapshotManifest, chunks: &[Vec<u8>]) -> String {
        let at = format!("/v1/snapshots/{}", self.manifest.epoch);
        let manifest = serde_json::to_vec(manifest).unwrap();
        let chunks = chunks.to_vec();
        let error = self.refused(move |path, bytes| match path.strip_prefix(&at) {
            Some("") => Answer::Bytes(manifest.clone()),
            Some(rest) if rest.starts_with("/chunks/") => {
                let index: usize = rest["/chunks/".len()..].parse().unwrap();
                Answer::Bytes(chunks[index].clone())
            }
            _ => Answer::Bytes(bytes),
        });
        error.await
    }

    /// The snapshot with another chunk, whose size and checksum are named as they are.
    fn with_chunk(&self, index: usize, chunk: Vec<u8>) -> (SnapshotManifest, Vec<Vec<u8>>) {
        let (mut manifest, mut chunks) = (self.manifest.clone(), self.chunks.clone());
        manifest.chunks[index].size = chunk.len() as u64;
        manifest.chunks[index].checksum = soma_crypto::checksum(&chunk);
        chunks[index] = chunk;
        (manifest, chunks)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_is_not_that_of_the_certified_block_is_refused() {
    let case = Case::new().await;
    type Change = fn(&mut SnapshotManifest);
    let changes: [(&str, Change); 11] = [
        ("form", |m| m.format += 1),
        ("chain", |m| m.chain_id.0[0] ^= 1),
        ("epoch", |m| m.epoch = Epoch(m.epoch.0 - 1)),
        ("height", |m| m.height += 1),
        ("digest", |m| m.digest = Digest([1; 32])),
        ("state root", |m| m.state_root = Digest([1; 32])),
        ("0 chunks", |m| m.chunks.clear()),
        ("twice", |m| m.chunks.push(m.chunks[0])),
        ("bytes, not 1 to", |m| m.chunks[1].size = u64::MAX),
        ("bytes, not 1 to", |m| m.chunks[1].content_size = 1 << 40),
        ("max_bytes", |m| {
            for n in 0..2_000_u32 {
                let mut chunk = m.chunks[0];
                chunk.checksum = Checksum(soma_crypto::checksum(n.to_le_bytes()).0);
                chunk.size = 60 << 20;
                m.chunks.push(chunk);
            }
        }),
    ];
    for (reason, change) in changes {
        let mut manifest = case.manifest.clone();
        change(&mut manifest);
        let error = case.refused_snapshot(&manifest, &case.chunks).await;
        assert!(error.contains(reason), "{reason}: {error}");
    }
    case.net.localnet.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_are_not_the_state_are_refused() {
    let case = Case::new().await;
    // Not what the manifest says.
    let mut chunks = case.chunks.clone();
    chunks[1][5] ^= 1;
    let error = case.refused_snapshot(&case.manifest, &chunks).await;
    assert!(error.contains("checksum"), "{error}");
    let mut chunks = case.chunks.clone();
    chunks[1].pop();
    let error = case.refused_snapshot(&case.manifest, &chunks).await;
    assert!(error.contains("bytes"), "{error}");
    let endless = |path: &str, bytes| match path.ends_with("/chunks/1") {
        true => Answer::Endless,
        false => Answer::Bytes(bytes),
    };
    let error = case.refused(endless).await;
    assert!(error.contains("bytes"), "{error}");

    // Lies that fit together: cut off, a bomb, another state, one that is too small.
    let mut cut = case.chunks[1].clone();
    cut.truncate(cut.len() - 3);
    let bomb = zstd::bulk::compress(&vec![0; 100 << 20], 19).unwrap();
    let mut content = zstd::stream::decode_all(case.chunks[1].as_slice()).unwrap();
    *content.last_mut().unwrap() ^= 1;
    let other = zstd::bulk::compress(&content, 3).unwrap();
    for (chunk, reason) in [(cut, "decompress"), (bomb, "decompress"), (other, "root")] {
        let (manifest, chunks) = case.with_chunk(1, chunk);
        let error = case.refused_snapshot(&manifest, &chunks).await;
        assert!(error.contains(reason), "{reason}: {error}");
    }
    let (mut manifest, mut chunks) = (case.manifest.clone(), case.chunks.clone());
    manifest.chunks.remove(1);
    chunks.remove(1);
    let error = case.refused_snapshot(&manifest, &chunks).await;
    assert!(error.contains("root"), "{error}");
    let (mut manifest, mut chunks) = (case.manifest.clone(), case.chunks.clone());
    manifest.chunks.swap(0, 1);
    chunks.swap(0, 1);
    let error = case.refused_snapshot(&manifest, &chunks).await;
    assert!(error.contains("order"), "{error}");
    case.net.localnet.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_is_not_certified_is_refused() {
    let case = Case::new().await;
    let change = |changed: fn(&mut Value)| {
        move |path: &str, bytes: Vec<u8>| {
            if !path.ends_with("/epochs/1/handover") {
                return Answer::Bytes(bytes);
            }
            let mut value: Value = serde_json::from_slice(&bytes).unwrap();
            changed(&mut value);
            Answer::Bytes(serde_json::to_vec(&value).unwrap())
        }
    };
    let root = change(|value| {
        value["committee"]["header"]["state_root"] = Digest([1; 32]).to_string().into();
    });
    case.refused(root).await;
    let height = change(|value| {
        let height = &mut value["committee"]["header"]["height"];
        *height = (height.as_u64().unwrap() + 1).into();
    });
    case.refused(height).await;
    let unsigned = change(|value| value["certificate"]["signatures"] = Value::Array(Vec::new()));
    let error = case.refused(unsigned).await;
    assert!(error.contains("power"), "{error}");
    // The hand-over of another epoch in its place.
    let first = case.net.client().handover(Epoch(0)).await.unwrap();
    let url = format!("{}/v1/epochs/0/handover", case.net.url());
    let first_text = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    assert_eq!(first.committee.header.epoch, Epoch(0));
    let other = move |path: &str, bytes| match path.ends_with("/epochs/1/handover") {
        true => Answer::Bytes(first_text.to_vec()),
        false => Answer::Bytes(bytes),
    };
    let error = case.refused(other).await;
    assert!(error.contains("epoch"), "{error}");
    case.refused(|_, _| Answer::Bytes(b"{".to_vec())).await;
    case.refused(|_, _| Answer::Status(403)).await;
    case.net.localnet.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_block_cannot_be_made_one_of_an_old_epoch() {
    let case = Case::new().await;
    let head = case.net.localnet.application().now().head;
    assert!(head.header.epoch > Epoch(0));
    let at = format!("/v1/blocks/{}", head.header.height);
    let source = Tampering::start(case.net.url(), move |path, bytes| {
        if path != at {
            return Answer::Bytes(bytes);
        }
        let mut value: Value = serde_json::from_slice(&bytes).unwrap();
        value["header"]["epoch"] = 0.into();
        Answer::Bytes(serde_json::to_vec(&value).unwrap())
    });
    let source = source.await;
    let folder = tempfile::tempdir().unwrap();
    let sources = std::slice::from_ref(&source.url);
    let mut config = case.net.joining(folder.path(), sources);
    config.trusted_block = Some(TrustedBlock {
        height: head.header.height,
        digest: head.digest,
    });
    let error = case.net.join(config).await.err().expect("it started");
    let error = error.to_string();
    assert!(error.contains("not the trusted"), "{error}");
    assert!(!folder.path().join("chain").exists());
    case.net.localnet.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_names_many_snapshots_hides_none_of_the_others() {
    let case = Case::new().await;
    let boast = Tampering::start(case.net.url(), |path, bytes| match path {
        "/v1/snapshots" => {
            let mut value: Value = serde_json::from_slice(&bytes).unwrap();
            let newest = value["snapshots"][0].clone();
            let invented = (1..=9_u64).map(|back| {
                let mut one = newest.clone();
                one["epoch"] = (u64::MAX - back).into();
                one
            });
            value["snapshots"] = invented.collect();
            Answer::Bytes(serde_json::to_vec(&value).unwrap())
        }
        _ => Answer::Bytes(bytes),
    });
    let boast = boast.await;
    for sources in [
        [boast.url.clone(), case.net.url()],
        [case.net.url(), boast.url.clone()],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = case.net.joining(folder.path(), &sources);
        let node = case.net.join(config).await.unwrap();
        assert!(node.application().now().height() >= case.manifest.height);
        node.shutdown().await.unwrap();
    }
    case.net.localnet.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_sources_cost_time_and_no_more() {
    let case = Case::new().await;
    let url = case.net.url();
    // The newest snapshot of all, which does not exist, and wrong chunks of the one that does.
    let boast = Tampering::start(url.clone(), |path, bytes| match path {
        "/v1/snapshots" => {
            let mut value: Value = serde_json::from_slice(&bytes).unwrap();
            let mut newer = value["snapshots"][0].clone();
            newer["epoch"] = (u64::MAX - 1).into();
            value["snapshots"].as_array_mut().unwrap().push(newer);
            Answer::Bytes(serde_json::to_vec(&value).unwrap())
        }
        path if path.contains("/chunks/") => Answer::Bytes(vec![0; bytes.len()]),
        _ => Answer::Bytes(bytes),
    });
    let boast = boast.await;
    // Another state, whose manifest and chunks fit together.
    let mut content = zstd::stream::decode_all(case.chunks[0].as_slice()).unwrap();
    *content.last_mut().unwrap() ^= 1;
    let (manifest, chunks) = case.with_chunk(0, zstd::bulk::compress(&content, 3).unwrap());
    let (manifest, chunk) = (serde_json::to_vec(&manifest).unwrap(), chunks[0].clone());
    let at = format!("/v1/snapshots/{}", case.manifest.epoch);
    let liar = Tampering::start(url.clone(), move |path, bytes| {
        match path.strip_prefix(&at) {
            Some("") => Answer::Bytes(manifest.clone()),
            Some("/chunks/0") => Answer::Bytes(chunk.clone()),
            _ => Answer::Bytes(bytes),
        }
    });
    let liar = liar.await;
    let other = Net::start().await;
    other.snapshot(1).await;
    let nobody = "http://127.0.0.1:1".to_owned();
    let sources = [
        nobody,
        other.url(),
        boast.url.clone(),
        liar.url.clone(),
        url,
    ];
    for turn in 0..sources.len() {
        let mut sources = sources.to_vec();
        sources.rotate_left(turn);
        let folder = tempfile::tempdir().unwrap();
        let config = case.net.joining(folder.path(), &sources);
        let node = case.net.join(config).await.unwrap();
        assert!(node.application().now().height() >= case.manifest.height);
        node.shutdown().await.unwrap();
    }
    other.localnet.shutdown().await.unwrap();
    case.net.localnet.shutdown().await.unwrap();
}
