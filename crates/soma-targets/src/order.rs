//! The order of models around a direction: distance / √stake, compared without division or roots.

use std::cmp::Ordering;

use soma_types::{Distance, ModelId, Shannons};

/// What decides a model's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Score {
    /// Distance to the direction.
    pub(crate) distance: Distance,
    /// The model's stake.
    pub(crate) stake: Shannons,
    /// The model: ties go to the smaller id.
    pub(crate) model: ModelId,
}

impl Score {
    /// d_i / √s_i < d_j / √s_j exactly where d_i² · s_j < d_j² · s_i. Distances are at most 2^31
    /// and stakes below 2^64, so both products fit in 128 bits. Models without stake come last.
    fn weighted(&self, other: &Self) -> Ordering {
        let square = |distance: Distance| u128::from(distance.0) * u128::from(distance.0);
        match (self.stake.is_zero(), other.stake.is_zero()) {
            (true, true) => self.distance.cmp(&other.distance),
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let ours = square(self.distance) * u128::from(other.stake.0);
                ours.cmp(&(square(other.distance) * u128::from(self.stake.0)))
            }
        }
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.weighted(other).then(self.model.cmp(&other.model))
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
