//! What a model needs in memory, and what there is.

use soma_model::config::{MAX_SEQ_LEN, VOCAB_SIZE};
use soma_model::sigreg::SLICES;
use soma_model::{ModelConfig, Precision};
use sysinfo::System;

/// Bytes that a model needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryNeeds {
    /// The weights.
    pub weights: u64,
    /// What an evaluation needs beside them, at most.
    pub working: u64,
    /// What loading needs of the host's memory, whatever the device.
    pub staging: u64,
}

impl MemoryNeeds {
    /// Of a model of size `config` that computes with `precision`, with `sequences` on the device at
    /// a time.
    ///
    /// Alive at the same time are at most: nine tensors as wide as a representation (input, norm,
    /// queries, keys, values, rotated ones, output), three as wide as the feed-forward layer, the
    /// logits and their logarithms, the projections of SIGReg, the scores of a block of attention,
    /// and while loading the largest weight once more.
    pub fn of(config: &ModelConfig, precision: Precision, sequences: usize) -> Self {
        let [d, h] = [config.embedding_dim as u64, config.hidden_dim as u64];
        let [vocabulary, slices] = [VOCAB_SIZE as u64, SLICES as u64];
        let places = (sequences * MAX_SEQ_LEN) as u64;
        let width = 9 * d + 3 * h + 3 * vocabulary + 4 * slices + config.heads as u64 * 256;
        let largest = d * h.max(vocabulary);
        Self {
            weights: config.weight_bytes_in(precision),
            working: 4 * (places * width + largest + d * slices * 2),
            staging: 2 * 4 * largest,
        }
    }

    /// What the device must have: weights and what is computed.
    pub fn total(&self) -> u64 {
        self.weights + self.working
    }
}

/// Memory of this machine in bytes: all, and what is free now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostMemory {
    /// All of it, or what a container may use.
    pub total: u64,
    /// What can be had without swapping.
    pub available: u64,
}

impl HostMemory {
    /// As it is now.
    pub fn now() -> Self {
        let mut system = System::new();
        system.refresh_memory();
        let (mut total, mut available) = (system.total_memory(), system.available_memory());
        if let Some(limits) = system.cgroup_limits() {
            total = total.min(limits.total_memory);
            available = available.min(limits.free_memory);
        }
        Self { total, available }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_model_fits_into_a_quarter_more_than_its_weights() {
        let needs = MemoryNeeds::of(&ModelConfig::V1, Precision::F32, 4);
        assert_eq!(needs.weights, 4_838_736_928);
        let half = MemoryNeeds::of(&ModelConfig::V1, Precision::Bf16, 4);
        assert!(half.weights < needs.weights * 51 / 100, "{half:?}");
        assert!(needs.total() < needs.weights / 4 * 5, "{needs:?}");
    }

    #[test]
    fn this_machine_has_memory() {
        let memory = HostMemory::now();
        assert!(
            memory.total > 0 && memory.available <= memory.total,
            "{memory:?}"
        );
    }
}
