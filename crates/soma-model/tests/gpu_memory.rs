//! A GPU whose memory does not suffice says so, instead of computing with what lies there by chance,
//! and works on.
#![cfg(any(feature = "wgpu", feature = "cuda"))]

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Tensor;
use soma_model::{Device, ModelBackend, OnDevice};

/// More numbers than any GPU has room for.
const TOO_MANY: usize = 1 << 40;

struct AddUp(usize);

impl OnDevice for AddUp {
    type Output = Vec<f32>;

    fn run<B: ModelBackend>(self, device: B::Device) -> Vec<f32> {
        B::checked(&device, || {
            let sum = (Tensor::<B, 1>::zeros([self.0], &device) + 1).sum();
            sum.into_data().iter::<f32>().collect()
        })
    }
}

fn says_so_and_works_on(device: Device) {
    let add_up = |count| catch_unwind(AssertUnwindSafe(|| device.run(AddUp(count)).unwrap()));
    assert_eq!(add_up(1_000).unwrap(), [1_000.0]);
    assert!(add_up(TOO_MANY).is_err());
    assert_eq!(add_up(1_000).unwrap(), [1_000.0]);
    device.probe().unwrap();
}

#[cfg(feature = "wgpu")]
#[test]
fn too_little_memory_is_told_through_wgpu() {
    says_so_and_works_on(Device::Wgpu(None));
}

#[cfg(feature = "cuda")]
#[test]
fn too_little_memory_is_told_on_cuda() {
    says_so_and_works_on(Device::Cuda(0));
}
