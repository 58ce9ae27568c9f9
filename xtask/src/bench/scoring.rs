//! Scoring against the published Python package: the same weights, input and threads.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::agreement::Tolerance;
use super::peer::{Framework, Peer};
use super::side::{Side, alternate, peak_bytes};
use super::{Measure, clients};
use crate::command::{build_example, example};

/// What the `v1` part needs: weights, and both sides with their weights at the same time.
const V1_DISK_GB: u64 = 15;
const V1_MEMORY_GB: u64 = 20;

#[derive(Args)]
pub(crate) struct Scoring {
    /// Threads for both sides.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The peer's implementation.
    #[arg(long, value_enum, default_value = "flax")]
    peer: Framework,
    /// Fewer rounds.
    #[arg(long)]
    quick: bool,
    /// Leave out the model of full size, which needs 15 GB of disk and 20 GB of memory.
    #[arg(long)]
    skip_v1: bool,
    /// How long 64 clients ask for scores; 0 leaves that part out.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where random weights are made and kept; default a temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// End with one line of JSON for each measure.
    #[arg(long)]
    pub(crate) json: bool,
}

/// One size of model, and the input of a forward pass.
struct Part {
    name: &'static str,
    shape: &'static str,
    sequences: usize,
    rounds: usize,
    /// The most memory, as part of the peer's.
    memory_goal: f64,
}

impl Scoring {
    /// Speed and memory of a forward pass, agreement with the peer, and many clients.
    pub(crate) fn measure(&self) -> Result<Vec<Measure>> {
        let temporary = tempfile::tempdir()?;
        let folder = self.folder.as_deref().unwrap_or(temporary.path());
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let mut parts = vec![Part {
            name: "base",
            shape: "512 × 8, 4 × 1,024 tokens",
            sequences: 4,
            rounds: if self.quick { 3 } else { 9 },
            memory_goal: 0.5,
        }];
        if !self.skip_v1 {
            check_room(folder)?;
            parts.push(Part {
                name: "v1",
                shape: "2,048 × 24, 1 × 1,024 tokens",
                sequences: 1,
                rounds: if self.quick { 1 } else { 3 },
                memory_goal: 0.95,
            });
        }
        build_example("soma-model", "bench_forward")?;
        let peer = Peer::install(self.peer)?;
        let mut measures = Vec::new();
        for part in &parts {
            measures.extend(self.compare(part, &folder.join(part.name), &peer)?);
        }
        if self.seconds > 0 {
            build_example("soma-scoring", "clients")?;
            let place = folder.join("clients");
            measures.push(clients::measure(&place, self.threads, self.seconds)?);
        }
        Ok(measures)
    }

    fn compare(&self, part: &Part, folder: &Path, peer: &Peer) -> Result<Vec<Measure>> {
        let Part { name, shape, .. } = part;
        make(folder, name, part.sequences)?;
        let label = format!("{shape}, {} threads, peer: {}", self.threads, peer.label());
        let ours_line = vec![
            example("bench_forward"),
            "serve".into(),
            folder.as_os_str().to_owned(),
        ];
        let peer_line = peer.command("forward", folder);

        eprintln!("{name}: loading the weights on both sides");
        // The peer first: it needs the most while it loads.
        let mut theirs = Side::start("the peer", &peer_line, self.threads)?;
        let mut ours = Side::start("ours", &ours_line, self.threads)?;
        eprintln!("{name}: comparing logits and loss");
        let tolerance = Tolerance::of_the_fixtures()?;
        let mut measures = tolerance.compare(name, folder, &mut ours, &mut theirs)?;
        // The first run compiles, and fills caches.
        ours.number("run")?;
        theirs.number("run")?;
        eprintln!("{name}: forward passes");
        let rounds = alternate(&mut ours, &mut theirs, part.rounds)?;
        drop((ours, theirs));
        let tokens = (part.sequences * 1_024) as f64;
        measures.push(Measure {
            measure: format!("forward_{name}: {label}; goal: at least 1.0"),
            ratio: Some(rounds.speedup),
            ours: tokens / rounds.ours,
            peer: Some(tokens / rounds.peer),
            unit: "tokens/s",
        });

        eprintln!("{name}: memory of loading and one forward pass");
        let peak = |who, line| peak_bytes(who, &peer.with_peak_memory(line), self.threads, 1);
        let (ours, theirs) = (peak("ours", ours_line)?, peak("the peer", peer_line)?);
        measures.push(Measure {
            measure: format!("memory_{name}: {label}; goal: at most {}", part.memory_goal),
            ratio: Some(ours / theirs),
            ours: ours / 1e6,
            peer: Some(theirs / 1e6),
            unit: "MB",
        });
        Ok(measures)
    }
}

/// Writes weights and input, unless `folder` has them from before.
pub(crate) fn make(folder: &Path, size: &str, sequences: usize) -> Result<()> {
    let weights = folder.join("weights.safetensors");
    if weights.exists() {
        return Ok(());
    }
    eprintln!("{size}: making random weights in {}", folder.display());
    let status = Command::new(example("bench_forward"))
        .arg("make")
        .arg(folder)
        .args([size, &sequences.to_string()])
        .status()?;
    if !status.success() {
        // Half a file would be taken for a whole one the next time. It may not be there at all.
        let _ = std::fs::remove_file(&weights);
    }
    ensure!(
        status.success(),
        "cannot make weights in {}: {status}",
        folder.display()
    );
    Ok(())
}

/// Fails when the model of full size has no room.
fn check_room(folder: &Path) -> Result<()> {
    let disk = fs4::available_space(folder)? / 1_000_000_000;
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let memory = system.available_memory() / 1_000_000_000;
    ensure!(
        disk >= V1_DISK_GB && memory >= V1_MEMORY_GB,
        "the model of full size needs {V1_DISK_GB} GB of disk in {} ({disk} GB are free) and \
         {V1_MEMORY_GB} GB of memory ({memory} GB are available); leave it out with --skip-v1",
        folder.display()
    );
    Ok(())
}
