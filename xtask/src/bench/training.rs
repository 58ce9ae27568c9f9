//! One step of training against the published Python package: the same weights, data and rule.

use std::ffi::OsString;

use anyhow::Result;
use clap::Args;

use super::Measure;
use super::agreement::Tolerance;
use super::peer::{Framework, Peer};
use super::scoring::make;
use super::side::{Side, alternate, peak_bytes};
use crate::command::{build_example, example};

/// Size of the model.
const SIZE: &str = "base";
/// Sequences of a step.
const SEQUENCES: usize = 2;
/// Steps whose losses must agree: the second follows from gradients, the third from moments too.
const CHECKED: usize = 3;

#[derive(Args)]
pub(crate) struct Training {
    /// Threads for both sides.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The peer's implementation.
    #[arg(long, value_enum, default_value = "flax")]
    peer: Framework,
    /// Fewer rounds.
    #[arg(long)]
    quick: bool,
    /// End with one line of JSON for each measure.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Training {
    /// Speed and memory of forward, backward and AdamW, and agreement of the first losses.
    pub(crate) fn measure(&self) -> Result<Vec<Measure>> {
        build_example("soma-model", "bench_forward")?;
        build_example("soma-trainer-lib", "bench_steps")?;
        let peer = Peer::install(self.peer)?;
        let folder = tempfile::tempdir()?;
        make(folder.path(), SIZE, SEQUENCES)?;
        let peer_line = peer.command("training", folder.path());
        let ours_line: Vec<OsString> =
            vec![example("bench_steps"), folder.path().into(), SIZE.into()];
        let label = format!(
            "512 × 8, {SEQUENCES} × 1,024 tokens, {} threads, peer: {}",
            self.threads,
            peer.label()
        );

        eprintln!("loading the weights on both sides");
        let mut theirs = Side::start("the peer", &peer_line, self.threads)?;
        let mut ours = Side::start("ours", &ours_line, self.threads)?;
        eprintln!("comparing the losses of the first {CHECKED} steps");
        let mut losses = Vec::new();
        for _ in 0..CHECKED {
            let (ours, theirs) = (ours.number("check")?, theirs.number("check")?);
            eprintln!("ours {ours:.6}, peer {theirs:.6}");
            losses.push((ours, theirs));
        }
        let tolerance = Tolerance::of_the_fixtures()?;
        let difference = tolerance.difference(losses.into_iter())?;
        eprintln!("steps");
        let count = if self.quick { 2 } else { 5 };
        let rounds = alternate(&mut ours, &mut theirs, count)?;
        drop((ours, theirs));
        let tokens = (SEQUENCES * 1_024) as f64;

        eprintln!("memory of loading and two steps");
        let peak = |who, line| peak_bytes(who, &peer.with_peak_memory(line), self.threads, 2);
        let (ours, theirs) = (peak("ours", ours_line)?, peak("the peer", peer_line)?);
        Ok(vec![
            tolerance.row(&format!("losses of {CHECKED} steps"), difference),
            Measure {
                measure: format!("training_base: {label}; goal: at least 0.8"),
                ratio: Some(rounds.speedup),
                ours: tokens / rounds.ours,
                peer: Some(tokens / rounds.peer),
                unit: "tokens/s",
            },
            Measure {
                measure: format!("training_memory_base: {label}; goal: at most 1.0"),
                ratio: Some(ours / theirs),
                ours: ours / 1e6,
                peer: Some(theirs / 1e6),
                unit: "MB",
            },
        ])
    }
}
