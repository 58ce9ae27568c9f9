//! Training data: files to sequences, shuffled, deterministic.
//!
//! ```text
//!  paths ──▶ find: files of folders, sorted, filtered, each once
//!              │
//!              ▼
//!            index: blocks, and how many sequences each gives      split: hash of seed and name
//!              │                                                     │
//!              ├───────────── training ◀─────────────────────────────┼──▶ held-out
//!              ▼                                                     ▼
//!            Stream: blocks shuffled ──▶ documents ──▶ windows     HeldOut: in order
//!                      ──▶ buffer of sequences, shuffled ──▶ next
//! ```
//!
//! A document is a file, a line of JSONL or a row of Parquet. It is cut into sequences as
//! [`soma_model::tokenizer`] does it, and never shares one with another document.
//!
//! Memory is bounded whatever the size of the data, so only blocks are read at random places: 1 MiB
//! of a plain file, lines of about 1 MiB, a row group of Parquet, or a compressed file of lines as a
//! whole. Blocks are shuffled, their sequences come in order into a buffer, and the buffer is
//! shuffled. Data in few large row groups or compressed files is thus mixed over the length of the
//! buffer alone: write it in smaller ones, or take a larger buffer.

mod block;
mod config;
mod corpus;
mod cursor;
mod documents;
mod error;
mod filter;
mod find;
mod fingerprint;
mod format;
mod held_out;
mod index;
mod json_field;
mod jsonl;
mod order;
mod parquet;
mod record;
mod split;
mod stream;
mod summary;
mod window;

pub use config::{DataConfig, HELD_OUT_FRACTION, OnUnreadable};
pub use documents::Documents;
pub use error::DataError;
pub use fingerprint::Fingerprint;
pub use held_out::{HeldOut, HeldOutDocument, HeldOutDocuments};
pub use record::MAX_RECORD_BYTES;
pub use stream::{SHUFFLE_SEQUENCES, Stream, StreamConfig};
pub use summary::{LeftOut, Summary, Tally};
