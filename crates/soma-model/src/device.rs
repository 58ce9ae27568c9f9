//! Devices by name, and running generic code on the one that was chosen.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use burn::tensor::{DType, Tensor};
use thiserror::Error;

use crate::backend::ModelBackend;
use crate::precision::Precision;

/// Where a model runs: `cpu`, `wgpu`, `wgpu:N`, `cuda`, `cuda:N`, where N counts the devices of
/// that kind from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// A GPU through Vulkan, Metal or DX12: the best one, or a discrete one by number.
    Wgpu(Option<usize>),
    /// An NVIDIA GPU by number.
    Cuda(usize),
}

/// Why there is no such device.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// The name is none of those known.
    #[error("no device is called `{name}`; use cpu, wgpu, wgpu:N, cuda or cuda:N")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The program was built without this kind of device.
    #[error("this program was built without `{device}`; build it with `--features {feature}`")]
    NotBuilt {
        /// The device.
        device: Device,
        /// The feature that is missing.
        feature: &'static str,
    },
    /// The device does not work here.
    #[error(
        "device `{device}` does not work on this machine: {reason}; check its driver, or use \
         `cpu`"
    )]
    Unavailable {
        /// The device.
        device: Device,
        /// What was tried and failed.
        reason: String,
    },
    /// The device computes something else than the CPU.
    #[error(
        "device `{device}` does not compute with {precision} what the CPU does: results for a random \
         model differ by {difference} of their size. Audits would take its scores for fraud; update its \
         driver, or use `cpu`"
    )]
    Inexact {
        /// The device.
        device: Device,
        /// What it computes with.
        precision: Precision,
        /// The largest difference of a loss or an embedding, as a part of its size.
        difference: String,
    },
    /// The device cannot compute so, or only more slowly.
    #[error(
        "device `{device}` does not compute with {precision}, which is for GPUs that have it; use \
         `--precision f32`"
    )]
    Precision {
        /// The device.
        device: Device,
        /// What it was asked for.
        precision: Precision,
    },
}

impl DeviceError {
    /// The stable name of the error.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "UnknownDevice",
            Self::NotBuilt { .. } => "DeviceNotBuilt",
            Self::Unavailable { .. } => "DeviceUnavailable",
            Self::Inexact { .. } => "DeviceInexact",
            Self::Precision { .. } => "DevicePrecision",
        }
    }
}

/// Work for any backend.
pub trait OnDevice {
    /// What it gives.
    type Output;

    /// Does the work on `device`.
    fn run<B: ModelBackend>(self, device: B::Device) -> Self::Output;
}

