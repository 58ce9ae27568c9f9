//! When the next block is made, and by whom.
//!
//! [`Consensus`] is the seam: something that runs until it is told to stop, and drives the
//! [`Application`] through `build`, `execute` and `commit`. [`LoneSequencer`] is the engine of a
//! network with one validator.

mod plan;
mod sequencer;
mod worker;

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::application::{Application, ProduceError};

pub use plan::{Plan, Situation, plan};
pub use sequencer::{LoneSequencer, ProducerConfig};

/// What decides which block comes next.
pub trait Consensus: Send + 'static {
    /// Makes or takes part in making blocks until `stop`, and finishes the block at hand then.
    ///
    /// # Errors
    /// [`ProduceError`] when the chain cannot go on; the node stops with it.
    fn run(
        self,
        application: Arc<Application>,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), ProduceError>> + Send;
}
