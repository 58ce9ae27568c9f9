//! Stake-weighted nearest models.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use soma_types::{Distance, Embedding, ModelId, Shannons};

use crate::distance::{DimensionMismatch, distance_of_dot, dot_fixed};

/// A model near a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// The model.
    pub model: ModelId,
    /// Its distance.
    pub distance: Distance,
}

/// Models by embedding and stake.
pub struct ModelIndex {
    dim: usize,
    models: BTreeMap<ModelId, (Embedding, Shannons)>,
}

impl ModelIndex {
    /// An empty index of embeddings with `dim` components.
    pub fn new(dim: usize) -> Self {
        Self {
            dim,
            models: BTreeMap::new(),
        }
    }

    /// Adds or replaces a model.
    ///
    /// # Errors
    /// Another dimension.
    pub fn insert(
        &mut self,
        model: ModelId,
        embedding: Embedding,
        stake: Shannons,
    ) -> Result<(), DimensionMismatch> {
        if embedding.dim() != self.dim {
            return Err(DimensionMismatch {
                left: self.dim,
                right: embedding.dim(),
            });
        }
        self.models.insert(model, (embedding, stake));
        Ok(())
    }

    /// Sets the stake of a model that is there.
    pub fn set_stake(&mut self, model: &ModelId, stake: Shannons) {
        if let Some(entry) = self.models.get_mut(model) {
            entry.1 = stake;
        }
    }

    /// Removes a model.
    pub fn remove(&mut self, model: &ModelId) {
        self.models.remove(model);
    }

    /// Number of models.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// True without any model.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// The `k` models with the smallest distance / sqrt(stake), ties by id.
    pub fn nearest(&self, direction: &Embedding, k: usize) -> Vec<Neighbor> {
        let mut scored: Vec<_> = self
            .models
            .iter()
            .map(|(id, (embedding, stake))| {
                let distance =
                    distance_of_dot(dot_fixed(direction.as_fixed(), embedding.as_fixed()));
                (*id, distance, *stake)
            })
            .collect();
        scored.sort_by(|a, b| order(a.1, a.2, b.1, b.2).then(a.0.cmp(&b.0)));
        scored
            .iter()
            .take(k)
            .map(|(model, distance, _)| Neighbor {
                model: *model,
                distance: *distance,
            })
            .collect()
    }

    /// [`ModelIndex::nearest`] of many directions.
    pub fn nearest_batch(&self, directions: &[Embedding], k: usize) -> Vec<Vec<Neighbor>> {
        directions
            .iter()
            .map(|direction| self.nearest(direction, k))
            .collect()
    }
}

fn order(a: Distance, stake_a: Shannons, b: Distance, stake_b: Shannons) -> Ordering {
    match (stake_a.is_zero(), stake_b.is_zero()) {
        (true, true) => a.cmp(&b),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let square = |d: Distance| u128::from(d.0) * u128::from(d.0);
            (square(a) * u128::from(stake_b.0)).cmp(&(square(b) * u128::from(stake_a.0)))
        }
    }
}
