//! The index of models: the nearest to a direction by distance / √stake, exactly.
//!
//! ```text
//! direction ──coarse copy──▶ coarse products with all models (8-bit, SIMD, all threads)
//!                               │ bounds
//!                               ▼
//!                           few candidates ──exact products──▶ exact order ──▶ k nearest
//! ```

use std::collections::BTreeMap;

use rayon::prelude::*;
use soma_types::{Distance, Embedding, ModelId, Shannons};

use crate::coarse::{self, CoarseModel, CoarseQuery, ModelChunk, QueryChunk};
use crate::distance::{DimensionMismatch, distance_of_dot, dot_fixed};
use crate::kernel::{Kernel, MODELS, QUERIES};
use crate::order::Score;
use crate::select::{Candidates, Coarse, weight};

/// Models in a block: one piece of work for a thread.
const BLOCK: usize = 512;
/// Models in a run: what a group of directions meets in one go.
const RUN: usize = 64;

/// A model near a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// The model.
    pub model: ModelId,
    /// Its distance.
    pub distance: Distance,
}

/// Coarse copies of up to [`BLOCK`] models.
#[derive(Default)]
struct Block {
    chunks: Vec<ModelChunk>,
    scales: Vec<f32>,
    residuals: Vec<f32>,
    weights: Vec<f32>,
}

/// Models by embedding and stake.
///
/// Memory for each model: 4 bytes a component for the exact copy, 1 for the coarse one, and about
/// 150 bytes besides.
pub struct ModelIndex {
    dim: usize,
    kernel: Kernel,
    places: BTreeMap<ModelId, u32>,
    ids: Vec<ModelId>,
    stakes: Vec<Shannons>,
    exact: Vec<Embedding>,
    blocks: Vec<Block>,
}

