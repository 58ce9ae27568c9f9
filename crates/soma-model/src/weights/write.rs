//! Writing a weights file, one tensor in memory beside the model.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use safetensors::tensor::{Dtype, View, serialize_to_file};

use super::{TensorSpec, WeightsError, tensors};
use crate::backend::ModelBackend;
use crate::config::ModelConfig;
use crate::v1::V1Model;

/// Writes a model to the file `path` in F32. A file that is there is replaced once the new one is
/// whole and on disk.
///
/// # Errors
/// [`WeightsError::Io`]; what was there before is kept.
pub fn write<B: ModelBackend>(model: &V1Model<B>, path: &Path) -> Result<(), WeightsError> {
    let mut collect = Collect::default();
    model.visit(&mut collect);
    let list = tensors(&model.config());
    debug_assert_eq!(list.len(), collect.views.len());
    let named = list
        .into_iter()
        .map(|tensor| tensor.name)
        .zip(collect.views);
    replace(path, named, || Ok(()))
}

/// Writes a weights file of a model of size `config`, one tensor in memory at a time: `values` is
/// asked for the numbers of each by its name, row after row. What was at `path` is replaced as by
/// [`write`].
///
/// # Errors
/// The first error of `values`, [`WeightsError::Malformed`] where it gives too few or too many,
/// [`WeightsError::Io`]; what was there before is kept.
pub fn write_tensors<E: From<WeightsError>>(
    config: &ModelConfig,
    path: &Path,
    values: impl FnMut(&str) -> Result<Vec<f32>, E>,
) -> Result<(), E> {
    let (values, problem) = (RefCell::new(values), RefCell::new(None));
    let ask = |tensor: &TensorSpec| {
        let fail = |error| {
            problem.borrow_mut().get_or_insert(error);
            Vec::new()
        };
        if problem.borrow().is_some() {
            return Vec::new();
        }
        let numbers = match (values.borrow_mut())(&tensor.name) {
            Ok(numbers) => numbers,
            Err(error) => return fail(error),
        };
        let (got, expected) = (numbers.len(), tensor.shape.iter().product::<usize>());
        if got != expected {
            let name = &tensor.name;
            let reason = format!("{got} numbers for tensor `{name}`, which has {expected}");
            return fail(WeightsError::Malformed { reason }.into());
        }
        numbers.into_iter().flat_map(f32::to_le_bytes).collect()
    };
    let named = tensors(config).into_iter().map(|tensor| {
        let view = Lazy {
            shape: tensor.shape.clone(),
            bytes: Box::new({
                let (ask, tensor) = (&ask, tensor.clone());
                move || ask(&tensor)
            }),
        };
        (tensor.name, view)
    });
    let written = replace(path, named, || match problem.borrow().is_some() {
        true => Err(io::Error::other("a tensor is missing")),
        false => Ok(()),
    });
    match problem.into_inner() {
        Some(error) => Err(error),
        None => written.map_err(E::from),
    }
}

/// Writes a file beside `path`, flushes it, asks `ready`, and puts it in the place of `path`.
fn replace<'a>(
    path: &Path,
    named: impl IntoIterator<Item = (String, Lazy<'a>)>,
    ready: impl FnOnce() -> io::Result<()>,
) -> Result<(), WeightsError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let written = serialize_to_file(named, None, partial)
        .map_err(|error| match error {
            safetensors::SafeTensorError::IoError(error) => error,
            other => io::Error::other(other.to_string()),
        })
        .and_then(|()| ready())
        .and_then(|()| File::open(partial)?.sync_all())
        .and_then(|()| fs::rename(partial, path));
    written.map_err(|error| {
        // The error at hand says more than one about the rest of a file.
        let _ = fs::remove_file(partial);
        WeightsError::Io(error)
    })
}

/// A tensor whose numbers are brought when it is written.
struct Lazy<'a> {
    shape: Vec<usize>,
    bytes: Box<dyn Fn() -> Vec<u8> + 'a>,
}

impl View for Lazy<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned((self.bytes)())
    }

    fn data_len(&self) -> usize {
        4 * self.shape.iter().product::<usize>()
    }
}

/// Collects the parameters in the order of the architecture, which is that of [`tensors`].
#[derive(Default)]
struct Collect {
    views: Vec<Lazy<'static>>,
}

impl<B: ModelBackend> ModuleVisitor<B> for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let tensor = param.val();
        self.views.push(Lazy {
            shape: tensor.dims().to_vec(),
            bytes: Box::new(move || {
                let data = tensor.to_data();
                data.iter::<f32>().flat_map(f32::to_le_bytes).collect()
            }),
        });
    }
}
