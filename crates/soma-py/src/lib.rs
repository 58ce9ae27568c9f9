//! The Python package `soma_sdk`.
use pyo3::prelude::*;

/// What the package's Python files are made of.
#[pymodule]
mod _native {
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