impl Device {
    /// Does `work` on this device.
    ///
    /// # Errors
    /// [`DeviceError::NotBuilt`].
    pub fn run<W: OnDevice>(self, work: W) -> Result<W::Output, DeviceError> {
        match self {
            #[cfg(feature = "flex")]
            Self::Cpu => Ok(work.run::<crate::Cpu>(Default::default())),
            #[cfg(feature = "wgpu")]
            Self::Wgpu(number) => {
                use burn::backend::wgpu::WgpuDevice;
                let device = number.map_or(WgpuDevice::DefaultDevice, WgpuDevice::DiscreteGpu);
                Ok(work.run::<burn::backend::Wgpu>(device))
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(number) => {
                let device = burn::backend::cuda::CudaDevice::new(number);
                Ok(work.run::<burn::backend::Cuda>(device))
            }
            #[allow(unreachable_patterns)]
            device => Err(DeviceError::NotBuilt {
                device,
                feature: device.feature(),
            }),
        }
    }

    /// Adds two numbers on the device, and says what the backend calls it.
    ///
    /// # Errors
    /// [`DeviceError::NotBuilt`] and [`DeviceError::Unavailable`].
    pub fn probe(self) -> Result<String, DeviceError> {
        #[cfg(feature = "cuda")]
        if let Self::Cuda(number) = self {
            crate::cuda::check(number).map_err(|reason| self.unavailable(reason))?;
        }
        let answer = self.guarded(|| self.run(Probe))?;
        answer.map_err(|reason| self.unavailable(reason))
    }

    /// Does `work` on this device, whose backend panics where a driver is missing or fails.
    pub(crate) fn guarded<T>(
        self,
        work: impl FnOnce() -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| t.to_string()));
            Err(self.unavailable(text.unwrap_or_else(|| "it fails".to_owned())))
        })
    }

    /// Checks that the device, which [`probe`](Self::probe) found to work, computes with `precision`.
    /// The processor does so with 32-bit floats only: it would round to others, and take longer.
    ///
    /// # Errors
    /// [`DeviceError::NotBuilt`] and [`DeviceError::Precision`].
    pub fn check_precision(self, precision: Precision) -> Result<(), DeviceError> {
        let device = self;
        let on_gpu = device != Self::Cpu;
        match precision == Precision::F32 || (on_gpu && self.run(HasBf16)?) {
            true => Ok(()),
            false => Err(DeviceError::Precision { device, precision }),
        }
    }

    /// All memory of a GPU in bytes, where its driver says.
    pub fn memory(self) -> Option<u64> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda(number) => crate::cuda::memory(number),
            _ => None,
        }
    }

    /// True where the device's memory is that of the host.
    pub const fn shares_host_memory(self) -> bool {
        matches!(self, Self::Cpu)
    }

    pub(crate) fn unavailable(self, reason: String) -> DeviceError {
        let reason = reason.lines().next().unwrap_or_default().to_owned();
        DeviceError::Unavailable {
            device: self,
            reason,
        }
    }

    const fn feature(self) -> &'static str {
        match self {
            Self::Cpu => "flex",
            Self::Wgpu(_) => "wgpu",
            Self::Cuda(_) => "cuda",
        }
    }
}

struct HasBf16;

impl OnDevice for HasBf16 {
    type Output = bool;

    fn run<B: ModelBackend>(self, device: B::Device) -> bool {
        B::supports_dtype(&device, DType::BF16)
    }
}

struct Probe;

impl OnDevice for Probe {
    type Output = Result<String, String>;

    fn run<B: ModelBackend>(self, device: B::Device) -> Self::Output {
        let two = Tensor::<B, 1>::from_floats([1.0, 2.0], &device).sum();
        let sum: Vec<f32> = two.into_data().iter::<f32>().collect();
        if sum == [3.0] {
            Ok(B::name(&device))
        } else {
            Err(format!("it says that 1 + 2 is {sum:?}"))
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Wgpu(None) => f.write_str("wgpu"),
            Self::Wgpu(Some(number)) => write!(f, "wgpu:{number}"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown {
            name: name.chars().take(40).collect(),
        };
        let (kind, number) = match name.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse().map_err(|_| unknown())?)),
            None => (name, None),
        };
        match (kind, number) {
            ("cpu", None) => Ok(Self::Cpu),
            ("wgpu", number) => Ok(Self::Wgpu(number)),
            ("cuda", number) => Ok(Self::Cuda(number.unwrap_or(0))),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in ["cpu", "wgpu", "wgpu:1", "cuda", "cuda:3"] {
            assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
        }
        for name in ["", "gpu", "cpu:0", "cuda:", "cuda:-1", "wgpu:a:b"] {
            assert_eq!(name.parse::<Device>().unwrap_err().name(), "UnknownDevice");
        }
    }

    #[test]
    fn the_processor_is_there() {
        assert!(Device::Cpu.probe().is_ok());
    }

    #[test]
    fn the_processor_computes_with_32_bits_only() {
        assert_eq!(Device::Cpu.check_precision(Precision::F32), Ok(()));
        let error = Device::Cpu.check_precision(Precision::Bf16).unwrap_err();
        assert_eq!(error.name(), "DevicePrecision");
        for part in ["`cpu`", "bf16", "--precision f32"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_was_not_built_in_is_named_with_its_feature() {
        let error = Device::Cuda(0).probe().unwrap_err();
        assert_eq!(error.name(), "DeviceNotBuilt");
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }
}
