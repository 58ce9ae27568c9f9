//! Softmax where a place sees itself and those before it, and its gradient.

use pulp::NullaryFnOnce;

use crate::cpu::math::exp_of_negative;

/// Partial results side by side, so that sums and maxima become vector instructions.
const LANES: usize = 16;

/// Softmax of every row of `scores`; row r sees the first `first` + r + 1 columns, the rest is 0.
pub(super) fn softmax(scores: &mut [f32], columns: usize, first: usize) {
    let arch = pulp::Arch::new();
    for (row, scores) in scores.chunks_exact_mut(columns).enumerate() {
        let (seen, hidden) = scores.split_at_mut(first + row + 1);
        arch.dispatch(Softmax(seen));
        hidden.fill(0.0);
    }
}

struct Softmax<'a>(&'a mut [f32]);

impl NullaryFnOnce for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let largest = largest(self.0);
        let mut sums = [0.0f32; LANES];
        let (parts, rest) = self.0.as_chunks_mut::<LANES>();
        for part in parts {
            for (value, sum) in part.iter_mut().zip(&mut sums) {
                *value = exp_of_negative(*value - largest);
                *sum += *value;
            }
        }
        let mut sum: f32 = 0.0;
        for value in rest {
            *value = exp_of_negative(*value - largest);
            sum += *value;
        }
        for part in sums {
            sum += part;
        }
        let factor = 1.0 / sum;
        for value in self.0 {
            *value *= factor;
        }
    }
}

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LANES];
    let (parts, rest) = values.as_chunks::<LANES>();
    for part in parts {
        for (value, largest) in part.iter().zip(&mut largest) {
            *largest = if *value > *largest { *value } else { *largest };
        }
    }
    let mut best = f32::NEG_INFINITY;
    for value in rest.iter().chain(&largest) {
        best = if *value > best { *value } else { best };
    }
    best
}

/// Replaces `flows`, what comes back to the weights, by what comes back to the scores:
/// weight · (flow − sum over the row of weight · flow). Rows as in [`softmax`].
pub(super) fn gradient(flows: &mut [f32], weights: &[f32], columns: usize, first: usize) {
    let arch = pulp::Arch::new();
    let rows = flows.chunks_exact_mut(columns);
    for (row, (flows, weights)) in rows.zip(weights.chunks_exact(columns)).enumerate() {
        let (seen, hidden) = flows.split_at_mut(first + row + 1);
        arch.dispatch(Gradient(seen, weights));
        hidden.fill(0.0);
    }
}

struct Gradient<'a>(&'a mut [f32], &'a [f32]);

impl NullaryFnOnce for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self(flows, weights) = self;
        let weights = &weights[..flows.len()];
        let mut sums = [0.0f32; LANES];
        let (flow_parts, flow_rest) = flows.as_chunks::<LANES>();
        let (weight_parts, weight_rest) = weights.as_chunks::<LANES>();
        for (flows, weights) in flow_parts.iter().zip(weight_parts) {
            for ((flow, weight), sum) in flows.iter().zip(weights).zip(&mut sums) {
                *sum += flow * weight;
            }
        }
        let mut sum: f32 = 0.0;
        for (flow, weight) in flow_rest.iter().zip(weight_rest) {
            sum += flow * weight;
        }
        for part in sums {
            sum += part;
        }
        for (flow, weight) in flows.iter_mut().zip(weights) {
            *flow = weight * (*flow - sum);
        }
    }
}
