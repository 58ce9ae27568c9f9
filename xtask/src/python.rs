//! A Python of our own, for peers and plots.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

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

/// The Python of a virtual environment beside the build, called `name`, made by `interpreter`, that
/// has these `requirements` and what they need, and nothing that an earlier list had.
pub(crate) fn fresh(name: &str, interpreter: &Path, requirements: &[&str]) -> Result<PathBuf> {
    let folder = folder(name);
    let (python, marker) = (folder.join("bin/python"), folder.join("made-with.txt"));
    let wanted = format!("{}\n{}\n", interpreter.display(), requirements.join("\n"));
    if std::fs::read_to_string(&marker).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    make(&folder, interpreter)?;
    eprintln!("installing what the tests need into {}", folder.display());
    install(&python, &folder, requirements)?;
    // Written last: an environment that is not complete is made again.
    std::fs::write(marker, wanted)?;
    Ok(python)
}

fn folder(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    target.join(name)
}

fn made(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    if !python.exists() {
        make(folder, Path::new("python3"))?;
    }
    Ok(python)
}

fn make(folder: &Path, interpreter: &Path) -> Result<()> {
    let made = Command::new(interpreter)
        .args(["-m", "venv"])
        .arg(folder)
        .status()
        .with_context(|| format!("cannot run {}", interpreter.display()))?;
    ensure!(
        made.success(),
        "cannot make a virtual environment; install python3 with venv"
    );
    Ok(())
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
