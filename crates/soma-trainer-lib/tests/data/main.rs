//! Training data, through the public interface, on real files.

mod changes;
mod finding;
mod jsonl;
mod parquet;
mod passes;
mod split;
mod support;
