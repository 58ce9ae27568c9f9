//! What all HTTP services of the node share: typed errors, extractors, limits, the accept loop.
//!
//! ```text
//! connection ─▶ serve ─▶ guard (rate, load, deadline, panics) ─▶ route ─▶ extract ─▶ handler
//!                          └─────────────── ApiError: {code, message, details} ────────┘
//! ```

mod error;
mod extract;
mod guard;
mod rate;
mod serve;

pub use error::ApiError;
pub use extract::{Body, PathText, Query, parse};
pub use guard::{Guard, GuardConfig, guarded};
pub use rate::{RateConfig, RateLimit, rate_key};
pub use serve::{BindError, ServeConfig, Server, bind};
