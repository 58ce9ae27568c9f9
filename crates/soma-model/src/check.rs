//! Golden values: what the model must compute, whatever the backend.
//!
//! A folder of golden values holds inputs, and for each size of model a folder with `cases.json`,
//! `weights.safetensors`, `noise.safetensors` and `expected.safetensors`; a single size may lie in
//! the folder itself.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use thiserror::Error;

use crate::backend::ModelBackend;
use crate::config::{MAX_SEQ_LEN, ModelConfig, VOCAB_SIZE};
use crate::evaluate::{EmptyData, EvaluateOptions, Evaluation, NoiseSource, TokenizedData};
use crate::sigreg::COEFFICIENT;
use crate::tokenizer::{self, Sequence};
use crate::v1::{Batch, V1Model};
use crate::weights::{self, WeightsError};

/// One value beside what it should be.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The case.
    pub case: String,
    /// What was compared.
    pub value: &'static str,
    /// The largest difference.
    pub difference: f64,
    /// True when every number is within the tolerance.
    pub passed: bool,
}

/// Why a check cannot be made.
#[derive(Debug, Error)]
pub enum CheckError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The weights cannot be read.
    #[error("{}: {error}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Why.
        error: WeightsError,
    },
    /// An input is empty.
    #[error(transparent)]
    Empty(#[from] EmptyData),
}

#[derive(Deserialize)]
struct Cases {
    config: CaseConfig,
    tolerance: Tolerance,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct CaseConfig {
    embedding_dim: usize,
    pwff_hidden_dim: usize,
    num_layers: usize,
    num_heads: usize,
    vocab_size: usize,
    max_seq_len: usize,
    batch_size: usize,
}

#[derive(Clone, Copy, Deserialize)]
struct Tolerance {
    absolute: f64,
    relative: f64,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    input: String,
    sequences: usize,
    /// Places of the first sequence whose representations and logits are given.
    rows: Vec<usize>,
    batches: Vec<CaseBatch>,
    loss: f64,
    last_sequence: LastSequence,
}

#[derive(Deserialize)]
struct CaseBatch {
    sequences: usize,
    cross_entropy: f64,
    /// With its factor.
    sig_reg: f64,
    loss: f64,
}

#[derive(Deserialize)]
struct LastSequence {
    token_ids_tail: Vec<u16>,
    pos_ids_tail: Vec<u64>,
    targets_tail: Vec<u16>,
    eos_at: Option<usize>,
}

/// A safetensors file in memory.
struct Tensors {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Tensors {
    fn open(path: PathBuf) -> Result<Self, CheckError> {
        let bytes = read(&path)?;
        Ok(Self { path, bytes })
    }

