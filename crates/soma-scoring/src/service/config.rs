//! Settings of the service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use soma_blobs::{CacheConfig, FetchConfig};
use soma_model::{Device, ModelConfig};
use soma_service::{GuardConfig, RateConfig, ServeConfig};

use crate::scorer::ScorerConfig;

/// Time for what is on the device to end when the service stops, in milliseconds.
const STOP_TIMEOUT_MS: u64 = 90_000;

/// The most that requests take of the memory by default, in bytes.
pub(super) const MOST_FOR_REQUESTS: u64 = 512 << 20;

/// Where and how the service runs.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Where it listens. Default 127.0.0.1:9124.
    pub listen: SocketAddr,
    /// Name of the model size, as clients see it.
    pub model_size: String,
    /// The scorer.
    pub scorer: ScorerConfig,
    /// Kept downloads.
    pub cache: CacheConfig,
    /// Downloads.
    pub fetch: FetchConfig,
    /// Requests that may wait or be worked on; more are answered `Busy`. Default 128.
    pub queue: usize,
    /// Time for a request, downloads included, in milliseconds. Default 30 minutes.
    pub request_timeout_ms: u64,
    /// Models that a request may name. Default 16, the most that a network assigns to a target.
    pub max_models: usize,
    /// Pieces of data that a batch may have. Default 256.
    pub max_pieces: usize,
    /// Memory for the bodies of all requests that arrive, and for data and scores of those that wait
    /// or are worked on, in bytes: a part of the scorer's memory of this machine. Default: an eighth of that, at most 512 MiB.
    pub max_request_bytes: Option<u64>,
    /// Sequences of all jobs that the worker takes at a time. Default 256.
    pub max_sequences: usize,
    /// Limits of HTTP requests.
    pub guard: GuardConfig,
    /// Limits of connections.
    pub serve: ServeConfig,
}

impl ServiceConfig {
    /// The defaults, for models of size `model` called `model_size`, with downloads in `folder`.
    pub fn new(
        model_size: impl Into<String>,
        model: ModelConfig,
        device: Device,
        folder: impl Into<PathBuf>,
    ) -> Self {
        let mut config = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9_124)),
            model_size: model_size.into(),
            scorer: ScorerConfig::new(model, device),
            cache: CacheConfig::new(folder),
            fetch: FetchConfig::default(),
            queue: 0,
            request_timeout_ms: 0,
            max_models: 16,
            max_pieces: 256,
            max_request_bytes: None,
            max_sequences: 256,
            guard: GuardConfig {
                // Room for inline data.
                max_body_bytes: 8 << 20,
                // The queue is the limit.
                rate: RateConfig {
                    per_minute: 0,
                    burst: 0,
                },
                max_concurrent_requests_per_ip: 0,
                ..GuardConfig::default()
            },
            serve: ServeConfig {
                // What is on the device takes its time.
                stop_timeout_ms: STOP_TIMEOUT_MS,
                ..ServeConfig::default()
            },
        };
        config.set_queue(128);
        config.set_request_timeout_ms(30 * 60_000);
        config
    }

    /// Downloads that end before the request that waits for them: a slow server is then told by its
    /// blob, and not as a request that took too long.
    pub(super) fn downloads(&self) -> FetchConfig {
        let request = Duration::from_millis(self.request_timeout_ms / 10 * 9);
        FetchConfig {
            longest_time: self.fetch.longest_time.min(request),
            ..self.fetch.clone()
        }
    }

    /// Memory for bodies, data and scores of requests, in bytes.
    pub fn waiting_bytes(&self) -> u64 {
        let default = (self.scorer.host_memory_bytes / 8).min(MOST_FOR_REQUESTS);
        self.max_request_bytes.unwrap_or(default)
    }

    /// Sets the largest piece of data, in bytes; bodies may then be as large as data in them needs.
    pub fn set_max_data_bytes(&mut self, bytes: u64) {
        self.scorer.max_data_bytes = bytes;
        // Base64 takes a third more. What is larger than this comes by its URL.
        let body = (bytes / 3 * 4 + (1 << 20)).clamp(8 << 20, 64 << 20);
        self.guard.max_body_bytes = usize::try_from(body).unwrap_or(8 << 20);
    }

    /// Sets how many requests may wait.
    pub fn set_queue(&mut self, queue: usize) {
        self.queue = queue;
        // Room for those that are told to come back, and for health and metrics.
        self.guard.max_concurrent_requests = queue.saturating_add(64);
    }

    /// Sets the time for a request, in milliseconds.
    pub fn set_request_timeout_ms(&mut self, limit: u64) {
        self.request_timeout_ms = limit;
        // The service's own deadline answers first.
        self.guard.request_timeout_ms = limit.saturating_add(10_000);
    }
}
