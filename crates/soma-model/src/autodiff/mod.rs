//! Gradients of the model's own operations, for training on any backend.

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::BackendTypes;
use burn::tensor::{Tensor, TensorPrimitive};

use crate::backend::ModelBackend;

/// An operation on N tensors with D axes that have gradients, and a result with E axes.
trait Operation<B: ModelBackend, const N: usize, const D: usize, const E: usize> {
    /// What the gradients need.
    type Kept: Clone + Debug + Send + 'static;

    fn forward(self, inputs: [Tensor<B, D>; N]) -> (Tensor<B, E>, Self::Kept);

    /// What `grad` at the result is at the inputs.
    fn gradients(kept: Self::Kept, grad: Tensor<B, E>) -> [Tensor<B, D>; N];
}

/// The backward step of an [`Operation`].
struct Step<O, const D: usize, const E: usize>(PhantomData<fn() -> O>);

impl<O, const D: usize, const E: usize> Debug for Step<O, D, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::any::type_name::<O>())
    }
}

impl<B, O, const N: usize, const D: usize, const E: usize> Backward<B, N> for Step<O, D, E>
where
    B: ModelBackend,
    O: Operation<B, N, D, E> + 'static,
{
    type State = O::Kept;

    fn backward(self, ops: Ops<O::Kept, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let grad = tensor(gradients.consume::<B>(&ops.node));
        let results = O::gradients(ops.state, grad);
        for (parent, result) in ops.parents.into_iter().zip(results) {
            if let Some(parent) = parent {
                gradients.register::<B>(parent.id, primitive(result));
            }
        }
    }
}

type Primitive<B> = <B as BackendTypes>::FloatTensorPrimitive;

fn tensor<B: ModelBackend, const D: usize>(primitive: Primitive<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

fn primitive<B: ModelBackend, const D: usize>(tensor: Tensor<B, D>) -> Primitive<B> {
    tensor.into_primitive().tensor()
}

fn tracked<B, C, O, const N: usize, const D: usize, const E: usize>(
    operation: O,
    inputs: [Tensor<Autodiff<B, C>, D>; N],
) -> Tensor<Autodiff<B, C>, E>
where
    B: ModelBackend,
    C: CheckpointStrategy,
    O: Operation<B, N, D, E> + 'static,
{
    let inputs = inputs.map(primitive);
    let nodes = inputs.each_ref().map(|input| input.node.clone());
    let (result, kept) = operation.forward(inputs.map(|input| tensor(input.primitive)));
    let result = primitive(result);
    let step = Step::<O, D, E>(PhantomData);
    let prepared = step.prepare::<C>(nodes).compute_bound().stateful();
    tensor(match prepared {
        OpsKind::Tracked(step) => step.finish(kept, result),
        OpsKind::UnTracked(step) => step.finish(result),
    })
}

struct Gelu;

impl<B: ModelBackend> Operation<B, 1, 3, 3> for Gelu {
    type Kept = Tensor<B, 3>;

    fn forward(self, [x]: [Tensor<B, 3>; 1]) -> (Tensor<B, 3>, Self::Kept) {
        (B::gelu_exact(x.clone()), x)
    }

    fn gradients(x: Self::Kept, grad: Tensor<B, 3>) -> [Tensor<B, 3>; 1] {
        [B::gelu_gradient(x, grad)]
    }
}

#[derive(Clone, Debug)]
struct Rotate<B: ModelBackend> {
    cos: Tensor<B, 3>,
    sin: Tensor<B, 3>,
    heads: usize,
}

impl<B: ModelBackend> Operation<B, 1, 3, 3> for Rotate<B> {
    type Kept = Self;

    fn forward(self, [x]: [Tensor<B, 3>; 1]) -> (Tensor<B, 3>, Self) {
        let result = B::rotate(x, self.cos.clone(), self.sin.clone(), self.heads);
        (result, self)
    }

    fn gradients(Self { cos, sin, heads }: Self, grad: Tensor<B, 3>) -> [Tensor<B, 3>; 1] {
        [B::rotate(grad, cos, sin.neg(), heads)]
    }
}

#[derive(Clone, Debug)]
struct Attention<B: ModelBackend> {
    heads: usize,
    kept: Option<Tensor<B, 2>>,
}

impl<B: ModelBackend> Operation<B, 3, 3, 3> for Attention<B> {
    type Kept = (Self, [Tensor<B, 3>; 3]);

    fn forward(self, qkv: [Tensor<B, 3>; 3]) -> (Tensor<B, 3>, Self::Kept) {
        let [q, k, v] = qkv.clone();
        let result = B::causal_attention(q, k, v, self.heads, self.kept.clone());
        (result, (self, qkv))
    }

    fn gradients((this, qkv): Self::Kept, grad: Tensor<B, 3>) -> [Tensor<B, 3>; 3] {
        B::attention_gradients(qkv, this.heads, this.kept, grad)
    }
}

struct SigReg;

impl<B: ModelBackend> Operation<B, 1, 2, 1> for SigReg {
    type Kept = Tensor<B, 2>;

    fn forward(self, [x]: [Tensor<B, 2>; 1]) -> (Tensor<B, 1>, Self::Kept) {
        (B::sigreg_statistics(x.clone()), x)
    }

    fn gradients(x: Self::Kept, grad: Tensor<B, 1>) -> [Tensor<B, 2>; 1] {
        [B::sigreg_gradient(x, grad)]
    }
}

/// The gradients are not differentiable again: those of this backend are the defaults.
impl<B: ModelBackend, C: CheckpointStrategy> ModelBackend for Autodiff<B, C> {
    fn checked<T: Send + 'static>(device: &Self::Device, work: impl FnOnce() -> T + Send) -> T {
        B::checked(device, work)
    }

    fn taken_bytes(device: &Self::Device) -> Option<u64> {
        B::taken_bytes(device)
    }

    fn gelu_exact(x: Tensor<Self, 3>) -> Tensor<Self, 3> {
        tracked(Gelu, [x])
    }

    /// `cos` and `sin` have no gradients.
    fn rotate(
        x: Tensor<Self, 3>,
        cos: Tensor<Self, 3>,
        sin: Tensor<Self, 3>,
        heads: usize,
    ) -> Tensor<Self, 3> {
        let (cos, sin) = (cos.inner(), sin.inner());
        tracked(Rotate { cos, sin, heads }, [x])
    }

    /// `kept` has no gradient.
    fn causal_attention(
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        heads: usize,
        kept: Option<Tensor<Self, 2>>,
    ) -> Tensor<Self, 3> {
        let kept = kept.map(Tensor::inner);
        tracked(Attention { heads, kept }, [q, k, v])
    }

    fn dropout_factors<const D: usize>(
        shape: [usize; D],
        rate: f64,
        seed: u64,
        device: &Self::Device,
    ) -> Tensor<Self, D> {
        Tensor::from_inner(B::dropout_factors(shape, rate, seed, device))
    }

    fn sigreg_statistics(x: Tensor<Self, 2>) -> Tensor<Self, 1> {
        tracked(SigReg, [x])
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
