//! Writing a weights file, one tensor in memory beside the model.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use safetensors::tensor::{Dtype, View, serialize_to_file};

use super::{WeightsError, tensors};
use crate::backend::ModelBackend;
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
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let written = serialize_to_file(named, None, partial)
        .map_err(|error| match error {
            safetensors::SafeTensorError::IoError(error) => error,
            other => io::Error::other(other.to_string()),
        })
        .and_then(|()| File::open(partial)?.sync_all())
        .and_then(|()| fs::rename(partial, path));
    written.map_err(|error| {
        // The error at hand says more than one about the rest of a file.
        let _ = fs::remove_file(partial);
        WeightsError::Io(error)
    })
}

/// A tensor that is brought from its device when it is written.
struct Lazy {
    shape: Vec<usize>,
    bytes: Box<dyn Fn() -> Vec<u8>>,
}

impl View for Lazy {
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
    views: Vec<Lazy>,
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
