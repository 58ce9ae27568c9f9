//! Scoring as a library.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use soma_model::agreement::{self, Agreement};
use soma_model::{Device, DeviceError, Evaluation, ModelConfig, Precision, TokenizedData};

use crate::engine::{Engine, MakeEngine};
use crate::error::{LoadError, ScoringError};
use crate::memory::{HostMemory, MemoryNeeds};
use crate::scores::{ModelScore, PieceScores};
use crate::source::ModelSource;

/// How a [`Scorer`] works.
#[derive(Clone, Copy, Debug)]
pub struct ScorerConfig {
    /// Size of the models.
    pub model: ModelConfig,
    /// Where they run.
    pub device: Device,
    /// What their linear maps compute with.
    pub precision: Precision,
    /// Bytes of this machine's memory for models, and in a service for its requests: what the
    /// program takes without either is not counted. On the CPU weights are in it; for a GPU they
    /// only pass through.
    pub host_memory_bytes: u64,
    /// Bytes of a GPU's memory that may be used.
    pub device_memory_bytes: u64,
    /// Sequences on the device at a time. More are quicker on GPUs, and need more memory.
    pub sequences_at_a_time: usize,
    /// The largest piece of data, in bytes.
    pub max_data_bytes: u64,
}

impl ScorerConfig {
    /// Defaults for a size and device: 32-bit floats, 80 % of the machine's memory and of an NVIDIA GPU's,
    /// 16 GiB of another GPU's, 4 sequences at a time on the CPU and 16 on a GPU, data up to 1 MiB.
    pub fn new(model: ModelConfig, device: Device) -> Self {
        let on_host = device.shares_host_memory();
        Self {
            model,
            device,
            precision: Precision::F32,
            host_memory_bytes: HostMemory::now().total / 5 * 4,
            device_memory_bytes: device.memory().map_or(16 << 30, |bytes| bytes / 5 * 4),
            sequences_at_a_time: if on_host { 4 } else { 16 },
            max_data_bytes: 1 << 20,
        }
    }

    /// What a model needs.
    pub fn needs(&self) -> MemoryNeeds {
        MemoryNeeds::of(&self.model, self.precision, self.sequences_at_a_time)
    }

    /// Bytes of this machine's memory that a model needs: all, or for a GPU what loading takes, and
    /// before that the comparison with the CPU.
    pub fn host_needs(&self) -> u64 {
        let needs = self.needs();
        match self.device.shares_host_memory() {
            true => needs.total().max(needs.staging),
            false => {
                let compared = agreement::size(&self.model);
                let compared = MemoryNeeds::of(&compared, Precision::F32, 1);
                needs.staging.max(compared.total())
            }
        }
    }

    /// Checks that the device, which was found to work, has the precision and computes what the CPU
    /// does; how exactly, unless it is the CPU.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn agreement(&self) -> Result<Option<Agreement>, DeviceError> {
        self.device.check_precision(self.precision)?;
        let sequences = self.sequences_at_a_time;
        self.device
            .agreement(&self.model, self.precision, sequences)
    }

    /// Bytes for weights and what is computed, where the models run.
    pub const fn memory_bytes(&self) -> u64 {
        if self.device.shares_host_memory() {
            self.host_memory_bytes
        } else {
            self.device_memory_bytes
        }
    }
}

/// Scores data with models, which stay loaded as long as memory allows.
///
/// ```
/// use soma_model::{Cpu, Device, ModelConfig, weights};
/// use soma_scoring::{Scorer, ScorerConfig, WeightsFile};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("weights.safetensors");
/// let model = weights::random::<Cpu>(&ModelConfig::SMALL, 7, &Default::default());
/// weights::write(&model, &path)?;
///
/// let scorer = Scorer::new(ScorerConfig::new(ModelConfig::SMALL, Device::Cpu))?;
/// let scores = scorer.score(b"some bytes", &[&WeightsFile::new(&path)?], 0)?;
/// assert_eq!(scores.winner(), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Scorer {
    engine: Mutex<Box<dyn Engine>>,
    config: ScorerConfig,
    device_name: String,
    // As of the last evaluation: whoever asks does not wait for the one at hand.
    loaded_models: AtomicUsize,
    loads: AtomicU64,
}

