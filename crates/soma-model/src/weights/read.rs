//! Reading a weights file from front to back, one tensor in memory beside the model.

use std::collections::BTreeMap;
use std::io::Read;

use burn::tensor::Tensor;
use safetensors::tensor::Dtype;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::assemble::assemble;
use super::{TensorSpec, WeightsError, tensors, upload};
use crate::backend::ModelBackend;
use crate::config::ModelConfig;
use crate::precision::Precision;
use crate::v1::V1Model;

/// The longest header that is read, in bytes: far above that of the largest model.
const MAX_HEADER_BYTES: u64 = 8 << 20;
/// Characters of a text from a file that errors show.
const MAX_SHOWN: usize = 200;
/// Dimensions of a tensor from a file that errors show.
const MAX_DIMS_SHOWN: usize = 8;
/// Bytes that are converted at a time.
const PART_BYTES: usize = 1 << 20;

/// The largest weights file of a model of size `config`, in bytes: the longest header, and all numbers
/// in 32 bits.
pub const fn largest_file_bytes(config: &ModelConfig) -> u64 {
    8 + MAX_HEADER_BYTES + 4 * config.parameter_count()
}

/// Reads a model of size `config`.
///
/// The file must have exactly the tensors of [`tensors`], with their shapes, in F32, BF16 or F16,
/// all numbers finite. Nothing is believed before it is checked: memory follows from `config`, not
/// from what the file claims.
///
/// # Errors
/// [`WeightsError`], which names the tensor.
pub fn read<B: ModelBackend>(
    file: impl Read,
    config: &ModelConfig,
    device: &B::Device,
) -> Result<V1Model<B>, WeightsError> {
    read_as(file, config, Precision::F32, device)
}

/// [`read`] for a model that computes with `precision`, whatever that of the file is.
///
/// # Errors
/// [`WeightsError`], which names the tensor.
pub fn read_as<B: ModelBackend>(
    mut file: impl Read,
    config: &ModelConfig,
    precision: Precision,
    device: &B::Device,
) -> Result<V1Model<B>, WeightsError> {
    let plan = plan(header(&mut file)?, config)?;
    let mut ready: BTreeMap<String, Tensor<B, 1>> = BTreeMap::new();
    for (tensor, dtype) in plan {
        let count = tensor.shape.iter().product();
        let values = values(&mut file, &tensor.name, count, dtype)?;
        let values = upload(values, tensor.is_linear(), precision, device);
        ready.insert(tensor.name, values);
    }
    at_end(&mut file)?;
    let mut take = |name: &str| {
        ready
            .remove(name)
            .ok_or_else(|| WeightsError::MissingTensor {
                name: name.to_owned(),
                shape: Vec::new(),
            })
    };
    assemble(config, device, &mut take)
}

/// Checks that [`read`] would take a file, with one tensor in memory and no model.
///
/// # Errors
/// [`WeightsError`], which names the tensor.
pub fn check(mut file: impl Read, config: &ModelConfig) -> Result<(), WeightsError> {
    for (tensor, dtype) in plan(header(&mut file)?, config)? {
        let count = tensor.shape.iter().product();
        values(&mut file, &tensor.name, count, dtype)?;
    }
    at_end(&mut file)
}

fn at_end(file: &mut impl Read) -> Result<(), WeightsError> {
    match file.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(WeightsError::WrongLength {
            problem: "longer than its header says",
        }),
    }
}

/// What a header says of one tensor. The format's own crate checks a header as a whole and does not
/// say which tensor is wrong.
#[derive(Deserialize)]
pub(super) struct Claim {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// Reads a header: what it says of each tensor, by name.
pub(super) fn header(file: &mut impl Read) -> Result<BTreeMap<String, Claim>, WeightsError> {
    let malformed = |reason: String| WeightsError::Malformed { reason };
    let mut length = [0; 8];
    fill(file, &mut length)?;
    if &length == b"somaseal" {
        return Err(malformed(
            "it is sealed; open it with its key first".to_owned(),
        ));
    }
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        let reason =
            format!("it claims a header of {length} bytes; at most {MAX_HEADER_BYTES} can be");
        return Err(malformed(reason));
    }
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text)?;
    if text.len() as u64 != length {
        return Err(cut());
    }
    let mut entries: BTreeMap<String, &RawValue> = serde_json::from_slice(&text)
        .map_err(|error| malformed(shown(format!("its header: {error}"))))?;
    // Free text beside the tensors.
    entries.remove("__metadata__");
    let claim = |(name, entry): (String, &RawValue)| match serde_json::from_str(entry.get()) {
        Ok(claim) => Ok((name, claim)),
        Err(error) => {
            let (name, error) = (shown(name), shown(error.to_string()));
            Err(malformed(format!("tensor `{name}` in its header: {error}")))
        }
    };
    entries.into_iter().map(claim).collect()
}

