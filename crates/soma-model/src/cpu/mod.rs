//! Kernels for the CPU: causal attention that skips what the mask hides, GELU, rotation, SIGReg,
//! and their gradients. Each is compiled for several vector widths, and the widest that the CPU has is chosen at run time.

mod attention;
mod dropout;
mod gelu;
mod math;
mod matrix;
mod rotary;
mod sigreg;

use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_flex::{Flex, FlexTensor, Layout};

use crate::backend::ModelBackend;

type Floats<const D: usize> = Tensor<Flex, D>;

fn primitive<const D: usize>(tensor: Floats<D>) -> FlexTensor {
    let tensor = tensor.into_primitive().tensor();
    match tensor.is_contiguous() {
        true => tensor,
        false => tensor.to_contiguous(),
    }
}

fn wrap<const D: usize>(tensor: FlexTensor) -> Floats<D> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}

fn fresh<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Floats<D> {
    let layout = Layout::contiguous(shape.into());
    let bytes = burn::tensor::Bytes::from_elems(values);
    wrap(FlexTensor::new(bytes, layout, DType::F32))
}

impl ModelBackend for Flex {
    fn gelu_exact(x: Floats<3>) -> Floats<3> {
        let mut x = primitive(x);
        gelu::in_place(x.storage_mut());
        wrap(x)
    }

    fn gelu_gradient(x: Floats<3>, grad: Floats<3>) -> Floats<3> {
        let (x, mut grad) = (primitive(x), primitive(grad));
        gelu::gradient_in_place(grad.storage_mut(), x.storage());
        wrap(grad)
    }

    fn rotate(x: Floats<3>, cos: Floats<3>, sin: Floats<3>, heads: usize) -> Floats<3> {
        let [_, _, dim] = x.dims();
        let (mut x, cos, sin) = (primitive(x), primitive(cos), primitive(sin));
        rotary::in_place(x.storage_mut(), cos.storage(), sin.storage(), dim, heads);
        wrap(x)
    }

    fn causal_attention(
        q: Floats<3>,
        k: Floats<3>,
        v: Floats<3>,
        heads: usize,
        kept: Option<Floats<2>>,
    ) -> Floats<3> {
        let [batch, places, dim] = q.dims();
        let shape = attention::Shape::new(places, dim, heads);
        let qkv = [q, k, v].map(primitive);
        let kept = kept.map(primitive);
        let mut out = vec![0.0; batch * places * dim];
        let kept = kept.as_ref().map(|kept| kept.storage());
        attention::causal(shape, qkv.each_ref().map(|x| x.storage()), kept, &mut out);
        fresh(out, [batch, places, dim])
    }

    fn attention_gradients(
        qkv: [Floats<3>; 3],
        heads: usize,
        kept: Option<Floats<2>>,
        grad: Floats<3>,
    ) -> [Floats<3>; 3] {
        let [batch, places, dim] = grad.dims();
        let shape = attention::Shape::new(places, dim, heads);
        let qkv = qkv.map(primitive);
        let (kept, grad) = (kept.map(primitive), primitive(grad));
        let mut results = [(); 3].map(|()| vec![0.0; batch * places * dim]);
        attention::gradients(
            shape,
            qkv.each_ref().map(|x| x.storage()),
            kept.as_ref().map(|kept| kept.storage()),
            grad.storage(),
            results.each_mut().map(Vec::as_mut_slice),
        );
        let by_heads = [batch, heads, places, dim / heads];
        results.map(|x| {
            let x = fresh(x, by_heads).swap_dims(1, 2);
            x.reshape([batch, places, dim])
        })
    }

    fn dropout_factors<const D: usize>(
        shape: [usize; D],
        rate: f64,
        seed: u64,
        _: &Self::Device,
    ) -> Floats<D> {
        let len = shape.iter().product();
        fresh(dropout::factors(len, rate, seed), shape)
    }

    fn sigreg_statistics(x: Floats<2>) -> Floats<1> {
        let [places, slices] = x.dims();
        let x = primitive(x);
        fresh(sigreg::statistics(x.storage(), slices), [places])
    }

    fn sigreg_gradient(x: Floats<2>, grad: Floats<1>) -> Floats<2> {
        let shape = x.dims();
        let (x, grad) = (primitive(x), primitive(grad));
        fresh(
            sigreg::gradient(x.storage(), shape[1], grad.storage()),
            shape,
        )
    }
}
