//! The values that options may have: nothing can be done with others.

use std::ops::RangeInclusive;

use soma_types::Bps;
use tokio::sync::Semaphore;

use super::{NodeConfig, NodeError};
use crate::snapshots::LARGEST_CHUNK;

/// The most that a semaphore counts.
const MOST_PLACES: u64 = Semaphore::MAX_PERMITS as u64;

/// An option's name with that of its section, its value, and the values that it may have.
type Limited = (&'static str, u64, RangeInclusive<u64>);

/// Refuses the first value out of its range.
///
/// # Errors
/// [`NodeError::Option`].
pub(super) fn check(config: &NodeConfig) -> Result<(), NodeError> {
    let keep_blocks = config.keep_blocks.into_iter();
    let keep_blocks = keep_blocks.map(|blocks| at_least_one("keep_blocks", blocks));
    let options = keep_blocks
        .chain(node(config))
        .chain(rpc(config))
        .chain(mempool(config))
        .chain(work(config));
    for (name, value, range) in options {
        if !range.contains(&value) {
            return Err(NodeError::Option { name, value, range });
        }
    }
    Ok(())
}

fn node(config: &NodeConfig) -> [Limited; 2] {
    [
        ("cache_bytes", config.cache_bytes, 1 << 20..=u64::MAX),
        at_least_one("idle_block_interval_ms", config.idle_block_interval_ms),
    ]
}

fn rpc(config: &NodeConfig) -> [Limited; 11] {
    let rpc = &config.rpc;
    let (guard, serve) = (&rpc.guard, &rpc.serve);
    [
        places("rpc.serve.max_connections", serve.max_connections),
        at_least_one("rpc.serve.head_timeout_ms", serve.head_timeout_ms),
        at_least_one("rpc.serve.idle_timeout_ms", serve.idle_timeout_ms),
        places(
            "rpc.guard.max_concurrent_requests",
            guard.max_concurrent_requests,
        ),
        at_least_one("rpc.guard.max_body_bytes", guard.max_body_bytes),
        at_least_one("rpc.guard.request_timeout_ms", guard.request_timeout_ms),
        at_least_one("rpc.guard.body_timeout_ms", guard.body_timeout_ms),
        at_least_one("rpc.max_page", rpc.max_page),
        at_least_one("rpc.max_page_with_embeddings", rpc.max_page_with_embeddings),
        places_or_none("rpc.max_waiting", rpc.max_waiting),
        places_or_none("rpc.max_event_streams", rpc.max_event_streams),
    ]
}

fn mempool(config: &NodeConfig) -> [Limited; 7] {
    let mempool = &config.mempool;
    let percent = mempool.max_parked_percent.into();
    let sender = mempool.max_sender_transactions;
    [
        at_least_one("mempool.max_transactions", mempool.max_transactions),
        at_least_one("mempool.max_bytes", mempool.max_bytes),
        at_least_one("mempool.max_sender_transactions", sender),
        at_least_one("mempool.max_sender_bytes", mempool.max_sender_bytes),
        at_least_one("mempool.max_sender_duties", mempool.max_sender_duties),
        ("mempool.max_parked_percent", percent, 0..=100),
        at_least_one("mempool.max_age_blocks", mempool.max_age_blocks),
    ]
}

/// Audit, blobs and snapshots.
fn work(config: &NodeConfig) -> [Limited; 13] {
    let (audit, blobs, snapshots) = (&config.audit, &config.blobs, &config.snapshots);
    let whole = Bps::WHOLE.get().into();
    let chunk = number(snapshots.chunk_bytes);
    [
        ("audit.sample_bps", audit.sample_bps.into(), 0..=whole),
        at_least_one("audit.concurrency", audit.concurrency),
        at_least_one("audit.scorer_timeout_ms", audit.scorer_timeout_ms),
        at_least_one("blobs.max_bytes", blobs.max_bytes),
        places("blobs.parallel", blobs.parallel),
        places_or_none("blobs.max_streams", blobs.max_streams),
        at_least_one("blobs.tries", blobs.tries),
        at_least_one("snapshots.every_epochs", snapshots.every_epochs),
        at_least_one("snapshots.keep", snapshots.keep),
        ("snapshots.chunk_bytes", chunk, 1..=LARGEST_CHUNK as u64),
        places_or_none("snapshots.max_streams", snapshots.max_streams),
        at_least_one("snapshots.parallel", snapshots.parallel),
        at_least_one("snapshots.max_bytes", snapshots.max_bytes),
    ]
}

/// An option that nothing works without.
fn at_least_one(name: &'static str, value: impl TryInto<u64>) -> Limited {
    (name, number(value), 1..=u64::MAX)
}

/// An option of which a semaphore keeps count.
fn places(name: &'static str, value: usize) -> Limited {
    (name, number(value), 1..=MOST_PLACES)
}

/// As [`places`], of an option that may be 0: then nobody is served.
fn places_or_none(name: &'static str, value: usize) -> Limited {
    (name, number(value), 0..=MOST_PLACES)
}

fn number(value: impl TryInto<u64>) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}
