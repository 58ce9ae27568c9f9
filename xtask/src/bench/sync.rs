//! A node that joins late: by blocks from a peer, and by a snapshot; time and bytes of both.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use soma_crypto::SecretKey;
use soma_node::localnet::{Addresses, LocalnetKeys, NodeProcess, localnet_genesis};
use soma_node::{LocalnetConfig, NodeConfig};
use soma_progress::Progress;
use soma_sdk::{BlockName, Client};
use soma_types::{Genesis, Height, Shannons};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::Measure;
use super::relay::Relay;
use crate::command::program;

/// Accounts that send, each one transfer after the other.
const SENDERS: usize = 4;
/// Length of an epoch in milliseconds: a snapshot is made at each end.
const EPOCH_MS: u64 = 15_000;
/// The longest that anything may take.
const LIMIT: Duration = Duration::from_secs(1_800);
/// How often a node is asked how far it is.
const PAUSE: Duration = Duration::from_millis(20);

/// How much to measure.
#[derive(Args)]
pub(crate) struct Sync {
    /// Heights of the chain that a new node joins.
    #[arg(long, default_value_t = 10_000)]
    heights: u64,
    /// End with one line of JSON for each measure.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What one way of joining took.
struct Joined {
    seconds: f64,
    megabytes: f64,
}

/// The network that is joined.
struct Network<'a> {
    program: &'a Path,
    folder: &'a Path,
    genesis: &'a Genesis,
    config: &'a LocalnetConfig,
    validator: &'a NodeProcess,
    p2p: SocketAddr,
}

impl Sync {
    /// Measures.
    pub(crate) fn measure(&self) -> Result<Vec<Measure>> {
        let program = program("soma-node")?;
        let (height, blocks, snapshot) = Runtime::new()?.block_on(self.joins(&program))?;
        let row = |measure: String, ours, peer: Option<f64>, unit| Measure {
            measure,
            ratio: peer.map(|peer| peer / ours),
            ours,
            peer,
            unit,
        };
        Ok(vec![
            row(
                format!("join_by_blocks_time: from an empty folder to height {height}"),
                blocks.seconds,
                None,
                "s",
            ),
            row(
                "join_by_blocks_bytes: over the network, both directions".to_owned(),
                blocks.megabytes,
                None,
                "MB",
            ),
            row(
                "join_by_snapshot_time: to the same height, peer: by blocks".to_owned(),
                snapshot.seconds,
                Some(blocks.seconds),
                "s",
            ),
            row(
                "join_by_snapshot_bytes: snapshot and the blocks after it, peer: by blocks"
                    .to_owned(),
                snapshot.megabytes,
                Some(blocks.megabytes),
                "MB",
            ),
        ])
    }

    async fn joins(&self, program: &Path) -> Result<(Height, Joined, Joined)> {
        let folder = tempfile::tempdir()?;
        let mut config = LocalnetConfig::for_tests();
        config.accounts = SENDERS;
        config.epoch_duration_ms = Some(EPOCH_MS);
        config.node.log.filter = "info".to_owned();
        config.node.consensus.min_interval_ms = 0;
        let keys = LocalnetKeys::generate(1, SENDERS);
        let genesis = localnet_genesis(&config, &keys);
        let addresses = Addresses::choose(1)?;
        let mut node = config.node.clone();
        addresses.connect(0, &mut node);
        let p2p = addresses.get(0).context("an address")?;
        let port = p2p.rsplit('/').next().context("a port")?;
        let mut validator = NodeProcess::prepare(
            program.to_owned().into(),
            folder.path().join("validator"),
            &genesis,
            node,
            Some(&keys.first().secret_key),
        )?;
        validator.start().await?;
        let client = Client::builder().rpc_url(validator.rpc_url()).build()?;
        let senders: Vec<_> = keys.accounts.iter().map(|a| a.secret_key.clone()).collect();
        grow(&client, senders, self.heights).await?;
        until("a snapshot", || async {
            let kept = client.snapshots().await?.snapshots;
            Ok(kept
                .first()
                .is_some_and(|newest| newest.height >= self.heights))
        })
        .await?;

        let network = Network {
            program,
            folder: folder.path(),
            genesis: &genesis,
            config: &config,
            validator: &validator,
            p2p: SocketAddr::from(([127, 0, 0, 1], port.parse()?)),
        };
        let height = client.status().await?.height;
        let blocks = network.join("by-blocks", height, false).await?;
        let snapshot = network.join("by-snapshot", height, true).await?;
        validator.stop().await;
        Ok((height, blocks, snapshot))
    }
}

