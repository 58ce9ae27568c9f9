//! The average of several models' weights.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use soma_model::ModelConfig;
use soma_model::weights::{TensorReader, WeightsError, write_tensors};

use crate::TrainError;

/// Writes the average of weights files to `output`, in the published layout.
///
/// All files must hold models of size `size`, in F32, BF16 or F16. Each counts by its part of the
/// sum of `shares`, or all alike where there are none. One tensor is in memory at a time; sums are
/// of 64 bits.
///
/// # Errors
/// [`TrainError::AverageOfWhat`], [`TrainError::AverageShares`], [`TrainError::File`], and
/// [`TrainError::Weights`], which names the file and the tensor. What was at `output` is kept then.
pub fn average(
    inputs: &[PathBuf],
    shares: Option<&[f64]>,
    size: &ModelConfig,
    output: &Path,
) -> Result<(), TrainError> {
    let parts = parts(inputs.len(), shares)?;
    let open = |path: &PathBuf| {
        let file = File::open(path).map_err(TrainError::file(path))?;
        TensorReader::open(BufReader::new(file), size).map_err(TrainError::weights(path))
    };
    let mut readers = inputs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let mean = |name: &str| {
        let mut sums: Vec<f64> = Vec::new();
        for ((reader, part), path) in readers.iter_mut().zip(&parts).zip(inputs) {
            let values = reader.values(name).map_err(TrainError::weights(path));
            let values = values.map_err(Problem::Reading)?;
            sums.resize(values.len(), 0.0);
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += part * f64::from(value);
            }
        }
        Ok(sums.into_iter().map(|sum| sum as f32).collect())
    };
    write_tensors(size, output, mean).map_err(|problem| match problem {
        Problem::Reading(error) => error,
        Problem::Writing(error) => TrainError::weights(output)(error),
    })
}

/// Which side of an average failed.
enum Problem {
    Reading(TrainError),
    Writing(WeightsError),
}

impl From<WeightsError> for Problem {
    fn from(error: WeightsError) -> Self {
        Self::Writing(error)
    }
}

/// What part each file has; together 1.
fn parts(files: usize, shares: Option<&[f64]>) -> Result<Vec<f64>, TrainError> {
    let even = vec![1.0; files];
    let shares = shares.unwrap_or(&even);
    if files == 0 || shares.len() != files {
        let shares = shares.len();
        return Err(TrainError::AverageOfWhat { files, shares });
    }
    let sum: f64 = shares.iter().sum();
    if !(sum.is_finite() && sum > 0.0) || shares.iter().any(|share| *share < 0.0) {
        let shares = shares.to_vec();
        return Err(TrainError::AverageShares { shares });
    }
    Ok(shares.iter().map(|share| share / sum).collect())
}
