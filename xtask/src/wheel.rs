//! The Python package: its wheel, and its tests in a virtual environment of their own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::bench::Framework;
use crate::command::{
    build_example, cargo, example, outside_of_cargo, program, target_dir, workspace,
};
use crate::python;

/// What builds wheels. The version is fixed, so that a wheel is the same on each machine.
const MATURIN: &[&str] = &["maturin==1.16.0"];
/// What the tests need beside the wheel.
const REQUIREMENTS: &str = "crates/soma-py/tests/requirements.txt";

/// Build the Python wheel into `dist/`, and test it in a virtual environment of its own.
#[derive(Args)]
pub(crate) struct Python {
    /// Build in the dev profile: quicker to build, slower to run.
    #[arg(long)]
    dev: bool,
    /// Only build the wheel.
    #[arg(long)]
    build_only: bool,
    /// Run the tests that need the published package of model code, instead of the others.
    #[arg(long, value_enum)]
    peer: Option<Framework>,
    /// The interpreter to test with; the wheel is for 3.10 and all later ones.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// Arguments of pytest, such as `-k transfer`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// An environment in which the wheel is installed, and what was built for it.
pub(crate) struct Installed {
    /// Its interpreter.
    pub(crate) python: PathBuf,
    /// The program `soma`.
    pub(crate) soma: PathBuf,
    /// An S3-compatible server.
    pub(crate) s3_server: PathBuf,
}

impl Python {
    /// Builds, installs and tests.
    ///
    /// # Errors
    /// What cannot be built or installed; tests that fail.
    pub(crate) fn run(self) -> Result<()> {
        if self.build_only {
            println!("{}", build_wheel(self.dev)?.display());
            return Ok(());
        }
        let installed = install(self.dev, &self.python, self.peer)?;
        let marker = self.peer.map_or("not flax and not torch", Framework::name);
        let status = installed
            .command()
            .args(["-m", "pytest", "-m", marker])
            .arg(workspace().join("crates/soma-py/tests"))
            .args(&self.arguments)
            .status()?;
        ensure!(status.success(), "the Python tests failed: {status}");
        Ok(())
    }
}

impl Installed {
    /// The interpreter, told where the programs are.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command
            .env("SOMA_BIN", &self.soma)
            .env("SOMA_TEST_S3_SERVER", &self.s3_server)
            // Nothing is written beside the sources.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// Builds the wheel and the programs, and installs the wheel into an environment that is made anew
/// when its requirements change.
///
/// # Errors
/// What cannot be built or installed.
pub(crate) fn install(dev: bool, interpreter: &Path, peer: Option<Framework>) -> Result<Installed> {
    let wheel = build_wheel(dev)?;
    let (soma, s3_server) = if dev {
        // With the features that tests of the workspace have: what they built is used.
        let build = ["build", "--quiet", "--workspace"];
        let programs = ["--bin", "soma", "--example", "s3_server"];
        cargo(&[&build[..], &programs].concat())?;
        let folder = std::path::absolute(target_dir())?.join("debug");
        (folder.join("soma"), folder.join("examples/s3_server"))
    } else {
        build_example("soma-test-s3", "s3_server")?;
        let s3_server = std::path::absolute(example("s3_server"))?;
        (program("soma")?, s3_server)
    };
    let text = std::fs::read_to_string(workspace().join(REQUIREMENTS))?;
    let mut requirements: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut name = "python-tests".to_owned();
    if let Some(peer) = peer {
        requirements.extend(peer.requirements());
        name = format!("{name}-{}", peer.name());
    }
    let python = python::fresh(&name, interpreter, &requirements)?;
    let installed = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .arg("--force-reinstall")
        .arg(&wheel)
        .status()?;
    ensure!(installed.success(), "cannot install {}", wheel.display());
    Ok(Installed {
        python: std::path::absolute(python)?,
        soma,
        s3_server,
    })
}

/// Builds the wheel into `dist/`; its file.
fn build_wheel(dev: bool) -> Result<PathBuf> {
    let dist = workspace().join("dist");
    std::fs::create_dir_all(&dist)?;
    for old in wheels(&dist)? {
        std::fs::remove_file(old)?;
    }
    let python = python::with_pinned("python-build", MATURIN)?;
    let mut line: Vec<OsString> = ["-m", "maturin", "build", "--quiet", "--locked"]
        .map(OsString::from)
        .into();
    line.extend([
        "--manifest-path".into(),
        workspace().join("crates/soma-py/Cargo.toml").into(),
    ]);
    line.extend(["--out".into(), dist.clone().into()]);
    // Tests read no stripped symbols, and users have no use for others.
    line.push(if dev { "--profile=dev" } else { "--release" }.into());
    println!(
        "$ maturin build, profile {}",
        if dev { "dev" } else { "release" }
    );
    let mut maturin = Command::new(&python);
    outside_of_cargo(&mut maturin);
    let status = maturin.args(&line).status()?;
    ensure!(
        status.success(),
        "maturin could not build the wheel: {status}"
    );
    match &wheels(&dist)?[..] {
        [wheel] => Ok(wheel.clone()),
        found => bail!(
            "expected one wheel in {}, found {}",
            dist.display(),
            found.len()
        ),
    }
}

fn wheels(dist: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dist).with_context(|| dist.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            found.push(path);
        }
    }
    Ok(found)
}
