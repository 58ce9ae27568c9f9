//! Checkpoints: all that a run needs to go on exactly as if it had not ended.
//!
//! ```text
//! RUN/run.lock                             held while a trainer works here
//! RUN/curve.csv  RUN/curve.png             the curve so far
//! RUN/best.safetensors                     the weights of the best evaluation
//! RUN/checkpoints/step-000000500/
//!     weights.safetensors                  in the published layout
//!     moment_1.safetensors, moment_2.…     of the optimizer, with the names of the weights
//!     curve.csv                            until this step
//!     state.json                           steps, place in the data, settings, best loss
//! ```
//!
//! A checkpoint is written to a folder of another name, flushed, and renamed: it is there as a
//! whole or not at all. So it is removed, and one that another of its step replaces lies aside, whole,
//! until that has its place.

mod folder;
mod load;
mod save;
mod state;

pub(crate) use folder::{Folder, write_flushed};
#[cfg(feature = "cli")]
pub(crate) use load::state;
pub(crate) use load::{Loaded, load, read_model};
pub(crate) use save::save;
pub use state::Best;
pub(crate) use state::State;

/// The files of a checkpoint.
const WEIGHTS: &str = "weights.safetensors";
const MOMENTS: [&str; 2] = ["moment_1.safetensors", "moment_2.safetensors"];
const CURVE: &str = "curve.csv";
const STATE: &str = "state.json";
