//! What every HTTP service of the network shares: typed errors, extractors, limits, the accept
//! loop, counts of requests, logs and the stop signal.
//!
//! # Place
//! Above `soma-api`, whose error codes it answers with. Knows nothing of what is served.
//!
//! # The path of a request
//! ```text
//! connection ─▶ serve ─▶ guard (rate, places, deadline, panics) ─▶ route ─▶ extract ─▶ handler
//!                          └─────────────── ApiError: {code, message, details} ────────┘
//! ```
//!
//! # Invariants
//! - No request can panic a service; whatever is not a success is an
//!   [`ErrorBody`](soma_api::ErrorBody) with a stable code.
//! - Connections, bodies, answers on their way and time for an answer are bounded, in all and by
//!   address; no connection stays open without requests, or with an answer that nobody reads.
//!
//! # Reading order
//! [`Server`], [`guarded`], [`Body`] and [`Query`], [`ApiError`]; then the rest in any order.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod answer;
mod error;
mod extract;
mod guard;
mod held;
pub mod logging;
mod metrics;
mod places;
mod ports;
mod rate;
mod serve;
mod shares;
mod signal;

pub use error::ApiError;
pub use extract::{Body, PathText, Query, parse};
pub use guard::{Guard, GuardConfig, InvalidOrigin, guarded};
pub use held::Held;
pub use metrics::{RequestLabels, RequestMetrics, encoded, metrics_response};
pub use places::Slot;
pub use ports::free_ports;
pub use rate::{RateConfig, RateLimit, rate_key};
pub use serve::{BindError, ServeConfig, Server, bind};
pub use shares::{Share, Shares};
pub use signal::stop_signal;