impl ModelIndex {
    /// An empty index of embeddings with `dim` components.
    pub fn new(dim: usize) -> Self {
        Self {
            dim,
            kernel: Kernel::best(),
            places: BTreeMap::new(),
            ids: Vec::new(),
            stakes: Vec::new(),
            exact: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// Number of models.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True without any model.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Adds a model, or replaces its embedding and stake.
    ///
    /// # Errors
    /// [`DimensionMismatch`]; the index is as before.
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
        self.remove(&model);
        let coarse = CoarseModel::of(&embedding);
        if self.ids.len().is_multiple_of(BLOCK) {
            self.blocks.push(Block::default());
        }
        if let (Some(block), Ok(place)) = (self.blocks.last_mut(), u32::try_from(self.ids.len())) {
            block.chunks.extend(coarse.chunks);
            block.scales.push(coarse.scale);
            block.residuals.push(coarse.residual);
            block.weights.push(weight(stake.0));
            self.places.insert(model, place);
            self.ids.push(model);
            self.stakes.push(stake);
            self.exact.push(embedding);
        }
        Ok(())
    }

    /// Sets the stake of a model; unknown models are ignored.
    pub fn set_stake(&mut self, model: &ModelId, stake: Shannons) {
        if let Some(place) = self.places.get(model).map(|place| *place as usize) {
            self.stakes[place] = stake;
            self.blocks[place / BLOCK].weights[place % BLOCK] = weight(stake.0);
        }
    }

    /// Removes a model; unknown models are ignored. The last one takes its place.
    pub fn remove(&mut self, model: &ModelId) {
        let Some(place) = self.places.remove(model).map(|place| place as usize) else {
            return;
        };
        let chunks = coarse::chunks(self.dim);
        let Some(last) = self.blocks.last_mut() else {
            return;
        };
        let row = last.chunks.split_off(last.chunks.len() - chunks);
        let (scale, residual, weight) =
            (last.scales.pop(), last.residuals.pop(), last.weights.pop());
        if last.scales.is_empty() {
            self.blocks.pop();
        }
        self.ids.swap_remove(place);
        self.stakes.swap_remove(place);
        self.exact.swap_remove(place);
        if let (Some(moved), Some(scale), Some(residual), Some(weight)) =
            (self.ids.get(place), scale, residual, weight)
        {
            let (block, at) = (&mut self.blocks[place / BLOCK], place % BLOCK);
            block.chunks[at * chunks..(at + 1) * chunks].copy_from_slice(&row);
            block.scales[at] = scale;
            block.residuals[at] = residual;
            block.weights[at] = weight;
            if let Ok(place) = u32::try_from(place) {
                self.places.insert(*moved, place);
            }
        }
    }

    /// The `k` models with the smallest distance / √stake, nearest first, ties by id. A direction
    /// of another dimension has no neighbors.
    pub fn nearest(&self, direction: &Embedding, k: usize) -> Vec<Neighbor> {
        self.nearest_batch(std::slice::from_ref(direction), k)
            .pop()
            .unwrap_or_default()
    }

    /// [`ModelIndex::nearest`] of many directions at once, in the time of few.
    pub fn nearest_batch(&self, directions: &[Embedding], k: usize) -> Vec<Vec<Neighbor>> {
        if k == 0 || self.is_empty() || directions.iter().any(|d| d.dim() != self.dim) {
            let one = |d: &Embedding| match d.dim() == self.dim && k > 0 {
                true => self.nearest(d, k),
                false => Vec::new(),
            };
            let empty = self.is_empty();
            return directions
                .iter()
                .map(|d| if empty { Vec::new() } else { one(d) })
                .collect();
        }
        let queries: Vec<CoarseQuery> = directions.iter().map(CoarseQuery::of).collect();
        let fresh = || {
            queries
                .iter()
                .map(|query| Candidates::new(query, k))
                .collect::<Vec<_>>()
        };
        let candidates = self
            .blocks
            .par_iter()
            .enumerate()
            .fold(fresh, |mut seen, (number, block)| {
                self.scan(number, block, &queries, &mut seen);
                seen
            })
            .reduce(fresh, |a, b| {
                a.into_iter().zip(b).map(|(a, b)| a.join(b)).collect()
            });
        directions
            .par_iter()
            .zip(candidates)
            .map(|(direction, candidates)| self.order(direction, candidates.places(), k))
            .collect()
    }

    /// The definition of [`ModelIndex::nearest`]: every model exactly. Slow: for tests.
    pub fn nearest_reference(&self, direction: &Embedding, k: usize) -> Vec<Neighbor> {
        if direction.dim() != self.dim {
            return Vec::new();
        }
        self.order(direction, (0u32..).take(self.len()), k)
    }

    /// Shows every model of a block to the candidates of every direction.
    fn scan(&self, number: usize, block: &Block, queries: &[CoarseQuery], seen: &mut [Candidates]) {
        let chunks = coarse::chunks(self.dim);
        let count = block.scales.len();
        let row = |at: usize| &block.chunks[at * chunks..(at + 1) * chunks];
        // A group of directions stays in the first-level cache while it meets a run of models.
        for run in (0..count).step_by(RUN) {
            for (group, seen) in queries.chunks(QUERIES).zip(seen.chunks_mut(QUERIES)) {
                for start in (run..count.min(run + RUN)).step_by(MODELS) {
                    let models: [&[ModelChunk]; MODELS] =
                        std::array::from_fn(|offset| row((start + offset).min(count - 1)));
                    let present = MODELS.min(count - start);
                    let tile = self.products(models, group);
                    for (at, dots) in (start..start + present).zip(&tile) {
                        for ((query, seen), dot) in group.iter().zip(seen.iter_mut()).zip(dots) {
                            let coarse = Coarse {
                                dot: *dot,
                                scale: block.scales[at],
                                error: query.error_bound(block.residuals[at]),
                                weight: block.weights[at],
                            };
                            seen.see((number * BLOCK + at) as u32, coarse);
                        }
                    }
                }
            }
        }
    }

    fn products(
        &self,
        models: [&[ModelChunk]; MODELS],
        group: &[CoarseQuery],
    ) -> [[i32; QUERIES]; MODELS] {
        if let [query] = group {
            return self
                .kernel
                .column(models, &query.chunks)
                .map(|dot| [dot; QUERIES]);
        }
        let queries: [&[QueryChunk]; QUERIES] =
            std::array::from_fn(|at| group[at.min(group.len() - 1)].chunks.as_slice());
        self.kernel.tile(models, queries)
    }

    /// The `k` nearest among the models at `places`, exactly.
    fn order(
        &self,
        direction: &Embedding,
        places: impl Iterator<Item = u32>,
        k: usize,
    ) -> Vec<Neighbor> {
        let mut best: Vec<Score> = Vec::with_capacity(k.min(self.len()) + 1);
        for place in places {
            let place = place as usize;
            let dot = dot_fixed(direction.as_fixed(), self.exact[place].as_fixed());
            let (stake, model) = (self.stakes[place], self.ids[place]);
            let score = Score {
                distance: distance_of_dot(dot),
                stake,
                model,
            };
            if best.len() < k || best.last().is_some_and(|last| score < *last) {
                let at = best.partition_point(|known| *known < score);
                best.insert(at, score);
                best.truncate(k);
            }
        }
        best.iter()
            .map(|s| Neighbor {
                model: s.model,
                distance: s.distance,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
