//! Simulated networks: many seeds, or one again.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;
use soma_progress::Progress;
use soma_sim::{Report, Scenario, Tally, run, run_many};

/// Seeds of a run when none are asked for.
const SEEDS: u64 = 1_000;
/// Lines before a violation that are shown.
const LINES: usize = 40;

/// Which networks to simulate.
#[derive(Args)]
pub(crate) struct Sim {
    /// Seeds to run; 1,000 by default, or the one that `--seed` names.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed. The same seed gives the same run, with the same trace digest.
    #[arg(long)]
    seed: Option<u64>,
    /// What kind of world to run in; all but `survivable` must be found broken.
    #[arg(long, value_enum, default_value_t = World::Survivable)]
    world: World,
    /// Print every line of the trace, for one seed.
    #[arg(long)]
    trace: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// A kind of world.
#[derive(Clone, Copy, ValueEnum)]
enum World {
    /// Faults that nodes must survive.
    Survivable,
    /// Disks that lose what they said was synced.
    LyingDisks,
    /// Validators with too much power that contradict themselves in concert.
    ByzantineMajority,
}

impl World {
    /// The arguments that choose it.
    fn name(self) -> &'static str {
        match self {
            Self::Survivable => "",
            Self::LyingDisks => " --world lying-disks",
            Self::ByzantineMajority => " --world byzantine-majority",
        }
    }
}

impl Sim {
    /// Runs the seeds; fails when a rule is broken.
    pub(crate) fn run(self) -> Result<()> {
        let first = self.seed.unwrap_or_default();
        let count = self.seeds.unwrap_or(match self.seed {
            Some(_) => 1,
            None => SEEDS,
        });
        ensure!(count > 0, "--seeds must be at least 1");
        let scenario = match self.world {
            World::Survivable => Scenario::Survivable,
            World::LyingDisks => Scenario::LyingDisks,
            World::ByzantineMajority => Scenario::ByzantineMajority,
        };
        let progress = Progress::new("seeds", Some(count));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (mut total, mut broken, mut last) = (Tally::default(), Vec::new(), None);
        let seeds = first..first.saturating_add(count);
        run_many(seeds, scenario, threads, |report| {
            total += report.tally;
            last = Some(report.clone());
            if report.violation.is_some() {
                broken.push(report);
            }
            progress.message(format!("{} blocks, {} broken", total.blocks, broken.len()));
            progress.add(1);
        })?;
        progress.finish();
        broken.sort_by_key(|report: &Report| report.seed);
        let single = last.filter(|_| count == 1);
        match self.json {
            true => println!("{}", json(count, &total, &broken, single.as_ref())),
            false => self.print(count, scenario, &total, &broken, single.as_ref())?,
        }
        let seeds = broken.len();
        ensure!(seeds == 0, "{seeds} of {count} seeds break a rule");
        Ok(())
    }

    fn print(
        &self,
        count: u64,
        scenario: Scenario,
        total: &Tally,
        broken: &[Report],
        single: Option<&Report>,
    ) -> Result<()> {
        // The first broken run once more, with its trace; or the only run, when that was asked for.
        let shown = broken.first().or(single.filter(|_| self.trace));
        if let Some(report) = shown {
            let trace = run(report.seed, scenario, true)?.trace;
            let from = match self.trace {
                true => 0,
                false => trace.len().saturating_sub(LINES),
            };
            for line in &trace[from..] {
                println!("{line}");
            }
        }
        for report in broken {
            if let Some(violation) = &report.violation {
                println!(
                    "seed {}, digest {}: {violation}",
                    report.seed, report.digest
                );
                let (seed, world) = (report.seed, self.world.name());
                println!("  again: cargo xtask sim --seed {seed}{world} --trace");
            }
        }
        if let Some(report) = single {
            println!("seed {}, digest {}", report.seed, report.digest);
        }
        let Tally {
            events,
            blocks,
            epochs,
            transactions,
            crashes,
            partitions,
            lost,
            byzantine_acts,
            evidence_seen,
            evidence_named,
            synced,
            forced,
            bans,
        } = total;
        println!("{count} seeds, {} broken", broken.len());
        println!("{blocks} blocks, {epochs} epochs, {transactions} transactions, {events} events");
        println!("{forced} wishes to end an epoch early");
        println!("{crashes} crashes, {partitions} partitions, {lost} lost messages");
        println!(
            "{byzantine_acts} byzantine acts, {evidence_seen} seen, {evidence_named} named in blocks, \
             {bans} bans"
        );
        println!("{synced} blocks taken from other nodes' stores");
        Ok(())
    }
}

fn json(
    count: u64,
    total: &Tally,
    broken: &[Report],
    single: Option<&Report>,
) -> serde_json::Value {
    json!({
        "seeds": count,
        "total": total,
        "digest": single.map(|report| report.digest.as_str()),
        "violations": broken,
        "passed": broken.is_empty(),
    })
}
