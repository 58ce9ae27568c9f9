//! What the Python package costs over the Rust it calls, and what its calls cost the event loop.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use rand_core::{OsRng, RngCore};

use super::side::Side;
use super::{Measure, median};
use crate::command::workspace;
use crate::wheel;

/// Bytes that are sealed and hashed.
const BYTES: usize = 100_000_000;
/// The most that the loop may stand still, in milliseconds.
const LATENCY_GOAL_MS: f64 = 50.0;

/// How much to measure.
#[derive(Args)]
pub(crate) struct Python {
    /// Rounds of each measure.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Calls of `get_balance` at once.
    #[arg(long, default_value_t = 1_000)]
    calls: usize,
    /// End with one line of JSON for each measure.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Python {
    /// Builds the wheel in the release profile, and measures.
    pub(crate) fn measure(&self) -> Result<Vec<Measure>> {
        let installed = wheel::install(false, Path::new("python3"), None)?;
        let folder = tempfile::tempdir()?;
        let mut data = vec![0; BYTES];
        OsRng.fill_bytes(&mut data);
        std::fs::write(folder.path().join("data.bin"), &data)?;
        let script = workspace().join("xtask/python/sdk.py");
        let mut command = installed.command();
        command.arg(script).arg(folder.path());
        let mut python = Side::spawn("the Python package", command)?;

        let key = soma_crypto::sealed::fresh_key();
        let mut measures = vec![
            self.against("seal", "encrypt_weights", &mut python, || {
                let sealed = soma_crypto::sealed::seal_bytes(&data, &key)?;
                std::hint::black_box(sealed);
                Ok(())
            })?,
            self.against("commitment", "commitment", &mut python, || {
                std::hint::black_box(soma_crypto::checksum(&data));
                Ok(())
            })?,
        ];
        measures.extend(self.calls(&mut python)?);
        Ok(measures)
    }

    /// Python and Rust in turn, both warm.
    fn against(
        &self,
        command: &str,
        name: &str,
        python: &mut Side,
        rust: impl Fn() -> Result<()>,
    ) -> Result<Measure> {
        let timed = || {
            let start = Instant::now();
            rust()?;
            anyhow::Ok(start.elapsed().as_secs_f64())
        };
        python.number(command)?;
        timed()?;
        let (mut ours, mut peer, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let (python, rust) = (python.number(command)?, timed()?);
            ours.push(python);
            peer.push(rust);
            ratios.push(rust / python);
        }
        let speed = |seconds: Vec<f64>| BYTES as f64 / 1e6 / median(seconds);
        Ok(Measure {
            measure: format!("{name} of 100 MB, peer: the Rust call; goal: at least 0.8"),
            ratio: Some(median(ratios)),
            ours: speed(ours),
            peer: Some(speed(peer)),
            unit: "MB/s",
        })
    }

    fn calls(&self, python: &mut Side) -> Result<[Measure; 2]> {
        let calls = self.calls;
        let (mut rates, mut delays) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let answer = python.ask(&format!("calls {calls}"))?;
            let numbers: Result<Vec<f64>, _> = answer.split(' ').map(str::parse).collect();
            let numbers = numbers.with_context(|| answer.clone())?;
            let [seconds, delay, scores] = numbers[..] else {
                anyhow::bail!("expected three numbers, got `{answer}`");
            };
            eprintln!(
                "{calls} calls in {seconds:.3} s, longest delay {delay:.1} ms, {scores} scores"
            );
            rates.push(calls as f64 / seconds);
            delays.push(delay);
        }
        let delay = median(delays);
        Ok([
            Measure {
                measure: format!("get_balance: {calls} at once on one client while score runs"),
                ratio: None,
                ours: median(rates),
                peer: None,
                unit: "calls/s",
            },
            Measure {
                measure: "longest delay of the event loop meanwhile; peer: the goal of at most"
                    .to_owned(),
                ratio: Some(LATENCY_GOAL_MS / delay),
                ours: delay,
                peer: Some(LATENCY_GOAL_MS),
                unit: "ms",
            },
        ])
    }
}
