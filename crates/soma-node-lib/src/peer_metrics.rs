//! Numbers about what peers sent that they must not.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use soma_consensus::{Observer, PeerCounts};

/// Labels of faults.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FaultLabels {
    /// The kind, such as `signature`.
    pub fault: &'static str,
}

/// What peers did that they must not.
#[derive(Debug, Default)]
pub struct PeerMetrics {
    dropped_messages: Counter,
    dropped_bytes: Counter,
    faults: Family<FaultLabels, Counter>,
    bans: Counter,
    prolonged_bans: Counter,
    banned: Gauge<u64, AtomicU64>,
}

impl PeerMetrics {
    /// Numbers that `registry` shows.
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "peer_messages_dropped",
            "Messages of peers dropped because of a limit or a ban",
            metrics.dropped_messages.clone(),
        );
        registry.register_with_unit(
            "peer_messages_dropped",
            "Their size",
            Unit::Bytes,
            metrics.dropped_bytes.clone(),
        );
        registry.register(
            "peer_faults",
            "What peers sent that no honest node sends, by kind",
            metrics.faults.clone(),
        );
        registry.register("peer_bans", "Peers banned", metrics.bans.clone());
        registry.register(
            "peer_bans_prolonged",
            "Bans prolonged, because the peer went on",
            metrics.prolonged_bans.clone(),
        );
        registry.register(
            "peers_banned",
            "Peers that are not heard now",
            metrics.banned.clone(),
        );
        metrics
    }

    /// Takes over what consensus counted. One caller at a time.
    pub(crate) fn set(&self, observer: &Observer) {
        let PeerCounts {
            dropped_messages,
            dropped_bytes,
            faults,
            bans,
            prolonged_bans,
        } = observer.peer_counts();
        raise(&self.dropped_messages, dropped_messages);
        raise(&self.dropped_bytes, dropped_bytes);
        for (fault, count) in faults {
            let labels = FaultLabels {
                fault: fault.name(),
            };
            raise(&self.faults.get_or_create(&labels), count);
        }
        raise(&self.bans, bans);
        raise(&self.prolonged_bans, prolonged_bans);
        let banned = observer.bans().len();
        self.banned.set(u64::try_from(banned).unwrap_or(u64::MAX));
    }
}

/// Raises a counter to `count`.
fn raise(counter: &Counter, count: u64) {
    counter.inc_by(count.saturating_sub(counter.get()));
}