    fn get(&self, name: &str) -> Result<Vec<f32>, CheckError> {
        let fail = |error: safetensors::SafeTensorError| content(&self.path, error);
        let file = SafeTensors::deserialize(&self.bytes).map_err(fail)?;
        let tensor = file.tensor(name).map_err(fail)?;
        if tensor.dtype() != Dtype::F32 {
            let reason = format!("`{name}` has numbers of type {:?}, not F32", tensor.dtype());
            return Err(content(&self.path, reason));
        }
        let numbers = tensor.data().as_chunks().0.iter();
        Ok(numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

/// The noise of a folder, read before.
struct GivenNoise(Vec<Vec<f32>>);

impl NoiseSource for GivenNoise {
    fn noise(&self, batch: u64, _dim: usize) -> Vec<f32> {
        let index = usize::try_from(batch).ok();
        index
            .and_then(|at| self.0.get(at))
            .cloned()
            .unwrap_or_default()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CheckError> {
    fs::read(path).map_err(|error| CheckError::File {
        path: path.to_owned(),
        error,
    })
}

fn content(path: &Path, reason: impl ToString) -> CheckError {
    CheckError::Content {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// Checks every case of every folder in `folder`, and tells `report` each comparison.
///
/// # Errors
/// [`CheckError`] when the folder is not one of golden values.
pub fn check_folder<B: ModelBackend>(
    folder: &Path,
    device: &B::Device,
    report: &mut dyn FnMut(Comparison),
) -> Result<(), CheckError> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let entries = entries.map_err(|error| CheckError::File {
        path: folder.to_owned(),
        error,
    })?;
    let mut sizes: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    sizes.push(folder.to_owned());
    sizes.retain(|path| path.join("cases.json").is_file());
    sizes.sort();
    if sizes.is_empty() {
        let reason = "neither it nor a folder in it has a `cases.json`";
        return Err(content(folder, reason));
    }
    for size in sizes {
        check_size::<B>(folder, &size, device, report)?;
    }
    Ok(())
}

fn check_size<B: ModelBackend>(
    folder: &Path,
    size: &Path,
    device: &B::Device,
    report: &mut dyn FnMut(Comparison),
) -> Result<(), CheckError> {
    let path = size.join("cases.json");
    let cases: Cases =
        serde_json::from_slice(&read(&path)?).map_err(|error| content(&path, error))?;
    if cases.cases.is_empty() {
        return Err(content(&path, "it has no cases"));
    }
    let given = &cases.config;
    let fixed = (given.vocab_size, given.max_seq_len, given.batch_size);
    if fixed != (VOCAB_SIZE, MAX_SEQ_LEN, crate::config::BATCH_SIZE) {
        let reason = format!("vocabulary, places and batch size are {fixed:?}, not those of V1");
        return Err(content(&path, reason));
    }
    let config = ModelConfig {
        embedding_dim: given.embedding_dim,
        hidden_dim: given.pwff_hidden_dim,
        layers: given.num_layers,
        heads: given.num_heads,
    };
    config.check().map_err(|error| content(&path, error))?;
    let path = size.join("weights.safetensors");
    let file = File::open(&path).map_err(|error| CheckError::File {
        path: path.clone(),
        error,
    })?;
    let model: V1Model<B> = weights::read(BufReader::new(file), &config, device)
        .map_err(|error| CheckError::Weights { path, error })?;
    let noise = Tensors::open(size.join("noise.safetensors"))?;
    let expected = Tensors::open(size.join("expected.safetensors"))?;
    let label = size.file_name().unwrap_or_default().to_string_lossy();
    for case in &cases.cases {
        let data = read(&folder.join(&case.input))?;
        let noise = (0..case.batches.len()).map(|batch| noise.get(&format!("noise.{batch}")));
        let noise = GivenNoise(noise.collect::<Result<_, _>>()?);
        let mut judge = Judge {
            case: format!("{label}/{}", case.name),
            tolerance: cases.tolerance,
            report,
        };
        judge.tokens(case, &data);
        let tokenized = TokenizedData::new(&data)?;
        let options = EvaluateOptions::default();
        let results = model.evaluate_many(&[&tokenized], &noise, &options, device);
        let [result] = &results[..] else {
            return Err(CheckError::Empty(EmptyData));
        };
        judge.losses(case, result);
        let tensor = |name: &str| expected.get(&format!("{}.{name}", case.name));
        judge.numbers("embedding", &result.embedding, &tensor("embedding")?);
        let first: Vec<_> = tokenized.batches()[0].iter().take(1).collect();
        let representations = model.encode(&Batch::new(&first, &config, device));
        let logits = model.predict(representations.clone());
        let rows = |tensor| rows(tensor, &case.rows);
        judge.numbers(
            "representation",
            &rows(representations),
            &tensor("representation")?,
        );
        judge.numbers("logits", &rows(logits), &tensor("logits")?);
    }
    Ok(())
}

fn rows<B: ModelBackend>(tensor: Tensor<B, 3>, rows: &[usize]) -> Vec<f32> {
    let [_, _, width] = tensor.dims();
    let numbers: Vec<f32> = tensor.into_data().iter::<f32>().collect();
    let row = |row: &usize| numbers.get(row * width..(row + 1) * width);
    rows.iter().filter_map(row).flatten().copied().collect()
}

struct Judge<'a> {
    case: String,
    tolerance: Tolerance,
    report: &'a mut dyn FnMut(Comparison),
}

impl Judge<'_> {
    fn say(&mut self, value: &'static str, difference: f64, passed: bool) {
        (self.report)(Comparison {
            case: self.case.clone(),
            value,
            difference,
            passed,
        });
    }

    fn tokens(&mut self, case: &Case, data: &[u8]) {
        let sequences: Vec<Sequence> = tokenizer::batches(data).flatten().collect();
        let expected = &case.last_sequence;
        let passed = sequences.last().is_some_and(|last| {
            let positions: Vec<u64> = last.positions().collect();
            let targets: Vec<u16> = last.targets().collect();
            let eos = last
                .tokens
                .iter()
                .position(|token| *token == tokenizer::EOS);
            last.tokens.ends_with(&expected.token_ids_tail)
                && positions.ends_with(&expected.pos_ids_tail)
                && targets.ends_with(&expected.targets_tail)
                && eos == expected.eos_at
                && sequences.len() == case.sequences
        });
        self.say("tokens", 0.0, passed);
    }

    fn losses(&mut self, case: &Case, result: &Evaluation) {
        let sizes: Vec<usize> = case.batches.iter().map(|batch| batch.sequences).collect();
        let ours: Vec<usize> = result.batches.iter().map(|batch| batch.sequences).collect();
        self.say("batches", 0.0, sizes == ours);
        for (ours, batch) in result.batches.iter().zip(&case.batches) {
            self.number("cross-entropy", ours.cross_entropy, batch.cross_entropy);
            self.number("SIGReg", COEFFICIENT * ours.sig_reg, batch.sig_reg);
            self.number("batch loss", ours.loss, batch.loss);
        }
        self.number("loss", result.loss, case.loss);
    }

    fn number(&mut self, value: &'static str, ours: f64, expected: f64) {
        let difference = (ours - expected).abs();
        let passed = self.within(ours, expected);
        self.say(value, difference, passed);
    }

    fn numbers(&mut self, value: &'static str, ours: &[f32], expected: &[f32]) {
        let pairs = ours.iter().zip(expected);
        let pairs = pairs.map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let difference = pairs
            .clone()
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        let passed = ours.len() == expected.len()
            && pairs
                .into_iter()
                .all(|(ours, expected)| self.within(ours, expected));
        self.say(value, difference, passed);
    }

    /// False for numbers that are none.
    fn within(&self, ours: f64, expected: f64) -> bool {
        let Tolerance { absolute, relative } = self.tolerance;
        (ours - expected).abs() <= absolute + relative * expected.abs()
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    /// A copy of the small golden values, with other `cases.json` or `expected.safetensors`.
    fn check(change: impl FnOnce(&Path)) -> Result<usize, CheckError> {
        let source =
            Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("testdata/model-v1");
        let folder = tempfile::tempdir().unwrap();
        for part in ["inputs", "small"] {
            fs::create_dir(folder.path().join(part)).unwrap();
            for file in fs::read_dir(source.join(part)).unwrap() {
                let file = file.unwrap();
                let to = folder.path().join(part).join(file.file_name());
                fs::copy(file.path(), to).unwrap();
            }
        }
        change(&folder.path().join("small"));
        let mut count = 0;
        let mut report = |line: Comparison| count += usize::from(line.passed);
        check_folder::<crate::Cpu>(folder.path(), &Default::default(), &mut report)?;
        Ok(count)
    }

    #[test]
    fn golden_values_that_show_nothing_are_refused() {
        let no_cases = |folder: &Path| {
            let path = folder.join("cases.json");
            let mut cases: serde_json::Value =
                serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            cases["cases"] = serde_json::json!([]);
            fs::write(path, cases.to_string()).unwrap();
        };
        let error = check(no_cases).unwrap_err();
        assert!(error.to_string().contains("no cases"), "{error}");
    }

    #[test]
    fn golden_values_of_another_type_are_not_misread() {
        let renamed = |folder: &Path| {
            let path = folder.join("expected.safetensors");
            let file = fs::read(&path).unwrap();
            let text = file
                .windows(5)
                .position(|bytes| bytes == b"\"F32\"")
                .unwrap();
            // As many bytes, another meaning.
            let mut other = file;
            other[text..text + 5].copy_from_slice(b"\"I32\"");
            fs::write(path, other).unwrap();
        };
        let error = check(renamed).unwrap_err();
        assert!(error.to_string().contains("not F32"), "{error}");
    }
}
