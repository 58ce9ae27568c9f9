//! What an NVIDIA GPU needs of the machine, asked for by name: where something is missing, the
//! backend panics on a thread of its own.

use cubecl_cuda::install::cuda_path;
use cudarc::driver::CudaContext;

/// Checks that there is a GPU with this number and the software to use it; else what is missing.
pub(crate) fn check(number: usize) -> Result<(), String> {
    let [driver, compiler] = libraries();
    if !driver {
        return Err("there is no NVIDIA driver (libcuda)".to_owned());
    }
    if !compiler {
        return Err(
            "CUDA's compiler for kernels (libnvrtc) is missing; install the CUDA toolkit"
                .to_owned(),
        );
    }
    if cuda_path().is_none() {
        return Err(
            "CUDA's headers are missing; install the CUDA toolkit, or name its folder in CUDA_PATH"
                .to_owned(),
        );
    }
    let count =
        CudaContext::device_count().map_err(|error| format!("the driver says {error:?}"))?;
    if usize::try_from(count).is_ok_and(|count| number < count) {
        return Ok(());
    }
    Err(format!(
        "it is not there: the driver knows {count} GPUs, numbered from 0"
    ))
}

/// All memory of the GPU with this number, in bytes.
pub(crate) fn memory(number: usize) -> Option<u64> {
    check(number).ok()?;
    let bytes = CudaContext::new(number).ok()?.total_mem().ok()?;
    u64::try_from(bytes).ok()
}

/// Whether the driver and the compiler can be loaded.
#[allow(unsafe_code)]
fn libraries() -> [bool; 2] {
    // SAFETY: both only open a library of NVIDIA's, which the backend would open next, and close it.
    unsafe {
        [
            cudarc::driver::sys::is_culib_present(),
            cudarc::nvrtc::sys::is_culib_present(),
        ]
    }
}
