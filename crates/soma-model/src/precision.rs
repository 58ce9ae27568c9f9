//! How precise the linear maps compute.

use std::fmt;
use std::str::FromStr;

use burn::nn::Linear;
use burn::tensor::{DType, FloatDType, Tensor, module};
use thiserror::Error;

use crate::backend::ModelBackend;

/// The numbers that linear maps multiply. Everything else (norms, attention, loss, SIGReg) is in
/// 32 bits in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit brain floats: half the memory, and several times the speed on GPUs that have them. The
    /// loss differs by about a thousandth, a tenth of what audits tolerate.
    Bf16,
}

/// The name is that of no precision.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no precision is called `{0}`; use f32 or bf16")]
pub struct UnknownPrecision(String);

impl Precision {
    /// Bytes of a weight of a linear map.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    /// The weights of a linear map as they are kept on the device.
    pub(crate) fn apply<B: ModelBackend>(self, weights: Tensor<B, 1>) -> Tensor<B, 1> {
        match self {
            Self::F32 => weights,
            Self::Bf16 => weights.cast(FloatDType::BF16),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        match name {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            _ => Err(UnknownPrecision(name.chars().take(40).collect())),
        }
    }
}

/// A linear map in the precision of its weights: from 32-bit floats to 32-bit floats.
pub(crate) fn linear<B: ModelBackend>(map: &Linear<B>, x: Tensor<B, 3>) -> Tensor<B, 3> {
    let (weights, bias) = (map.weight.val(), map.bias.as_ref().map(|bias| bias.val()));
    if weights.dtype() != DType::BF16 {
        return B::affine(x, weights, bias);
    }
    // One large product is quicker than one of each sequence.
    let [batch, places, dim] = x.dims();
    let width = weights.dims()[1];
    let x = x.cast(FloatDType::BF16).reshape([1, batch * places, dim]);
    let product = module::linear(x, weights, None).cast(FloatDType::F32);
    let product = product.reshape([batch, places, width]);
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}