/// The beginning of a text from a file, which may be as long as its header.
fn shown(text: String) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

/// The tensors in the order of the file, with their types.
pub(super) fn plan(
    mut header: BTreeMap<String, Claim>,
    config: &ModelConfig,
) -> Result<Vec<(TensorSpec, Dtype)>, WeightsError> {
    let mut plan = Vec::new();
    for tensor in tensors(config) {
        let TensorSpec { name, shape } = tensor;
        let Some(claim) = header.remove(&name) else {
            return Err(WeightsError::MissingTensor { name, shape });
        };
        if claim.shape != shape {
            let got = claim.shape.into_iter().take(MAX_DIMS_SHOWN).collect();
            let expected = shape;
            return Err(WeightsError::WrongShape {
                name,
                got,
                expected,
            });
        }
        let dtype = match claim.dtype.as_str() {
            "F32" => Dtype::F32,
            "BF16" => Dtype::BF16,
            "F16" => Dtype::F16,
            _ => {
                let got = shown(claim.dtype);
                return Err(WeightsError::WrongType { name, got });
            }
        };
        plan.push((claim.data_offsets, TensorSpec { name, shape }, dtype));
    }
    if let Some(name) = header.into_keys().next() {
        let name = shown(name);
        return Err(WeightsError::UnexpectedTensor { name });
    }
    plan.sort_by_key(|(offsets, ..)| *offsets);
    let mut end = 0;
    for ((start, stop), tensor, dtype) in &plan {
        let bytes = tensor.shape.iter().product::<usize>() * width(*dtype);
        if *start != end || stop.checked_sub(*start) != Some(bytes) {
            let (name, bytes) = (&tensor.name, end..end + bytes);
            let reason = format!("tensor `{name}` is not at bytes {bytes:?} of its data");
            return Err(WeightsError::Malformed { reason });
        }
        end = *stop;
    }
    let rest = plan.into_iter();
    Ok(rest.map(|(_, tensor, dtype)| (tensor, dtype)).collect())
}

/// Bytes of a number.
pub(super) fn width(dtype: Dtype) -> usize {
    if dtype == Dtype::F32 { 4 } else { 2 }
}

pub(super) fn values(
    file: &mut impl Read,
    name: &str,
    count: usize,
    dtype: Dtype,
) -> Result<Vec<f32>, WeightsError> {
    let width = width(dtype);
    let mut values = Vec::with_capacity(count);
    let mut part = vec![0; PART_BYTES.min(count * width)];
    while values.len() < count {
        let bytes = part.len().min((count - values.len()) * width);
        let bytes = &mut part[..bytes];
        fill(file, bytes)?;
        let start = values.len();
        match dtype {
            Dtype::F32 => values.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            Dtype::BF16 => values.extend(
                (bytes.as_chunks().0.iter()).map(|b| half::bf16::from_le_bytes(*b).to_f32()),
            ),
            _ => values.extend(
                (bytes.as_chunks().0.iter()).map(|b| half::f16::from_le_bytes(*b).to_f32()),
            ),
        }
        let added = &values[start..];
        if let Some(at) = added.iter().position(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite {
                name: name.to_owned(),
                place: start + at,
                value: added[at],
            });
        }
    }
    Ok(values)
}

pub(super) fn cut() -> WeightsError {
    let problem = "cut off before its end";
    WeightsError::WrongLength { problem }
}

fn fill(file: &mut impl Read, bytes: &mut [u8]) -> Result<(), WeightsError> {
    file.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => cut(),
        _ => WeightsError::Io(error),
    })
}
