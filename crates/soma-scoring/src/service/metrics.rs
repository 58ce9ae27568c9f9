//! Numbers of a running scorer.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use soma_service::{RequestMetrics, encoded};

/// The metrics of a scorer.
#[derive(Debug)]
pub(super) struct ScorerMetrics {
    registry: Registry,
    /// Requests of the HTTP service.
    pub(super) requests: RequestMetrics,
    /// Pieces of data that were scored.
    pub(super) pieces: Counter,
    /// Sequences that went through a model.
    pub(super) sequences: Counter,
    /// Time of one turn of the worker.
    pub(super) work_seconds: Histogram,
    /// Requests that wait or are worked on.
    pub(super) queue: Gauge,
    /// Memory of requests that arrive, wait or are worked on.
    pub(super) request_bytes: Gauge<u64, AtomicU64>,
    /// Models in memory.
    pub(super) loaded_models: Gauge,
    /// Models that were loaded since the start.
    pub(super) loads: Gauge<u64, AtomicU64>,
    /// Bytes of kept downloads.
    pub(super) cache_bytes: Gauge<u64, AtomicU64>,
}

impl Default for ScorerMetrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("soma_scorer");
        let metrics = Self {
            requests: RequestMetrics::registered(&mut registry),
            pieces: Counter::default(),
            sequences: Counter::default(),
            work_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 20)),
            queue: Gauge::default(),
            request_bytes: Gauge::default(),
            loaded_models: Gauge::default(),
            loads: Gauge::default(),
            cache_bytes: Gauge::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register("pieces", "Pieces of data scored", metrics.pieces.clone());
        r.register(
            "sequences",
            "Sequences that went through a model",
            metrics.sequences.clone(),
        );
        r.register_with_unit(
            "work",
            "Time of one turn of the device",
            Unit::Seconds,
            metrics.work_seconds.clone(),
        );
        r.register(
            "queue",
            "Requests that wait or are worked on",
            metrics.queue.clone(),
        );
        r.register_with_unit(
            "requests",
            "Memory of requests that arrive, wait or are worked on",
            Unit::Bytes,
            metrics.request_bytes.clone(),
        );
        r.register(
            "loaded_models",
            "Models in memory",
            metrics.loaded_models.clone(),
        );
        r.register(
            "loads",
            "Models loaded since the start",
            metrics.loads.clone(),
        );
        r.register_with_unit(
            "cache",
            "Kept downloads",
            Unit::Bytes,
            metrics.cache_bytes.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }
}

impl ScorerMetrics {
    /// All metrics as OpenMetrics text.
    pub(super) fn encode(&self) -> String {
        encoded(&self.registry)
    }
}
