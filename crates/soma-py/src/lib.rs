//! The native part of the Python package `soma_sdk`: what needs Rust's types, speed or threads.
//!
//! # Place
//! Above `soma-sdk` (client), `soma-crypto` (keys, sealed weights) and `soma-scoring` (scores
//! without a service). What Python users see (signatures, units, shapes of answers) is in the
//! Python files of `python/soma_sdk`; they call this module, and nobody else does.
//!
//! # The path of a call
//! ```text
//! await client.get_balance(a) ─▶ Client::balance ─▶ bridge: a task of the runtime's threads
//!                                                              │ Reply or Failure
//!   asyncio's loop ◀─ call_soon_threadsafe ◀─ one thread that hands results to Python
//! ```
//!
//! # Invariants
//! - No call blocks the caller's event loop; long computing lets other Python threads run.
//! - A panic becomes an exception: it never crosses into the interpreter.
//! - Large inputs are read where Python keeps them, outputs are written where Python reads them.
//!
//! # Reading order
//! `errors`, `bridge`, `exit`, `convert`, `arguments`, `keypair`, `client`, `sealing`, `scoring`,
//! `settings`.
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod arguments;
mod bridge;
mod client;
mod convert;
mod errors;
mod exit;
mod keypair;
mod scoring;
mod sealing;
mod settings;

use pyo3::prelude::*;

/// The native part of `soma_sdk`. Not for direct use.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::client::Client;
    #[pymodule_export]
    use crate::keypair::Keypair;
    #[pymodule_export]
    use crate::scoring::{score_locally, sigreg_noise, tokenize};
    #[pymodule_export]
    use crate::sealing::{
        checksum, checksum_file, fresh_key, parse_checksum, parse_key, seal, seal_file, unseal,
        unseal_file,
    };

    #[pymodule_export]
    use crate::settings::network_settings;

    /// Version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// Version of the API that the package speaks.
    #[pymodule_export]
    const API_VERSION: &str = "v1";

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::exit::register(module.py())?;
        crate::errors::register(module)
    }
}
