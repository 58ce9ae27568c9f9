//! The golden values, with the kernels of the CPU and with the operations that every backend has.

use std::path::Path;

use burn::backend::Autodiff;
use soma_model::check::{Comparison, check_folder};
use soma_model::{Cpu, Device, ModelBackend, OnDevice};

struct Golden;

impl OnDevice for Golden {
    type Output = ();

    fn run<B: ModelBackend>(self, device: B::Device) {
        let folder =
            Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("testdata/model-v1");
        let mut all: Vec<Comparison> = Vec::new();
        check_folder::<B>(&folder, &device, &mut |line| all.push(line)).unwrap();
        let failed: Vec<_> = all.iter().filter(|line| !line.passed).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        // Two sizes with seven inputs, one of them with two batches.
        assert_eq!(all.len(), 2 * (7 * (3 + 3 + 3) + 3));
    }
}

#[test]
fn all_golden_values_are_met() {
    Device::Cpu.run(Golden).unwrap();
}

#[test]
fn all_golden_values_are_met_where_gradients_are_kept() {
    Golden.run::<Autodiff<Cpu>>(Default::default());
}

/// On software Vulkan where there is no GPU.
#[cfg(feature = "wgpu")]
#[test]
fn all_golden_values_are_met_through_wgpu() {
    println!("{}", Device::Wgpu(None).probe().unwrap());
    Device::Wgpu(None).run(Golden).unwrap();
}

#[cfg(feature = "cuda")]
#[test]
fn all_golden_values_are_met_through_cuda() {
    println!("{}", Device::Cuda(0).probe().unwrap());
    Device::Cuda(0).run(Golden).unwrap();
}
