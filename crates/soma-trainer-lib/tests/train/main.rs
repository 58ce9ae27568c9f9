//! Training of the smallest model, through the public interface.

mod averaging;
mod checkpoints;
mod evaluation;
mod learning;
mod resuming;
mod support;
