//! Scoring with a model of full size: what it takes, and that it stays within bounds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::command::{build_example_for, example};

/// The most memory that scoring may take, as a multiple of the weights.
const MEMORY: f64 = 1.25;

/// Score 4 KiB twice with a random model of full size, and check memory and reloads.
#[derive(Args)]
pub(crate) struct FullSize {
    /// Size of the model. `v1` needs 15 GB of disk and 6 GB of memory.
    #[arg(long, default_value = "v1")]
    model_size: String,
    /// Where to score: `cpu`, `wgpu`, `wgpu:N`, `cuda` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Where weights are made and kept; default a temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
}

impl FullSize {
    pub(crate) fn run(self) -> Result<()> {
        build_example_for(&self.device, "soma-scoring", "full_size")?;
        let temporary = tempfile::tempdir()?;
        let folder = self.folder.unwrap_or_else(|| temporary.path().to_owned());
        if !folder.join("model.json").exists() {
            eprintln!("making random weights");
            run("make", &folder, &[&self.model_size])?;
        }
        eprintln!("scoring");
        let text = run("score", &folder, &[&self.model_size, &self.device])?;
        print!("{text}");
        let found: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once(' ')).collect();
        let number = |name: &str| -> Result<f64> {
            let text = found
                .get(name)
                .with_context(|| format!("no {name} in {text}"))?;
            Ok(text.parse()?)
        };
        let ratio = number("peak_bytes")? / number("weights_bytes")?;
        println!("peak memory is {ratio:.3} of the weights");
        // A small model is nothing beside the program itself, and those on a GPU are not in it.
        if self.model_size == "v1" && self.device == "cpu" {
            ensure!(ratio <= MEMORY, "more than {MEMORY} of the weights");
        }
        ensure!(
            number("loads")? == 1.0,
            "the second request loaded the model again"
        );
        ensure!(found.get("same_loss") == Some(&"true"), "the losses differ");
        Ok(())
    }
}

/// Runs a task of the example; what it prints.
fn run(task: &str, folder: &Path, rest: &[&str]) -> Result<String> {
    let output = Command::new(example("full_size"))
        .arg(task)
        .arg(folder)
        .args(rest)
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run `full_size {task}`"))?;
    if !output.status.success() {
        bail!("`full_size {task}` failed: {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
