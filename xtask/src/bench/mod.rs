//! Benchmarks: every claim is a ratio between two measurements of one run.

mod accounts;
mod agreement;
mod clients;
mod memory;
mod nearest;
mod network;
mod peer;
mod python;
mod relay;
mod scoring;
mod side;
mod sync;
mod training;
mod transfers;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;

pub(crate) use agreement::Tolerance;
pub(crate) use peer::{Framework, Peer};
pub(crate) use scoring::make as make_model;
pub(crate) use side::Side;

/// What to measure.
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// The chain: transfers from signed bytes to committed state, and growth of the state.
    Chain(Chain),
    /// Target assignment: exact nearest models.
    Targets(Targets),
    /// Scoring against the published Python package: speed, memory, agreement, many clients.
    Scoring(scoring::Scoring),
    /// Validators in processes of their own: finality, throughput, idle processor and memory.
    Network(network::Network),
    /// A node that joins late, by blocks and by a snapshot: time and bytes.
    Sync(sync::Sync),
    /// A step of training against the published Python package: speed, memory, agreement.
    Training(training::Training),
    /// The Python package against the Rust it calls, and how long its calls hold the event loop.
    Python(python::Python),
}

#[derive(Args)]
struct Targets {
    /// Threads for both sides.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Models.
    #[arg(long, default_value_t = 100_000)]
    models: usize,
    /// Components of an embedding.
    #[arg(long, default_value_t = 2_048)]
    dim: usize,
    /// End with one line of JSON for each measure.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Chain {
    /// Threads for both sides.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Transfers to measure.
    #[arg(long, default_value_t = 40_000)]
    transfers: usize,
    /// Accounts of the largest state.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: usize,
    /// Transactions that a node process takes for the measure of its memory; 0 leaves it out.
    #[arg(long, default_value_t = 100_000)]
    transactions: usize,
    /// End with one line of JSON for each measure.
    #[arg(long)]
    json: bool,
}

/// One measure: ours against a peer's, in one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measure {
    /// What is measured.
    pub(crate) measure: String,
    /// Above 1 is better: rates are ours by the peer's, times and sizes the peer's by ours. A measure
    /// whose goal is "at most" is ours by the peer's; none where there is no peer.
    pub(crate) ratio: Option<f64>,
    /// Our figure.
    pub(crate) ours: f64,
    /// The peer's figure.
    pub(crate) peer: Option<f64>,
    /// Unit of both figures.
    pub(crate) unit: &'static str,
}

impl Bench {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<()> {
        let (measures, json) = match self.suite {
            Suite::Chain(chain) => {
                let mut measures = transfers::measure(chain.threads, chain.transfers)?;
                measures.extend(accounts::measure(chain.threads, chain.accounts)?);
                if chain.transactions > 0 {
                    measures.extend(memory::measure(chain.transactions)?);
                }
                (measures, chain.json)
            }
            Suite::Targets(t) => (nearest::measure(t.threads, t.models, t.dim)?, t.json),
            Suite::Scoring(scoring) => (scoring.measure()?, scoring.json),
            Suite::Network(network) => (network.measure()?, network.json),
            Suite::Sync(sync) => (sync.measure()?, sync.json),
            Suite::Training(training) => (training.measure()?, training.json),
            Suite::Python(python) => (python.measure()?, python.json),
        };
        print(&measures, json)
    }
}

/// Prints measures, and with `json` each again as a line of JSON.
///
/// # Errors
/// When one is no JSON.
pub(crate) fn print(measures: &[Measure], json: bool) -> Result<()> {
    for measure in measures {
        let peer = measure
            .peer
            .map(|peer| format!(", peer {peer:.3}"))
            .unwrap_or_default();
        let ratio = measure
            .ratio
            .map(|r| format!(", ratio {r:.3}"))
            .unwrap_or_default();
        let Measure {
            measure,
            ours,
            unit,
            ..
        } = measure;
        println!("{measure}: {ours:.3} {unit}{peer}{ratio}");
    }
    if json {
        for measure in measures {
            println!("{}", serde_json::to_string(measure)?);
        }
    }
    Ok(())
}

/// The median of several runs.
pub(crate) fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).copied().unwrap_or_default()
}
