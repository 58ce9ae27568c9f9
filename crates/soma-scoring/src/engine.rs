//! Loading and evaluating on one device, whose backend is hidden here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use soma_model::evaluate::SeededNoise;
use soma_model::{
    EvaluateOptions, Evaluation, ModelBackend, OnDevice, TokenizedData, V1Model, weights,
};

use crate::error::LoadError;
use crate::loaded::Loaded;
use crate::memory::MemoryNeeds;
use crate::scorer::ScorerConfig;
use crate::source::ModelSource;

/// Asked now and then whether the scores are still wanted: told how many sequences went through the
/// model since.
pub(crate) type GoOn<'a> = &'a mut dyn FnMut(usize) -> bool;

/// Evaluates on a device.
pub(crate) trait Engine: Send {
    /// What the model says of each piece.
    fn evaluate(
        &mut self,
        model: &dyn ModelSource,
        pieces: &[&TokenizedData],
        seed: u64,
        go_on: GoOn<'_>,
    ) -> Result<Vec<Evaluation>, LoadError>;

    /// Models in memory, and loads that were made.
    fn loaded(&self) -> (usize, u64);
}

/// Makes the engine of a device.
pub(crate) struct MakeEngine(pub(crate) ScorerConfig);

impl OnDevice for MakeEngine {
    type Output = Box<dyn Engine>;

    fn run<B: ModelBackend>(self, device: B::Device) -> Self::Output {
        let needs = self.0.needs();
        let for_weights = self.0.memory_bytes().saturating_sub(needs.working);
        Box::new(DeviceEngine::<B> {
            loaded: Loaded::new(needs.weights, for_weights),
            device,
            needs,
            loads: 0,
            config: self.0,
        })
    }
}

struct DeviceEngine<B: ModelBackend> {
    device: B::Device,
    config: ScorerConfig,
    needs: MemoryNeeds,
    loaded: Loaded<V1Model<B>>,
    loads: u64,
}

impl<B: ModelBackend> DeviceEngine<B> {
    fn model(&mut self, source: &dyn ModelSource) -> Result<&V1Model<B>, LoadError> {
        let key = source.key();
        // Asked twice, since a borrow cannot be given back from inside a condition.
        if self.loaded.get(&key).is_none() {
            let model = self.load(source)?;
            return Ok(self.loaded.add(key, model));
        }
        self.loaded.get(&key).ok_or_else(|| LoadError::Device {
            reason: "a loaded model is gone".to_owned(),
        })
    }

    fn load(&mut self, source: &dyn ModelSource) -> Result<V1Model<B>, LoadError> {
        let (needed, budget) = (self.needs.total(), self.config.memory_bytes());
        if needed > budget {
            return Err(LoadError::OutOfMemory { needed, budget });
        }
        let (needed, budget) = (self.needs.staging, self.config.host_memory_bytes);
        if needed > budget {
            return Err(LoadError::OutOfMemory { needed, budget });
        }
        // Before the load, so that both are never there at once.
        self.loaded.make_room();
        B::memory_cleanup(&self.device);
        let mut model = None;
        source.load(&mut |file| {
            let (size, precision) = (&self.config.model, self.config.precision);
            model = Some(weights::read_as(file, size, precision, &self.device)?);
            Ok(())
        })?;
        self.loads += 1;
        tracing::info!(bytes = self.needs.weights, "model loaded");
        model.ok_or_else(|| LoadError::Device {
            reason: "the source gave no weights".to_owned(),
        })
    }

    /// Devices take memory in pages, which can be much more than lies in them: drops models until
    /// what is taken is within the budget.
    fn keep_to_budget(&mut self) {
        let budget = self.config.memory_bytes();
        while let Some(taken) = B::taken_bytes(&self.device)
            && taken > budget
        {
            if self.loaded.count() < 2 {
                tracing::warn!(
                    taken,
                    budget,
                    "the device has taken more memory than it may"
                );
                return;
            }
            self.loaded.keep_fewer();
            B::memory_cleanup(&self.device);
        }
    }

    fn try_evaluate(
        &mut self,
        source: &dyn ModelSource,
        pieces: &[&TokenizedData],
        seed: u64,
        go_on: GoOn<'_>,
    ) -> Result<Vec<Evaluation>, LoadError> {
        let options = EvaluateOptions {
            seed,
            sequences_at_a_time: self.config.sequences_at_a_time,
        };
        let device = self.device.clone();
        let loads = self.loads;
        let model = self.model(source)?;
        // A load takes long: nobody may wait any more.
        if !go_on(0) {
            return Err(LoadError::NotWanted);
        }
        let all = model.evaluate_while(pieces, &SeededNoise(seed), &options, &device, go_on);
        if self.loads > loads {
            self.keep_to_budget();
        }
        all.ok_or(LoadError::NotWanted)
    }
}

impl<B: ModelBackend> Engine for DeviceEngine<B> {
    fn evaluate(
        &mut self,
        model: &dyn ModelSource,
        pieces: &[&TokenizedData],
        seed: u64,
        go_on: GoOn<'_>,
    ) -> Result<Vec<Evaluation>, LoadError> {
        // Backends panic where a device is lost or out of memory.
        let tried = catch_unwind(AssertUnwindSafe(|| {
            self.try_evaluate(model, pieces, seed, go_on)
        }));
        tried.unwrap_or_else(|panic| {
            self.loaded.clear();
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()));
            let reason = text.unwrap_or_else(|| "it stopped without a reason".to_owned());
            tracing::error!(%reason, "the device failed");
            Err(LoadError::Device { reason })
        })
    }

    fn loaded(&self) -> (usize, u64) {
        (self.loaded.count(), self.loads)
    }
}

/// Errors that several requests share.
impl From<weights::WeightsError> for LoadError {
    fn from(error: weights::WeightsError) -> Self {
        Self::Invalid(Arc::new(error))
    }
}
