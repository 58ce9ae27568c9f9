//! The gradients, by kernels of the CPU and by burn's operations, are those that burn derives from
//! the operations themselves.

use burn::tensor::{Distribution, Tensor};

use super::*;
use crate::Cpu;
use crate::generic::{attention, elements, rotary, sigreg};

type Trained = Autodiff<Cpu>;
type Plain<const D: usize> = Tensor<Cpu, D>;

/// More places than a block of queries, and sizes that fill no vector.
const SHAPE: [usize; 3] = [2, 300, 18];
const HEADS: usize = 3;

fn random<const D: usize>(shape: [usize; D]) -> Plain<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.5), &Default::default())
}

/// What `grad` at the result of `forward` is at the inputs, by burn.
fn derived<const N: usize, const D: usize, const E: usize>(
    inputs: [Plain<D>; N],
    grad: Plain<E>,
    forward: impl FnOnce([Tensor<Trained, D>; N]) -> Tensor<Trained, E>,
) -> [Plain<D>; N] {
    let inputs = inputs.map(|x| Tensor::<Trained, D>::from_inner(x).require_grad());
    let result = forward(inputs.clone()) * Tensor::from_inner(grad);
    let gradients = result.sum().backward();
    inputs.map(|x| x.grad(&gradients).unwrap())
}

fn assert_near<const D: usize>(one: Plain<D>, other: Plain<D>) {
    assert_eq!(one.dims(), other.dims());
    let size = f64::from(other.clone().abs().max().into_scalar()).max(1.0);
    let difference = f64::from((one - other).abs().max().into_scalar());
    assert!(
        difference < 1e-5 * size,
        "{difference} where values reach {size}"
    );
}

#[test]
fn attention_has_the_derived_gradients() {
    for rate in [0.0, 0.25] {
        let qkv = [(); 3].map(|()| random(SHAPE));
        let grad = random(SHAPE);
        let kept = (rate > 0.0).then(|| {
            let square = [SHAPE[1], SHAPE[1]];
            Cpu::dropout_factors(square, rate, 7, &Default::default())
        });
        let expected = derived(qkv.clone(), grad.clone(), |qkv| {
            attention::causal(qkv, HEADS, kept.clone().map(Tensor::from_inner))
        });
        let by_operations = attention::gradients(qkv.clone(), HEADS, kept.clone(), grad.clone());
        let by_kernels = derived(qkv, grad, |[q, k, v]| {
            Trained::causal_attention(q, k, v, HEADS, kept.map(Tensor::from_inner))
        });
        for (at, expected) in expected.into_iter().enumerate() {
            assert_near(by_operations[at].clone(), expected.clone());
            assert_near(by_kernels[at].clone(), expected);
        }
    }
}

#[test]
fn gelu_has_the_derived_gradient() {
    let (x, grad) = (random(SHAPE), random(SHAPE));
    let [expected] = derived([x.clone()], grad.clone(), |[x]| elements::gelu(x));
    let [by_kernel] = derived([x.clone()], grad.clone(), |[x]| Trained::gelu_exact(x));
    assert_near(by_kernel, expected.clone());
    assert_near(elements::gelu_gradient(x, grad), expected);
}

#[test]
fn rotation_has_the_derived_gradient() {
    let (x, grad) = (random(SHAPE), random(SHAPE));
    let half = SHAPE[2] / HEADS / 2;
    let (cos, sin) = (random([2, 300, half]), random([2, 300, half]));
    let tables = || {
        (
            Tensor::from_inner(cos.clone()),
            Tensor::from_inner(sin.clone()),
        )
    };
    let [expected] = derived([x.clone()], grad.clone(), |[x]| {
        let (cos, sin) = tables();
        rotary::rotate(x, cos, sin, HEADS)
    });
    let [by_kernel] = derived([x], grad, |[x]| {
        let (cos, sin) = tables();
        Trained::rotate(x, cos, sin, HEADS)
    });
    assert_near(by_kernel, expected);
}

#[test]
fn sigreg_has_the_derived_gradient() {
    let (x, grad) = (random([70, 37]), random([70]));
    let [expected] = derived([x.clone()], grad.clone(), |[x]| sigreg::statistics(x));
    let [by_kernel] = derived([x.clone()], grad.clone(), |[x]| {
        Trained::sigreg_statistics(x)
    });
    assert_near(by_kernel, expected.clone());
    assert_near(sigreg::gradient(x, grad), expected);
}

#[test]
fn the_kernels_compute_what_the_operations_do() {
    let qkv = [(); 3].map(|()| random(SHAPE));
    let [q, k, v] = qkv.clone();
    let by_kernel = Cpu::causal_attention(q, k, v, HEADS, None);
    assert_near(by_kernel, attention::causal(qkv, HEADS, None));
    let x = random([70, 37]);
    assert_near(Cpu::sigreg_statistics(x.clone()), sigreg::statistics(x));
    let x = random(SHAPE);
    assert_near(Cpu::gelu_exact(x.clone()), elements::gelu(x.clone()));
    let half = SHAPE[2] / HEADS / 2;
    let (cos, sin) = (random([2, 300, half]), random([2, 300, half]));
    let by_kernel = Cpu::rotate(x.clone(), cos.clone(), sin.clone(), HEADS);
    assert_near(by_kernel, rotary::rotate(x, cos, sin, HEADS));
}

#[test]
fn dropout_drops_the_part_it_should_and_the_seed_decides_which() {
    let factors = |seed| -> Vec<f32> {
        let factors = Cpu::dropout_factors([100, 1_001], 0.1, seed, &Default::default());
        factors.into_data().to_vec().unwrap()
    };
    let (one, other) = (factors(1), factors(2));
    assert_eq!(one, factors(1));
    assert_ne!(one, other);
    for factors in [one, other] {
        let dropped = factors.iter().filter(|factor| **factor == 0.0).count();
        assert!((9_500..10_500).contains(&dropped), "{dropped}");
        assert!(
            factors
                .iter()
                .all(|factor| *factor == 0.0 || *factor == 1.0 / 0.9)
        );
    }
}
