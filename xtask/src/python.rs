//! A Python of our own, for peers and plots.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// The Python of a virtual environment beside the build that has `package`; made when missing.
pub(crate) fn with(package: &str) -> Result<PathBuf> {
    let folder = folder("python");
    let python = made(&folder)?;
    if !runs(&python, &format!("import {package}"))? {
        install(&python, &folder, &[package])?;
    }
    Ok(python)
}

/// The Python of a virtual environment beside the build, called `name`, that has exactly these
/// `requirements`, each `package==version`; made when missing.
pub(crate) fn with_pinned(name: &str, requirements: &[&str]) -> Result<PathBuf> {
    let folder = folder(name);
    let python = made(&folder)?;
    let check: String = requirements
        .iter()
        .filter_map(|requirement| requirement.split_once("=="))
        .map(|(package, version)| format!("assert version('{package}') == '{version}'\n"))
        .collect();
    let check = format!("from importlib.metadata import version\n{check}");
    if !runs(&python, &check)? {
        eprintln!(
            "installing {} into {}",
            requirements.join(", "),
            folder.display()
        );
        install(&python, &folder, requirements)?;
    }
    Ok(python)
}

fn folder(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    target.join(name)
}

fn made(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    if !python.exists() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(folder)
            .status()?;
        ensure!(
            made.success(),
            "cannot make a virtual environment; install python3 with venv"
        );
    }
    Ok(python)
}

fn runs(python: &Path, text: &str) -> Result<bool> {
    let status = Command::new(python)
        .args(["-c", text])
        .stderr(Stdio::null())
        .status()?;
    Ok(status.success())
}

fn install(python: &Path, folder: &Path, requirements: &[&str]) -> Result<()> {
    let installed = Command::new(python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(requirements)
        .status()?;
    ensure!(
        installed.success(),
        "cannot install {} into {}",
        requirements.join(", "),
        folder.display()
    );
    Ok(())
}
