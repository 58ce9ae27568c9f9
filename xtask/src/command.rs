//! Tasks that are a sequence of commands.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// Runs `cargo` with these arguments; fails when it does.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    println!("$ {line}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs this same task in the release profile.
pub(crate) fn again_in_release() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut line = vec!["run", "--quiet", "--release", "--package", "xtask", "--"];
    line.extend(arguments.iter().map(String::as_str));
    cargo(&line)
}

/// Runs a localnet.
pub(crate) fn localnet(arguments: &[String]) -> Result<()> {
    let mut line = vec![
        "run",
        "--quiet",
        "--package",
        "soma",
        "--",
        "start",
        "localnet",
    ];
    line.extend(arguments.iter().map(String::as_str));
    cargo(&line)
}

/// Runs all tests.
pub(crate) fn test() -> Result<()> {
    cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])?;
    cargo(&["test", "--quiet", "--workspace", "--doc"])
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
    test()
}
