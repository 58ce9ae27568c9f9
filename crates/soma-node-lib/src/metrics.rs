//! Numbers of a running node, served at `/metrics` in the OpenMetrics text format.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use soma_service::{RequestMetrics, encoded};

use crate::audit::AuditMetrics;
use crate::peer_metrics::PeerMetrics;

/// Labels of executed transactions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    /// The kind, such as `transfer`.
    pub kind: &'static str,
    /// `success`, or the name of the execution error.
    pub outcome: &'static str,
}

type SignedGauge = Gauge<i64>;
type HighGauge = Gauge<u64, AtomicU64>;

/// The metrics of a node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Height of the newest block.
    pub height: HighGauge,
    /// The current epoch.
    pub epoch: HighGauge,
    /// Transactions executed, by kind and outcome.
    pub transactions: Family<OutcomeLabels, Counter>,
    /// Time between a block and the one before it.
    pub block_interval: Histogram,
    /// Transactions of a block.
    pub block_transactions: Histogram,
    /// Waiting transactions.
    pub mempool_transactions: SignedGauge,
    /// Bytes of waiting transactions.
    pub mempool_bytes: SignedGauge,
    /// Transactions refused by the mempool.
    pub mempool_refused: Counter,
    /// Connected peers.
    pub peers: SignedGauge,
    /// Round of the height that is being decided.
    pub round: HighGauge,
    /// What peers did that they must not.
    pub misbehaviour: PeerMetrics,
    /// Requests of the RPC service.
    pub requests: RequestMetrics,
    /// Open event streams.
    pub event_streams: SignedGauge,
    /// The audit.
    pub audit: AuditMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("soma");
        let seconds = || Histogram::new(exponential_buckets(0.000_5, 2.0, 16));
        let metrics = Self {
            height: HighGauge::default(),
            peers: SignedGauge::default(),
            round: HighGauge::default(),
            epoch: HighGauge::default(),
            transactions: Family::default(),
            block_interval: seconds(),
            block_transactions: Histogram::new(exponential_buckets(1.0, 4.0, 9)),
            mempool_transactions: SignedGauge::default(),
            mempool_bytes: SignedGauge::default(),
            mempool_refused: Counter::default(),
            misbehaviour: PeerMetrics::registered(&mut registry),
            requests: RequestMetrics::registered(&mut registry),
            event_streams: SignedGauge::default(),
            audit: AuditMetrics::registered(&mut registry),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register(
            "height",
            "Height of the newest block",
            metrics.height.clone(),
        );
        r.register("peers", "Connected peers", metrics.peers.clone());
        r.register(
            "consensus_round",
            "Round of the height that is being decided",
            metrics.round.clone(),
        );
        r.register("epoch", "The current epoch", metrics.epoch.clone());
        r.register(
            "transactions",
            "Transactions executed, by kind and outcome",
            metrics.transactions.clone(),
        );
        r.register_with_unit(
            "block_interval",
            "Time between a block and the one before it",
            Unit::Seconds,
            metrics.block_interval.clone(),
        );
        r.register(
            "block_transactions",
            "Transactions of a block",
            metrics.block_transactions.clone(),
        );
        r.register(
            "mempool_transactions",
            "Waiting transactions",
            metrics.mempool_transactions.clone(),
        );
        r.register_with_unit(
            "mempool",
            "Size of the waiting transactions",
            Unit::Bytes,
            metrics.mempool_bytes.clone(),
        );
        r.register(
            "mempool_refused",
            "Transactions refused by the mempool",
            metrics.mempool_refused.clone(),
        );
        r.register(
            "event_streams",
            "Open event streams",
            metrics.event_streams.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }
}

impl Metrics {
    /// All metrics as OpenMetrics text.
    pub fn encode(&self) -> String {
        encoded(&self.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_written_with_their_labels() {
        let metrics = Metrics::default();
        metrics.height.set(7);
        metrics
            .transactions
            .get_or_create(&OutcomeLabels {
                kind: "transfer",
                outcome: "success",
            })
            .inc();
        let text = metrics.encode();
        assert!(text.contains("soma_height 7"), "{text}");
        assert!(
            text.contains(r#"soma_transactions_total{kind="transfer",outcome="success"} 1"#),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
    }
}
