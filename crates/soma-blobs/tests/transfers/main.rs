//! Blobs over real connections and real files.

mod cache;
mod fetch;
mod raw;
mod sealed;
mod store;
