//! What a run tells while it goes on, and how it is told to stop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::evaluate::HeldOutLoss;

/// One step that is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Steps done, with this one.
    pub step: u64,
    /// Loss of the step's sequences before their gradients changed the weights:
    /// `cross_entropy` + 0.02 · `sig_reg`, with dropout.
    pub loss: f64,
    /// Mean of −log p of the next token, in nats.
    pub cross_entropy: f64,
    /// SIGReg, without its factor.
    pub sig_reg: f64,
    /// Norm of all gradients together, before clipping.
    pub gradient_norm: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// Places of the step: 1,024 for each sequence.
    pub tokens: u64,
    /// How long it took.
    pub time: Duration,
}

impl StepReport {
    /// Places in a second.
    pub fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// One evaluation that is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvaluationReport {
    /// Steps done.
    pub step: u64,
    /// What was measured.
    pub held_out: HeldOutLoss,
    /// True where no evaluation of the run was better before.
    pub is_best: bool,
}

/// Who is told how a run goes on. Everything may be left out.
pub trait Observer {
    /// The run starts, or goes on from a checkpoint, with so many steps done.
    fn started(&mut self, _step: u64, _resumed: bool) {}

    /// So many of the micro-batches of a step are on their way; steps of large models take minutes.
    fn micro_batch(&mut self, _done: usize, _of: usize) {}

    /// A step is done.
    fn step(&mut self, _report: &StepReport) {}

    /// An evaluation is done.
    fn evaluated(&mut self, _report: &EvaluationReport) {}

    /// A checkpoint is on disk.
    fn saved(&mut self, _step: u64, _folder: &Path) {}
}

/// Nobody is told.
impl Observer for () {}

/// Tells a run to save and end; all clones are one flag.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Ends the run before its next micro-batch.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once it was told to.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
