//! Training of weights: data, loop, checkpoints, evaluation.
#![forbid(unsafe_code)]

pub mod data;
