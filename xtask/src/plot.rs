//! Plots of the documentation.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::command::cargo_command;

/// Draws hits and threshold of the simulation, one line for each start.
const SCRIPT: &str = r#"
import csv, sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
rows = list(csv.DictReader(sys.stdin))
figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(8, 5.5))
for start in dict.fromkeys(row["start"] for row in rows):
    line = [row for row in rows if row["start"] == start]
    epochs = [int(row["epoch"]) for row in line]
    top.plot(epochs, [float(row["hits"]) / float(row["goal"]) for row in line], label=start)
    bottom.plot(epochs, [float(row["threshold"]) for row in line], label=start)
top.axhspan(0.8, 1.2, color="0.9", zorder=0)
top.set_ylabel("hits / goal")
bottom.set_ylabel("distance threshold")
bottom.set_xlabel("epoch")
top.legend()
figure.tight_layout()
figure.savefig(sys.argv[1], dpi=110)
"#;

/// Simulates the difficulty controller and writes `docs/images/difficulty.png`.
pub(crate) fn difficulty() -> Result<()> {
    let simulation = cargo_command()
        .args([
            "run",
            "--quiet",
            "--package",
            "soma-targets",
            "--example",
            "difficulty_simulation",
        ])
        .output()?;
    ensure!(
        simulation.status.success(),
        "the simulation failed: {}",
        simulation.status
    );
    let path = "docs/images/difficulty.png";
    std::fs::create_dir_all("docs/images")?;
    let mut plot = Command::new(crate::python::with("matplotlib")?)
        .args(["-c", SCRIPT, path])
        .stdin(Stdio::piped())
        .spawn()?;
    plot.stdin
        .take()
        .context("no input")?
        .write_all(&simulation.stdout)?;
    let status = plot.wait()?;
    ensure!(status.success(), "the plot failed: {status}");
    println!("wrote {path}");
    Ok(())
}
