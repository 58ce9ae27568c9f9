//! Counts of requests, and the answer at `/metrics`.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Labels of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The route as written in the router, such as `/v1/models/{id}`; never the raw path, so that
    /// no client can make new series.
    pub route: String,
    /// The method.
    pub method: &'static str,
    /// The HTTP status.
    pub status: u16,
}

/// Counts of a service's requests. Clones count together.
#[derive(Clone, Debug)]
pub struct RequestMetrics {
    /// Requests by route, method and status.
    pub requests: Family<RequestLabels, Counter>,
    /// Time to answer a request.
    pub seconds: Histogram,
}

impl RequestMetrics {
    /// Counts that are shown in `registry`.
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.000_5, 2.0, 16)),
        };
        registry.register(
            "http_requests",
            "Requests by route, method and status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request",
            "Time to answer a request",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        metrics
    }
}

/// All metrics of `registry` as OpenMetrics text.
pub fn encoded(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = encode(&mut text, registry);
    text
}

/// OpenMetrics text as an answer.
pub fn metrics_response(text: String) -> Response {
    const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, KIND)], text).into_response()
}
