//! Epochs and heights.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Number of a block; the genesis state has height 0 and the first block height 1.
pub type Height = u64;

/// Milliseconds since 1970-01-01 UTC.
pub type TimestampMs = u64;

/// Number of an epoch, from 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch `count` epochs later; saturates at the last one.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// The epoch `count` epochs earlier, or `None` before epoch 0.
    pub const fn minus(self, count: u64) -> Option<Self> {
        match self.0.checked_sub(count) {
            Some(epoch) => Some(Self(epoch)),
            None => None,
        }
    }

    /// The following epoch.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