impl Scorer {
    /// Starts the device. One that is not the CPU must compute what the CPU does; trying that takes
    /// seconds at the size `v1`.
    ///
    /// # Errors
    /// [`ScoringError::Device`], [`ScoringError::Size`].
    pub fn new(config: ScorerConfig) -> Result<Self, ScoringError> {
        config.model.check()?;
        let device_name = config.device.probe()?;
        if let Some(Agreement { loss, embedding }) = config.agreement()? {
            tracing::info!(loss, embedding, "relative differences from the CPU");
        }
        let engine = config.device.run(MakeEngine(config))?;
        Ok(Self {
            engine: Mutex::new(engine),
            config,
            device_name,
            loaded_models: AtomicUsize::new(0),
            loads: AtomicU64::new(0),
        })
    }

    /// How it works.
    pub fn config(&self) -> &ScorerConfig {
        &self.config
    }

    /// What the driver calls the device.
    pub fn device_name(&self) -> &str {
        &self.device_name
    }

    /// What a model needs.
    pub fn needs(&self) -> MemoryNeeds {
        self.config.needs()
    }

    /// Models in memory, and their bytes.
    pub fn loaded(&self) -> (usize, u64) {
        let models = self.loaded_models.load(Ordering::Relaxed);
        (models, models as u64 * self.needs().weights)
    }

    /// Loads that were made since the start.
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// Cuts data into sequences.
    ///
    /// # Errors
    /// [`ScoringError::EmptyData`], [`ScoringError::DataTooLarge`].
    pub fn tokenize(&self, data: &[u8]) -> Result<TokenizedData, ScoringError> {
        let (size, max) = (data.len() as u64, self.config.max_data_bytes);
        if size > max {
            return Err(ScoringError::DataTooLarge { size, max });
        }
        TokenizedData::new(data).map_err(|_| ScoringError::EmptyData)
    }

    /// Scores one piece of data with every one of `models`. Blocks the thread.
    ///
    /// # Errors
    /// [`ScoringError`].
    pub fn score(
        &self,
        data: &[u8],
        models: &[&dyn ModelSource],
        seed: u64,
    ) -> Result<PieceScores, ScoringError> {
        let data = self.tokenize(data)?;
        let mut scores = self.score_many(&[&data], models, seed)?;
        scores.pop().ok_or(ScoringError::EmptyData)
    }

    /// Scores every piece with every one of `models`: the scores of each piece. Blocks the thread.
    ///
    /// # Errors
    /// [`ScoringError::NoModels`], [`ScoringError::Model`].
    pub fn score_many(
        &self,
        pieces: &[&TokenizedData],
        models: &[&dyn ModelSource],
        seed: u64,
    ) -> Result<Vec<PieceScores>, ScoringError> {
        if models.is_empty() {
            return Err(ScoringError::NoModels);
        }
        let mut scores: Vec<_> = pieces.iter().map(|_| PieceScores(Vec::new())).collect();
        for (place, model) in models.iter().enumerate() {
            let evaluations = self.evaluate(*model, pieces, seed);
            let evaluations = evaluations.map_err(|error| ScoringError::Model {
                model: place,
                error,
            })?;
            let key = model.key();
            for (scores, evaluation) in scores.iter_mut().zip(evaluations) {
                scores.0.push(ModelScore { key, evaluation });
            }
        }
        Ok(scores)
    }

    /// What one model says of each piece. Blocks the thread.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn evaluate(
        &self,
        model: &dyn ModelSource,
        pieces: &[&TokenizedData],
        seed: u64,
    ) -> Result<Vec<Evaluation>, LoadError> {
        self.evaluate_while(model, pieces, seed, &mut |_| true)
    }

    /// As [`Scorer::evaluate`], as long as `go_on` says so: it is told now and then how many
    /// sequences went through the model since it was told last.
    ///
    /// # Errors
    /// [`LoadError`]; [`LoadError::NotWanted`] once `go_on` said no.
    pub fn evaluate_while(
        &self,
        model: &dyn ModelSource,
        pieces: &[&TokenizedData],
        seed: u64,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<Evaluation>, LoadError> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let evaluations = engine.evaluate(model, pieces, seed, go_on);
        let (models, loads) = engine.loaded();
        self.loaded_models.store(models, Ordering::Relaxed);
        self.loads.store(loads, Ordering::Relaxed);
        evaluations
    }
}
