//! The statistic of SIGReg and its gradient. Names as in [`crate::sigreg`].
//!
//! cos and sin of t_j·x follow from those of t_1·x by rotation, one point after the other. The
//! gradient at a number of row i is
//!
//! ```text
//! grad_i · Σ_j 2·w_j·t_j·(D_j·cos(t_j·x) − (C_j − φ_j)·sin(t_j·x))
//! ```

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::sigreg::{STEP, points};

/// cos and sin of t_j·x for j = 0, 1, 2, …
struct Angles<B: Backend> {
    first: (Tensor<B, 2>, Tensor<B, 2>),
    current: (Tensor<B, 2>, Tensor<B, 2>),
}

impl<B: Backend> Angles<B> {
    fn of(x: Tensor<B, 2>) -> Self {
        let angle = x.mul_scalar(STEP);
        let first = (angle.clone().cos(), angle.sin());
        let current = (first.0.ones_like(), first.1.zeros_like());
        Self { first, current }
    }

    fn turn(&mut self) {
        let ((a, b), (cos, sin)) = (&self.first, &self.current);
        let next = cos.clone() * a.clone() - sin.clone() * b.clone();
        let sin = sin.clone() * a.clone() + cos.clone() * b.clone();
        self.current = (next, sin);
    }

    /// C_j − φ_j and D_j of every row: places × 1.
    fn differences(&self, phi: f32) -> (Tensor<B, 2>, Tensor<B, 2>) {
        let (cos, sin) = &self.current;
        let real = cos.clone().mean_dim(1).sub_scalar(phi);
        (real, sin.clone().mean_dim(1))
    }
}

pub(crate) fn statistics<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 1> {
    let [places, slices] = x.dims();
    let mut total = Tensor::zeros([places, 1], &x.device());
    let mut angles = Angles::of(x);
    for (phi, weight) in points() {
        let (real, imaginary) = angles.differences(phi);
        let term = real.powi_scalar(2) + imaginary.powi_scalar(2);
        total = total + term.mul_scalar(weight * slices as f32);
        angles.turn();
    }
    total.reshape([places])
}

pub(crate) fn gradient<B: Backend>(x: Tensor<B, 2>, grad: Tensor<B, 1>) -> Tensor<B, 2> {
    let mut total = x.zeros_like();
    let mut angles = Angles::of(x);
    for (j, (phi, weight)) in points().into_iter().enumerate() {
        let (real, imaginary) = angles.differences(phi);
        let (cos, sin) = angles.current.clone();
        let factor = 2.0 * f64::from(weight) * STEP * j as f64;
        total = total + (cos * imaginary - sin * real).mul_scalar(factor);
        angles.turn();
    }
    total * grad.unsqueeze_dim(1)
}
