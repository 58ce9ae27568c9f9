//! Tensors of a weights file one by one, in any order.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use safetensors::tensor::Dtype;

use super::read::{cut, header, plan, values, width};
use super::{TensorSpec, WeightsError};
use crate::config::ModelConfig;

/// An open weights file that is known to hold a model of one size.
pub struct TensorReader<R> {
    file: R,
    places: BTreeMap<String, Place>,
}

struct Place {
    start: u64,
    count: usize,
    dtype: Dtype,
}

impl<R: Read + Seek> TensorReader<R> {
    /// Reads the header of `file`, and checks it as [`read`](super::read()) does.
    ///
    /// # Errors
    /// [`WeightsError`], which names the tensor.
    pub fn open(mut file: R, config: &ModelConfig) -> Result<Self, WeightsError> {
        let plan = plan(header(&mut file)?, config)?;
        let mut start = file.stream_position()?;
        let mut places = BTreeMap::new();
        for (TensorSpec { name, shape }, dtype) in plan {
            let count = shape.iter().product();
            let place = Place {
                start,
                count,
                dtype,
            };
            start += (count * width(dtype)) as u64;
            places.insert(name, place);
        }
        let end = file.seek(SeekFrom::End(0))?;
        match end.cmp(&start) {
            std::cmp::Ordering::Less => Err(cut()),
            std::cmp::Ordering::Equal => Ok(Self { file, places }),
            std::cmp::Ordering::Greater => Err(WeightsError::WrongLength {
                problem: "longer than its header says",
            }),
        }
    }

    /// The numbers of a tensor, row after row.
    ///
    /// # Errors
    /// [`WeightsError`]: numbers that are not finite, a file that changed.
    pub fn values(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let Some(place) = self.places.get(name) else {
            return Err(WeightsError::MissingTensor {
                name: name.to_owned(),
                shape: Vec::new(),
            });
        };
        self.file.seek(SeekFrom::Start(place.start))?;
        values(&mut self.file, name, place.count, place.dtype)
    }
}
