//! Training data: files to sequences, shuffled, deterministic.
