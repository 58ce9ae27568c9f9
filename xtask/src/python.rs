//! A Python of our own, for peers and plots.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// The Python of a virtual environment beside the build that has `package`; made when missing.
pub(crate) fn with(package: &str) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let folder = target.join("python");
    let python = folder.join("bin/python");
    if !python.exists() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&folder)
            .status()?;
        ensure!(
            made.success(),
            "cannot make a virtual environment; install python3 with venv"
        );
    }
    let import = format!("import {package}");
    let has = Command::new(&python)
        .args(["-c", &import])
        .stderr(Stdio::null())
        .status()?;
    if !has.success() {
        let installed = Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", package])
            .status()?;
        ensure!(
            installed.success(),
            "cannot install {package} into {}",
            folder.display()
        );
    }
    Ok(python)
}
