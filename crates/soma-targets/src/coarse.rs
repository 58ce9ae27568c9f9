//! Coarse copies of embeddings in eight bits, with proven bounds on what the rounding can do.
//!
//! For a model x = s·c + r (c in eight bits, r the rest) and a direction q = u/U + e (u in sixteen
//! bits, e the rest), Cauchy–Schwarz bounds the error of the coarse dot product:
//!
//! ```text
//! |⟨q, x⟩ − s/U · ⟨u, c⟩| ≤ ‖q‖·‖r‖ + ‖e‖·‖s·c‖
//! ```
//!
//! The coarse product only decides which models are looked at exactly; the answer never depends
//! on it. Floats appear here and in `select` for that reason alone, rounded outward by a slack
//! that is far above their error.

use soma_types::Embedding;
use soma_types::embedding::EMBEDDING_ONE;

/// Components in a chunk.
pub(crate) const CHUNK: usize = 32;

/// Eight-bit components of a model.
pub(crate) type ModelChunk = [i8; CHUNK];
/// Sixteen-bit components of a direction.
pub(crate) type QueryChunk = [i16; CHUNK];

/// Relative slack on every bound, and on norms that are one within 2^-16.
const RELATIVE_SLACK: f64 = 1e-4;
/// Absolute slack on every bound: above the rounding of the distance and of 32-bit floats.
const ABSOLUTE_SLACK: f64 = 2e-6;

/// Chunks of an embedding with `dim` components.
pub(crate) fn chunks(dim: usize) -> usize {
    dim.div_ceil(CHUNK)
}

fn components(embedding: &Embedding) -> impl ExactSizeIterator<Item = f64> + Clone {
    let one = EMBEDDING_ONE as f64;
    embedding
        .as_fixed()
        .iter()
        .map(move |component| f64::from(*component) / one)
}

/// A model's coarse copy.
pub(crate) struct CoarseModel {
    pub(crate) chunks: Vec<ModelChunk>,
    /// s: one unit of a coarse component.
    pub(crate) scale: f32,
    /// At least ‖r‖.
    pub(crate) residual: f32,
}

impl CoarseModel {
    pub(crate) fn of(embedding: &Embedding) -> Self {
        let largest = components(embedding).fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
        // The scale is fixed in 32 bits first, so that the residual is that of the stored values.
        let scale = (largest / 127.0) as f32;
        let unit = f64::from(scale);
        let mut stored = vec![[0i8; CHUNK]; chunks(embedding.dim())];
        let mut squares = 0.0;
        for (index, value) in components(embedding).enumerate() {
            let coarse = (value / unit).round_ties_even().clamp(-127.0, 127.0);
            stored[index / CHUNK][index % CHUNK] = coarse as i8;
            let rest = value - coarse * unit;
            squares += rest * rest;
        }
        let residual = (squares.sqrt() * (1.0 + RELATIVE_SLACK)) as f32;
        Self {
            chunks: stored,
            scale,
            residual: residual.next_up(),
        }
    }
}

/// A direction's coarse copy.
pub(crate) struct CoarseQuery {
    pub(crate) chunks: Vec<QueryChunk>,
    /// 1/U.
    pub(crate) scale: f32,
    error_slope: f32,
    error_offset: f32,
}

impl CoarseQuery {
    pub(crate) fn of(embedding: &Embedding) -> Self {
        let largest = components(embedding).fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
        // Every partial sum of ⟨u, c⟩ is at most ‖u‖·‖c‖ ≤ 1.01·U · 127·√d: it must fit 31 bits.
        let dim = embedding.dim() as f64;
        let fits = 2_147_483_647.0 / (127.0 * dim.sqrt() * 1.05);
        let precision = (32_766.0 / largest).min(fits).floor().max(1.0);
        let mut stored = vec![[0i16; CHUNK]; chunks(embedding.dim())];
        let mut squares = 0.0;
        for (index, value) in components(embedding).enumerate() {
            let coarse = (value * precision)
                .round_ties_even()
                .clamp(-32_767.0, 32_767.0);
            stored[index / CHUNK][index % CHUNK] = coarse as i16;
            let rest = value - coarse / precision;
            squares += rest * rest;
        }
        let residual = squares.sqrt() * (1.0 + RELATIVE_SLACK);
        // ‖q‖·‖r‖ + ‖e‖·‖s·c‖ with ‖q‖, ‖x‖ ≤ 1 + slack and ‖s·c‖ ≤ ‖x‖ + ‖r‖.
        let norm = 1.0 + RELATIVE_SLACK;
        let slope = (norm + residual) * norm;
        let offset = residual * norm * norm + ABSOLUTE_SLACK;
        Self {
            chunks: stored,
            scale: (1.0 / precision) as f32,
            error_slope: slope as f32,
            error_offset: offset as f32,
        }
    }

    /// At least the error of the coarse dot product with a model of this residual.
    #[inline]
    pub(crate) fn error_bound(&self, model_residual: f32) -> f32 {
        self.error_slope * model_residual + self.error_offset
    }
}
