//! What the model needs of GPUs: failures that are told, and matrix products in 32 bits throughout.
//!
//! Left to themselves, burn's kernels multiply 32-bit matrices with the matrix units of the GPU where
//! it has them, and those of NVIDIA round the factors to 10 bits of fraction (TF32). Scores decide
//! money: what is called F32 here computes as the CPU does.

use burn::tensor::backend::DeviceOps;
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_cubecl::kernel::matmul::init_matmul_output;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems, MatmulSetupError};
use cubek::matmul::launch::{Strategy, launch_ref};
use cubek::std::InputBinding;

use crate::backend::ModelBackend;

impl<R, F, I, T> ModelBackend for CubeBackend<R, F, I, T>
where
    R: CubeRuntime,
    R::Device: DeviceOps,
    F: FloatElement,
    I: IntElement,
    T: BoolElement,
{
    fn taken_bytes(device: &R::Device) -> Option<u64> {
        let usage = R::client(device).memory_usage();
        usage.ok().map(|usage| usage.bytes_reserved)
    }

    fn product<const D: usize>(a: Tensor<Self, D>, b: Tensor<Self, D>) -> Tensor<Self, D> {
        let factors = [a, b].map(|x| x.into_primitive().tensor());
        Tensor::from_primitive(TensorPrimitive::Float(product(factors)))
    }

    fn affine(
        x: Tensor<Self, 3>,
        weights: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
    ) -> Tensor<Self, 3> {
        // One large product is quicker than one of each sequence.
        let [batch, places, dim] = x.dims();
        let width = weights.dims()[1];
        let product = Self::product(x.reshape([batch * places, dim]), weights);
        let product = product.reshape([batch, places, width]);
        match bias {
            Some(bias) => product + bias.unsqueeze(),
            None => product,
        }
    }
}

/// The product of two tensors of 32-bit numbers without matrix units.
fn product<R: CubeRuntime>([a, b]: [CubeTensor<R>; 2]) -> CubeTensor<R> {
    let out = init_matmul_output(&a, &b, DType::F32);
    let launch = |strategy: &Strategy| -> Result<(), MatmulSetupError> {
        let input = |x: &CubeTensor<R>| InputBinding::new(x.clone().binding(), x.dtype.into());
        let mut types = MatmulElems::from_globals(&MatmulGlobalElems {
            lhs: a.dtype.into(),
            rhs: b.dtype.into(),
            out: out.dtype.into(),
        });
        let target = out.clone().binding();
        launch_ref(
            strategy,
            &out.client,
            input(&a),
            input(&b),
            target,
            &mut types,
        )
    };
    // The last one takes any shape on any GPU.
    launch(&Strategy::SimpleUnit(Default::default()))
        .or_else(|_| launch(&Strategy::Naive))
        .expect("a product of two matrices that fit");
    out
}
