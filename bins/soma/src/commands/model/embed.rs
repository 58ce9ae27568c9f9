//! `soma model embed`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use soma_model::{Device, ModelConfig};
use soma_trainer::arguments::DataArguments;
use soma_trainer::data::{Documents, StreamConfig};
use soma_trainer::{TrainError, embedding};

use super::average::size;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Numbers of an embedding that are shown.
const SHOWN: usize = 4;

/// Compute where a model stands: the embedding to publish its weights with
///
/// It is made of 256 sequences of the data that the model was trained on: the mean over all places
/// of each, then over the sequences, divided by its length. With --plain it is the embedding of one
/// file as the scorer sees it.
#[derive(Clone, Debug, Args)]
pub struct Embed {
    /// The weights
    #[arg(value_name = "WEIGHTS")]
    pub weights: PathBuf,
    /// The data.
    #[command(flatten)]
    pub data: DataArguments,
    /// The embedding of one file as the scorer sees it
    #[arg(long)]
    pub plain: bool,
    /// Where to put the embedding, as a list in JSON; `--embedding @FILE` of other commands reads it
    #[arg(long, short, value_name = "FILE", default_value = "embedding.json")]
    pub out: PathBuf,
    /// Size of the model: small, mini, base, large or v1; default that of the file
    #[arg(long, value_name = "SIZE")]
    pub model_size: Option<String>,
    /// What to compute on: cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: Device,
    /// Chooses the sequences
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
}

impl Embed {
    pub(super) async fn run(self) -> Result<Output, CliError> {
        let size = size(self.model_size.as_deref(), &self.weights)?;
        if self.plain && self.data.paths.len() != 1 {
            let text = "--plain wants exactly one file of data".to_owned();
            return Err(CliError::Usage(text));
        }
        let compute = move || -> Result<_, TrainError> {
            self.device.probe()?;
            let embedding = match self.plain {
                true => self.of_file(&size)?,
                false => self.of_sequences(&size)?,
            };
            embedding::write(&self.out, &embedding)?;
            Ok((embedding, self.out))
        };
        let done = tokio::task::spawn_blocking(compute).await;
        let (embedding, file) =
            done.map_err(|error| CliError::Invalid(format!("the task ended: {error}")))??;
        let first: Vec<String> = embedding
            .iter()
            .take(SHOWN)
            .map(|number| format!("{number:.4}"))
            .collect();
        let fields = Fields::new()
            .with("File", file.display())
            .with("Numbers", embedding.len())
            .with("First", first.join(", "));
        let json = json!({ "path": file, "embedding": embedding });
        Ok(Output::new(&json, fields.text()))
    }

    fn of_sequences(&self, size: &ModelConfig) -> Result<Vec<f32>, TrainError> {
        let documents = Documents::open(self.data.config())?;
        let mut stream = documents.stream(StreamConfig::new(self.seed));
        embedding::of_weights(self.device, size, &self.weights, &mut stream)
    }

    fn of_file(&self, size: &ModelConfig) -> Result<Vec<f32>, TrainError> {
        let path = &self.data.paths[0];
        let data = std::fs::read(path).map_err(|source| TrainError::File {
            path: path.clone(),
            source,
        })?;
        embedding::of_weights_and_data(self.device, size, &self.weights, &data)
    }
}
