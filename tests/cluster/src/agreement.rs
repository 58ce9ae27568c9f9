//! What the nodes' disks must have in common.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use soma_chain::{Chain, ChainConfig, SledStore};
use soma_crypto::consensus::verify_certificate;
use soma_node::localnet::Cluster;
use soma_types::{Epoch, Genesis, Height};

use crate::load::Acknowledged;

/// Memory for the cache of a store that is only read.
const CACHE_BYTES: u64 = 16 << 20;

/// What the nodes agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Height of each node.
    pub heights: Vec<Height>,
    /// The highest height that all have.
    pub common: Height,
    /// The epoch of that block.
    pub epoch: Epoch,
    /// Acknowledged transfers that were looked for on every node.
    pub acknowledged: usize,
}

/// Reads the chains of all nodes of `cluster`, none of which may run: at every height they have the
/// same block, with a certificate of its committee; epochs follow each other; every acknowledged
/// transfer is in the block that its receipt named, on every node; all SOMA are there.
///
/// # Errors
/// What is not so.
pub fn agreement(cluster: &Cluster, acknowledged: &[Acknowledged]) -> Result<Agreement> {
    let open = |place: usize| {
        let folder = cluster.nodes()[place].folder();
        chain(folder, cluster.genesis()).with_context(|| format!("the chain of node {place}"))
    };
    let chains: Vec<_> = (0..cluster.nodes().len())
        .map(open)
        .collect::<Result<_>>()?;
    let heights: Vec<Height> = chains.iter().map(|c| c.head().header.height).collect();
    let common = heights.iter().copied().min().unwrap_or_default();
    let highest = heights.iter().copied().max().unwrap_or_default();
    let mut epoch = Epoch(0);
    for height in 1..=highest {
        let mut first = None;
        for (place, chain) in chains.iter().enumerate() {
            if height > heights[place] {
                continue;
            }
            let missing = || format!("height {height} of node {place}");
            let reader = chain.reader();
            let block = reader.block(height)?.with_context(missing)?;
            let header = block.header;
            match &first {
                Some(known) => ensure!(
                    *known == header,
                    "node {place} has another block at height {height}"
                ),
                None => {
                    ensure!(
                        header.epoch == epoch || header.epoch == epoch.next(),
                        "height {height} is of epoch {}, the height before of epoch {epoch}",
                        header.epoch
                    );
                    epoch = header.epoch;
                    first = Some(header);
                }
            }
            let certificate = reader.certificate(height)?.with_context(missing)?;
            let committee = reader.committee(header.epoch)?.with_context(missing)?;
            verify_certificate(&certificate, &header, &committee).with_context(missing)?;
        }
    }
    for (place, chain) in chains.iter().enumerate() {
        let reader = chain.reader();
        ensure!(
            reader.recount_supply()? == reader.supply()?,
            "node {place} has lost count of the supply"
        );
        for one in acknowledged {
            let found = reader.transaction(&one.digest)?;
            let (_, receipt) = found.with_context(|| {
                let Acknowledged { digest, height, .. } = one;
                format!("node {place} does not have {digest}, acknowledged in block {height}")
            })?;
            let found = reader.receipts(one.height)?.unwrap_or_default();
            ensure!(
                found.contains(&receipt),
                "on node {place}, {} is not in block {} as its receipt said",
                one.digest,
                one.height
            );
        }
    }
    Ok(Agreement {
        heights,
        common,
        epoch,
        acknowledged: acknowledged.len(),
    })
}

fn chain(folder: &Path, genesis: &Genesis) -> Result<Chain<SledStore>> {
    let store = SledStore::open(folder.join("chain"), CACHE_BYTES)?;
    Ok(Chain::open(store, genesis, ChainConfig::default())?)
}
