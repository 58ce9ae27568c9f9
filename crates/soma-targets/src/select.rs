//! Which models can be among the nearest: by bounds on their scores.
//!
//! A model whose lower bound is above the k-th smallest upper bound cannot be among the k nearest.
//! The others are few, and are compared exactly.

use crate::coarse::CoarseQuery;

/// Weight of models without stake: any of them is behind every model with stake.
const NO_STAKE: f32 = 1e30;
/// Relative slack on scores, above the error of three products of 32-bit floats.
const SLACK: f32 = 1e-5;

/// 1/√stake as a factor of the score.
pub(crate) fn weight(stake: u64) -> f32 {
    match stake {
        0 => NO_STAKE,
        stake => (1.0 / (stake as f64).sqrt()) as f32,
    }
}

/// What is known of one model's coarse product.
#[derive(Clone, Copy)]
pub(crate) struct Coarse {
    /// The coarse dot product.
    pub(crate) dot: i32,
    /// The model's scale.
    pub(crate) scale: f32,
    /// Bound of the product's error for this direction.
    pub(crate) error: f32,
    /// The model's weight.
    pub(crate) weight: f32,
}

/// Candidates for the k nearest of one direction.
#[derive(Clone)]
pub(crate) struct Candidates {
    k: usize,
    scale: f32,
    /// The k-th smallest upper bound so far.
    limit: f32,
    /// The k smallest upper bounds so far, ascending.
    upper: Vec<f32>,
    /// Models that were possible when they were seen: lower bound and place.
    possible: Vec<(f32, u32)>,
}

impl Candidates {
    pub(crate) fn new(query: &CoarseQuery, k: usize) -> Self {
        Self {
            k,
            scale: query.scale,
            limit: f32::INFINITY,
            upper: Vec::with_capacity(k + 1),
            possible: Vec::new(),
        }
    }

    fn tighten(&mut self) {
        self.upper.truncate(self.k);
        if self.upper.len() == self.k {
            self.limit = self.upper.last().copied().unwrap_or(f32::INFINITY);
        }
    }

    /// Looks at a model at `place`.
    #[inline]
    pub(crate) fn see(&mut self, place: u32, coarse: Coarse) {
        let distance = 1.0 - coarse.dot as f32 * coarse.scale * self.scale;
        let lower = (distance - coarse.error).max(0.0) * coarse.weight * (1.0 - SLACK);
        if lower > self.limit {
            return;
        }
        self.possible.push((lower, place));
        let upper = (distance + coarse.error).max(0.0) * coarse.weight * (1.0 + SLACK);
        if upper < self.limit {
            let at = self.upper.partition_point(|known| *known <= upper);
            self.upper.insert(at, upper);
            self.tighten();
        }
    }

    /// Joins what two threads saw.
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.upper.extend(other.upper);
        self.upper.sort_by(f32::total_cmp);
        self.tighten();
        self.possible.extend(other.possible);
        self
    }

    /// Places of all models that can be among the k nearest.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> + '_ {
        let limit = self.limit;
        self.possible
            .iter()
            .filter(move |(lower, _)| *lower <= limit)
            .map(|(_, place)| *place)
    }
}
