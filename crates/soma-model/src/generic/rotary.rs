//! Rotation of heads by their positions.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

pub(crate) fn rotate<B: Backend>(
    x: Tensor<B, 3>,
    cos: Tensor<B, 3>,
    sin: Tensor<B, 3>,
    heads: usize,
) -> Tensor<B, 3> {
    let [batch, places, dim] = x.dims();
    let half = dim / heads / 2;
    let x = x.reshape([batch, places, heads, 2, half]);
    let at = |index: usize| {
        let ranges = [0..batch, 0..places, 0..heads, index..index + 1, 0..half];
        x.clone().slice(ranges)
    };
    let table = |table: Tensor<B, 3>| table.reshape([batch, places, 1, 1, half]);
    let (a, b, cos, sin) = (at(0), at(1), table(cos), table(sin));
    let first = a.clone() * cos.clone() - b.clone() * sin.clone();
    let second = b * cos + a * sin;
    Tensor::cat(vec![first, second], 3).reshape([batch, places, dim])
}
