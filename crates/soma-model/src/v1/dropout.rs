//! Dropout: in training, numbers are set to 0 at random and the others scaled up in return.
//!
//! It acts where the published training code has it: on the weights of attention (one draw for all
//! heads and sequences), inside the feed-forward layer, and on what attention and feed-forward add.

use burn::tensor::Tensor;

use crate::backend::ModelBackend;

/// How a training forward drops numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The part of the numbers that is dropped: 0 to below 1.
    pub rate: f64,
    /// Decides which; the same numbers for the same seed on the same kind of device.
    pub seed: u64,
}

/// Where a layer drops numbers.
#[derive(Clone, Copy)]
pub(super) enum Site {
    /// Weights of attention.
    Weights = 0,
    /// What attention adds.
    Attended = 1,
    /// Inside the feed-forward layer.
    Hidden = 2,
    /// What the feed-forward layer adds.
    FedForward = 3,
}

impl Dropout {
    /// The dropout of layer number `layer`.
    pub(super) fn of_layer(self, layer: usize) -> Self {
        let seed = mixed(self.seed, layer as u64);
        Self { seed, ..self }
    }

    /// The factors for the numbers at a place in a layer.
    pub(super) fn factors<B: ModelBackend, const D: usize>(
        self,
        site: Site,
        shape: [usize; D],
        device: &B::Device,
    ) -> Tensor<B, D> {
        B::dropout_factors(shape, self.rate, mixed(self.seed, site as u64), device)
    }
}

/// A seed of its own for each `number` under `seed`: the finaliser of SplitMix64.
pub(crate) fn mixed(seed: u64, number: u64) -> u64 {
    let steps = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut z = seed.wrapping_add(steps);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
