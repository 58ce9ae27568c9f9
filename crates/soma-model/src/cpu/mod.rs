//! Kernels for the CPU: causal attention that skips what the mask hides, GELU, rotation. Each is
//! compiled for several vector widths, and the widest that the CPU has is chosen at run time.

mod attention;
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
        let (q, k, v) = (primitive(q), primitive(k), primitive(v));
        let kept = kept.map(primitive);
        let shape = attention::Shape {
            places,
            heads,
            head_dim: dim / heads,
        };
        let mut out = vec![0.0; batch * places * dim];
        let inputs = [q.storage(), k.storage(), v.storage()];
        let kept = kept.as_ref().map(|kept| kept.storage());
        attention::causal(shape, inputs, kept, &mut out);
        fresh(out, [batch, places, dim])
    }

    fn sigreg_statistics(x: Floats<2>) -> Floats<1> {
        let [places, slices] = x.dims();
        let x = primitive(x);
        fresh(sigreg::statistics(x.storage(), slices), [places])
    }
}