/// Makes blocks with a few transfers each, to ever new accounts.
async fn grow(client: &Client, senders: Vec<SecretKey>, heights: Height) -> Result<()> {
    let progress = Progress::new("heights", Some(heights));
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for key in senders {
        let (account, stop) = (client.account(key), Arc::clone(&stop));
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let recipient = SecretKey::generate().address();
                account.transfer(recipient, Shannons(1_000)).await?;
            }
            anyhow::Ok(())
        });
    }
    let since = Instant::now();
    let mut seen = 0;
    while seen < heights {
        ensure!(
            since.elapsed() < LIMIT,
            "the chain grows too slowly: {seen}"
        );
        tokio::time::sleep(10 * PAUSE).await;
        let height = client.status().await?.height;
        progress.add(height.min(heights) - seen.min(heights));
        seen = height;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    progress.finish();
    Ok(())
}

impl Network<'_> {
    /// Starts a node with an empty folder and waits until it has the block at `height`.
    async fn join(&self, name: &str, height: Height, by_snapshot: bool) -> Result<Joined> {
        let from = Ipv4Addr::new(127, 0, 0, if by_snapshot { 3 } else { 2 });
        let peer = Relay::start(self.p2p, from).await?;
        let rpc = self.validator.rpc_url().trim_start_matches("http://");
        let source = Relay::start(rpc.parse()?, from).await?;
        let mut node: NodeConfig = self.config.node.clone();
        node.consensus.listen = "/ip4/127.0.0.1/tcp/0".to_owned();
        node.consensus.persistent_peers =
            vec![format!("/ip4/127.0.0.1/tcp/{}", peer.address().port())];
        node.consensus.discovery = false;
        node.snapshots.enabled = false;
        if by_snapshot {
            node.snapshot_urls = vec![format!("http://{}", source.address())];
        }
        let mut process = NodeProcess::prepare(
            self.program.to_owned().into(),
            self.folder.join(name),
            self.genesis,
            node,
            None,
        )?;
        let since = Instant::now();
        process.start().await?;
        let client = Client::builder().rpc_url(process.rpc_url()).build()?;
        until(name, || async {
            Ok(client.status().await?.height >= height)
        })
        .await?;
        let seconds = since.elapsed().as_secs_f64();
        let megabytes = (peer.bytes() + source.bytes()) as f64 / 1e6;

        let began = client.status().await?.lowest_height;
        ensure!(
            (began > 1) == by_snapshot,
            "{name}: its lowest block is {began}"
        );
        // A block that both have: the newest that came by agreement.
        let newest = client.status().await?.height.max(began);
        let original = Client::builder()
            .rpc_url(self.validator.rpc_url())
            .build()?;
        let name_of = BlockName::Height(newest);
        until("one more block", || async {
            Ok(client.status().await?.height >= newest)
        })
        .await?;
        let (ours, theirs) = (
            client.block(name_of, false).await?,
            original.block(name_of, false).await?,
        );
        ensure!(
            ours.digest == theirs.digest,
            "{name}: another block {name_of}"
        );
        process.stop().await;
        Ok(Joined { seconds, megabytes })
    }
}

async fn until<F: Future<Output = Result<bool>>>(what: &str, holds: impl Fn() -> F) -> Result<()> {
    let since = Instant::now();
    while !holds().await? {
        ensure!(since.elapsed() < LIMIT, "{what} takes too long");
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
