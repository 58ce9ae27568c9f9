//! What this machine has: a device, memory, disk, keys.

use std::path::Path;
use std::process::Command;

use soma_scoring::memory::HostMemory;
use soma_scoring::{Device, ModelConfig, ScorerConfig};

use super::{Check, amount};
use crate::context::Context;

/// Disk beside that for three models, in bytes.
const SPARE_DISK: u64 = 1 << 30;
/// Models that are assigned to a target.
const MODELS: u64 = 3;

/// The device computes, with the precision that is asked for, what the CPU does.
pub(super) async fn device(config: ScorerConfig) -> Check {
    let ScorerConfig {
        device, precision, ..
    } = config;
    let probe = tokio::task::spawn_blocking(move || {
        let name = device.probe()?;
        config.agreement().map(|agreement| (name, agreement))
    });
    match probe.await {
        Ok(Ok((name, agreement))) => {
            let found = format!("{device} ({name}) computes in {precision}");
            let than_cpu = agreement.map_or_else(String::new, |agreement| {
                let most = agreement.most();
                format!("; results differ from the CPU's by {most:.1e} of their size")
            });
            Check::ok("device", found + &than_cpu)
        }
        Ok(Err(error)) => Check::failed("device", format!("{device} fails"), error.to_string()),
        Err(error) => Check::failed("device", error.to_string(), "choose --device cpu"),
    }
}

/// A model fits into this machine's memory, and into that of a GPU.
pub(super) fn memory(config: &ScorerConfig, name: &str) -> Vec<Check> {
    let (needs, on_host) = (config.needs(), config.device.shares_host_memory());
    let mut checks = vec![host_memory(config.host_needs(), HostMemory::now(), name)];
    if !on_host {
        let free = free_of_gpu(config.device);
        let budget = config.device_memory_bytes;
        checks.push(device_memory(needs.total(), budget, free, name));
    }
    checks
}

fn host_memory(needed: u64, host: HostMemory, name: &str) -> Check {
    let found = format!(
        "a {name} model needs {}, of {} are {} free",
        amount(needed),
        amount(host.total),
        amount(host.available)
    );
    if needed <= host.available {
        return Check::ok("memory", found);
    }
    let fix = if needed <= host.total {
        "end other programs"
    } else {
        "use a machine with more memory, or a network of smaller models"
    };
    Check::failed("memory", found, fix)
}

/// `budget` is what the scorer may use, `free` what the GPU has when that is known.
fn device_memory(needed: u64, budget: u64, free: Option<u64>, name: &str) -> Check {
    let there = free.map_or_else(
        || "how much is free is unknown".to_owned(),
        |free| format!("{} are free", amount(free)),
    );
    let found = format!(
        "a {name} model needs {} of the device, {} may be used, {there}",
        amount(needed),
        amount(budget)
    );
    if needed > budget {
        let fix = "let the scorer use more with --device-memory";
        return Check::failed("device memory", found, fix);
    }
    match free {
        Some(free) if free < needed => {
            let fix = "end other programs on the GPU, use a larger one, or try --precision bf16";
            Check::failed("device memory", found, fix)
        }
        _ => Check::ok("device memory", found),
    }
}

/// Free memory of an NVIDIA GPU in bytes, as its driver's tool says.
fn free_of_gpu(device: Device) -> Option<u64> {
    let Device::Cuda(number) = device else {
        return None;
    };
    let query = ["--query-gpu=memory.free", "--format=csv,noheader,nounits"];
    let mut command = Command::new("nvidia-smi");
    let output = command.args(query).arg(format!("--id={number}")).output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let mebibytes: u64 = text.trim().parse().ok()?;
    mebibytes.checked_mul(1 << 20)
}

/// The settings folder can be written, and there is room for downloads.
pub(super) fn disk(folder: &Path, size: &ModelConfig) -> Check {
    let probe = folder.join("doctor.probe");
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, [0; 4_096]))
        .and_then(|()| std::fs::remove_file(&probe));
    if let Err(error) = written {
        let found = format!("cannot write {}: {error}", folder.display());
        let fix = match error.kind() {
            std::io::ErrorKind::StorageFull => "free some space",
            _ => "make the folder writable, or choose another in SOMA_CONFIG_DIR",
        };
        return Check::failed("disk", found, fix);
    }
    match fs4::available_space(folder) {
        Ok(free) => room(free, MODELS * size.weight_bytes() + SPARE_DISK),
        Err(error) => Check::skipped("disk", format!("free space is unknown: {error}")),
    }
}

fn room(free: u64, needed: u64) -> Check {
    if free >= needed {
        return Check::ok("disk", format!("{} free", amount(free)));
    }
    Check::failed(
        "disk",
        format!("{} free, {} needed", amount(free), amount(needed)),
        "free some space, or keep downloads elsewhere with --data-dir",
    )
}

pub(super) fn wallet(context: &Context) -> Check {
    match context.wallet() {
        Ok(wallet) if wallet.entries().is_empty() => {
            Check::skipped("wallet", "no keys yet; make one with `soma wallet new`")
        }
        Ok(wallet) => Check::ok("wallet", format!("{} keys", wallet.entries().len())),
        Err(error) => Check::failed(
            "wallet",
            error.to_string(),
            "restore the keystore file from a copy, or import its keys again",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    const GIB: u64 = 1 << 30;

    fn fix(check: &Check) -> &str {
        assert_eq!(check.state, State::Failed, "{check:?}");
        check.fix.as_deref().unwrap_or_default()
    }

    #[test]
    fn a_model_that_does_not_fit_is_told_with_what_helps() {
        let host = |available| HostMemory {
            total: 8 * GIB,
            available,
        };
        let check = host_memory(6 * GIB, host(7 * GIB), "v1");
        assert_eq!(check.state, State::Ok);
        let check = host_memory(6 * GIB, host(2 * GIB), "v1");
        assert!(fix(&check).contains("end other programs"), "{check:?}");
        let check = host_memory(9 * GIB, host(7 * GIB), "v1");
        assert!(fix(&check).contains("more memory"), "{check:?}");
        assert!(
            check.found.contains("a v1 model needs 9.0 GiB"),
            "{check:?}"
        );
    }

    #[test]
    fn the_memory_of_a_gpu_is_its_own() {
        let check = |budget, free| device_memory(6 * GIB, budget * GIB, free, "v1");
        assert_eq!(check(16, Some(8 * GIB)).state, State::Ok);
        assert_eq!(check(16, None).state, State::Ok);
        assert!(fix(&check(4, Some(8 * GIB))).contains("--device-memory"));
        assert!(fix(&check(16, Some(5 * GIB))).contains("larger one"));
        let cpu = ScorerConfig::new(ModelConfig::SMALL, Device::Cpu);
        assert_eq!(memory(&cpu, "small").len(), 1);
        let gpu = ScorerConfig::new(ModelConfig::SMALL, Device::Cuda(9));
        assert_eq!(memory(&gpu, "small").len(), 2);
    }

    #[test]
    fn a_disk_that_is_full_or_cannot_be_written_is_told() {
        assert_eq!(room(5, 5).state, State::Ok);
        assert!(fix(&room(4, 5)).contains("free some space"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let check = disk(&file.join("below"), &ModelConfig::SMALL);
        assert!(fix(&check).contains("SOMA_CONFIG_DIR"), "{check:?}");
    }
}
