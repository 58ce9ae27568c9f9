//! The size of a model.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::precision::Precision;

/// Tokens: 256 byte values and 8 special ones, of which PAD and EOS are used.
pub const VOCAB_SIZE: usize = 264;
/// Places of a sequence.
pub const MAX_SEQ_LEN: usize = 1_024;
/// Sequences of an evaluation batch.
pub const BATCH_SIZE: usize = 16;
/// Added to the variance in layer normalisation.
pub const LAYER_NORM_EPSILON: f64 = 1e-5;

/// Hyper-parameters of the V1 architecture.
///
/// ```
/// use soma_model::ModelConfig;
///
/// assert_eq!(ModelConfig::V1.parameter_count(), 1_209_684_232);
/// assert_eq!(ModelConfig::preset("small")?, ModelConfig::SMALL);
/// # Ok::<(), soma_model::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Components of a representation (d).
    pub embedding_dim: usize,
    /// Components inside the feed-forward layer (h).
    pub hidden_dim: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads of a layer; they share d evenly.
    pub heads: usize,
}

/// A model size that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// No preset has this name.
    #[error("no model size is called `{0}`; choose one of {list}", list = preset_names())]
    UnknownPreset(String),
    /// A number is out of range.
    #[error("a model cannot have {name} = {value}: it must be between {min} and {max}")]
    OutOfRange {
        /// The number's name.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The least it may be.
        min: usize,
        /// The most it may be.
        max: usize,
    },
    /// Heads must share the representation evenly, in pairs of components.
    #[error(
        "{heads} heads cannot share {embedding_dim} components evenly in pairs; choose heads so \
         that embedding_dim / heads is even"
    )]
    UnevenHeads {
        /// Heads.
        heads: usize,
        /// Components.
        embedding_dim: usize,
    },
}

/// Model sizes by name, the smallest first.
const PRESETS: [(&str, ModelConfig); 5] = [
    ("small", ModelConfig::SMALL),
    ("mini", ModelConfig::MINI),
    ("base", ModelConfig::BASE),
    ("large", ModelConfig::LARGE),
    ("v1", ModelConfig::V1),
];

fn preset_names() -> String {
    ModelConfig::presets()
        .map(|(name, _)| name)
        .collect::<Vec<_>>()
        .join(", ")
}

impl ModelConfig {
    /// The size of the main network: 1.21 B parameters.
    pub const V1: Self = Self::new(2_048, 24, 8);
    /// 85 M parameters: for one small GPU.
    pub const LARGE: Self = Self::new(768, 12, 12);
    /// 25 M parameters: an hour of a desktop's CPU teaches it something.
    pub const BASE: Self = Self::new(512, 8, 8);
    /// 0.9 M parameters: minutes on two cores.
    pub const MINI: Self = Self::new(128, 4, 4);
    /// 13 thousand parameters: for tests and for trying the network out.
    pub const SMALL: Self = Self {
        embedding_dim: 16,
        hidden_dim: 32,
        layers: 2,
        heads: 4,
    };

    const fn new(embedding_dim: usize, layers: usize, heads: usize) -> Self {
        Self {
            embedding_dim,
            hidden_dim: 4 * embedding_dim,
            layers,
            heads,
        }
    }

    /// All sizes that have a name, the smallest first.
    pub fn presets() -> impl Iterator<Item = (&'static str, Self)> {
        PRESETS.into_iter()
    }

    /// The size called `name`.
    ///
    /// # Errors
    /// [`ConfigError::UnknownPreset`].
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        Self::presets()
            .find(|(known, _)| *known == name)
            .map(|(_, config)| config)
            .ok_or_else(|| ConfigError::UnknownPreset(name.to_owned()))
    }

    /// Checks that a model of this size can be built.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        for (name, value, max) in [
            ("embedding_dim", self.embedding_dim, 65_536),
            ("hidden_dim", self.hidden_dim, 262_144),
            ("layers", self.layers, 1_024),
            ("heads", self.heads, 1_024),
        ] {
            if !(1..=max).contains(&value) {
                let min = 1;
                return Err(ConfigError::OutOfRange {
                    name,
                    value,
                    min,
                    max,
                });
            }
        }
        if !self.embedding_dim.is_multiple_of(2 * self.heads) {
            let (heads, embedding_dim) = (self.heads, self.embedding_dim);
            return Err(ConfigError::UnevenHeads {
                heads,
                embedding_dim,
            });
        }
        Ok(())
    }

    /// Components of one head.
    pub const fn head_dim(&self) -> usize {
        self.embedding_dim / self.heads
    }

    /// Numbers in a weights file.
    pub const fn parameter_count(&self) -> u64 {
        let (d, h) = (self.embedding_dim as u64, self.hidden_dim as u64);
        let vocab = VOCAB_SIZE as u64;
        let layer = 4 * (d * d + d) + 2 * d * h + h + d + 4 * d;
        self.layers as u64 * layer + 2 * d + 2 * vocab * d + vocab
    }

    /// Bytes of the weights in 32-bit floats.
    pub const fn weight_bytes(&self) -> u64 {
        4 * self.parameter_count()
    }

    /// Bytes of the weights as a device keeps them that computes with `precision`.
    pub const fn weight_bytes_in(&self, precision: Precision) -> u64 {
        let (d, h) = (self.embedding_dim as u64, self.hidden_dim as u64);
        let linear = self.layers as u64 * (4 * d * d + 2 * d * h) + d * VOCAB_SIZE as u64;
        self.weight_bytes() - linear * (4 - precision.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_network() {
        assert_eq!(ModelConfig::V1.weight_bytes(), 4_838_736_928);
        assert_eq!(ModelConfig::SMALL.parameter_count(), 13_192);
        assert_eq!(ModelConfig::BASE.parameter_count(), 25_490_696);
        assert_eq!(ModelConfig::LARGE.parameter_count(), 85_461_768);
        for (name, config) in ModelConfig::presets() {
            config.check().unwrap();
            assert_eq!(ModelConfig::preset(name), Ok(config));
        }
    }

    #[test]
    fn impossible_sizes_are_refused_by_name() {
        let error = ModelConfig::preset("huge").unwrap_err().to_string();
        assert!(error.contains("`huge`") && error.contains("small, mini, base, large, v1"));
        let uneven = ModelConfig {
            heads: 3,
            ..ModelConfig::SMALL
        };
        assert!(matches!(
            uneven.check(),
            Err(ConfigError::UnevenHeads { .. })
        ));
        let none = ModelConfig {
            layers: 0,
            ..ModelConfig::SMALL
        };
        assert!(none.check().unwrap_err().to_string().contains("layers = 0"));
    }
}
