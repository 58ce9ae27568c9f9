//! Tasks that are a sequence of commands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The `cargo` that runs this task.
pub(crate) fn cargo_command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    outside_of_cargo(&mut command);
    command
}

/// Takes away what `cargo run` says of this package. Build scripts look at it, so all that depends on
/// theirs would be compiled once for commands of a task and once more for others.
pub(crate) fn outside_of_cargo(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
}

/// Runs `cargo` with these arguments; fails when it does.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    cargo_with(&[], arguments)
}

/// Runs `cargo` with these arguments and environment variables; fails when it does.
fn cargo_with(environment: &[(&str, &str)], arguments: &[&str]) -> Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    let set: String = environment
        .iter()
        .map(|(k, v)| format!("{k}='{v}' "))
        .collect();
    println!("$ {set}{line}");
    let status = cargo_command()
        .args(arguments)
        .envs(environment.iter().copied())
        .status()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// The folder of the workspace. Where these tasks were built says nothing: target folders are shared.
pub(crate) fn workspace() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| "xtask".into(), PathBuf::from);
    here.parent().map(Path::to_owned).unwrap_or(here)
}

/// Packages with the programs that tasks run. They are built together, in the release profile: of
/// each other set of packages, dependencies have other features and would be compiled once more.
const PROGRAMS: [&str; 5] = ["soma", "soma-node", "soma-scorer", "soma-trainer", "xtask"];

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from)
}

fn build(rest: &[&str]) -> Result<()> {
    let programs = PROGRAMS.iter().flat_map(|name| ["--package", name]);
    let line: Vec<&str> = ["build", "--release"].into_iter().chain(programs).collect();
    cargo(&[&line[..], rest].concat())
}

/// Builds a program in the release profile; where it is.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    build(&["--bin", name])?;
    Ok(std::path::absolute(
        target_dir().join("release").join(name),
    )?)
}

/// Builds an example of `package` in the release profile.
pub(crate) fn build_example(package: &str, name: &str) -> Result<()> {
    build(&["--package", package, "--example", name])
}

/// [`build_example`] with what `device` needs.
pub(crate) fn build_example_for(device: &str, package: &str, name: &str) -> Result<()> {
    let Some(kind) = gpu(device) else {
        return build_example(package, name);
    };
    // Without the other programs, which do not have that feature.
    let line = ["build", "--release", "--features", kind];
    cargo(&[&line[..], &["--package", package, "--example", name]].concat())
}

/// The feature that `device` needs, if it is a GPU.
fn gpu(device: &str) -> Option<&str> {
    let kind = device.split(':').next()?;
    ["wgpu", "cuda"].contains(&kind).then_some(kind)
}

/// An example that is built in the release profile.
pub(crate) fn example(name: &str) -> OsString {
    target_dir().join("release/examples").join(name).into()
}

/// Runs this same task in the release profile.
pub(crate) fn again_in_release() -> Result<()> {
    let status = Command::new(program("xtask")?)
        .args(std::env::args_os().skip(1))
        .status()
        .context("cannot run the release build of this task")?;
    ensure!(status.success(), "the task failed: {status}");
    Ok(())
}

/// Runs `soma` with a command and the arguments of this task.
pub(crate) fn soma(command: &[&str], arguments: &[String]) -> Result<()> {
    let mut line = vec!["run", "--package", "soma", "--"];
    line.extend(command);
    line.extend(arguments.iter().map(String::as_str));
    cargo(&line)
}

/// Checks that the program that runs tests is there, before minutes go by.
fn need_nextest() -> Result<()> {
    let asked = cargo_command().args(["nextest", "--version"]).output();
    if !asked.is_ok_and(|answer| answer.status.success()) {
        bail!(
            "tests run with cargo-nextest, which is not installed. Install it once (a few minutes), \
             then run this again:\n\n    cargo install cargo-nextest --locked\n"
        );
    }
    Ok(())
}

/// Runs all tests. Many start real networks and programs, and one of these can be late on a machine
/// that does other work too: a test that fails is run once more, and named as flaky when it passes.
pub(crate) fn test() -> Result<()> {
    need_nextest()?;
    let run = ["nextest", "run", "--workspace", "--no-fail-fast"];
    cargo(&[&run[..], &["--retries", "1"]].concat())?;
    cargo(&["test", "--quiet", "--workspace", "--doc"])
}

/// Compares the model with its golden values on a GPU, and its 16-bit linear maps with 32-bit ones
/// where the driver has them.
pub(crate) fn test_gpu(device: &str) -> Result<()> {
    let package = ["--package", "soma-model", "--features", device];
    let run = ["nextest", "run", "--cargo-profile", "gpu"];
    let tests = ["--test", "golden", "--test", "precision"];
    cargo(&[&run[..], &package, &tests, &[device]].concat())
}

/// Replays recorded blocks, on one thread and on two, as built in the dev and the release profile,
/// for any CPU and for this one: all must give the state root that is written down.
pub(crate) fn replay() -> Result<()> {
    let run = ["nextest", "run", "--package", "soma-tests", "replay"];
    cargo(&run)?;
    let release = [&run[..], &["--release"]].concat();
    cargo(&release)?;
    // Flags are part of what a build folder holds: this build has one of its own.
    let native = [&release[..], &["--target-dir"]].concat();
    let folder = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let folder = format!("{folder}/native");
    let native = [&native[..], &[folder.as_str()]].concat();
    cargo_with(&[("RUSTFLAGS", "-C target-cpu=native")], &native)
}

/// Compares the model with golden values on a device, building what the device needs.
pub(crate) fn check_model(folder: &str, device: &str) -> Result<()> {
    let mut line = vec!["run", "--package", "soma-model", "--example", "check_model"];
    if let Some(kind) = gpu(device) {
        // Much to compile, little to run: the device does the work.
        line.extend(["--profile", "gpu", "--features", kind]);
    }
    line.extend(["--", folder, device]);
    cargo(&line)
}

/// Runs what must pass before a change lands.
pub(crate) fn ci() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ])?;
    cargo(&[
        "check",
        "--quiet",
        "--package",
        "soma-scorer",
        "--features",
        "cuda",
    ])?;
    test()?;
    test_gpu("wgpu")
}
