//! Validators on one machine, each in a process of its own: time to finality, throughput, and what
//! they need when nothing happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use soma_crypto::SecretKey;
use soma_node::LocalnetConfig;
use soma_node::localnet::Cluster;
use soma_progress::Progress;
use soma_sdk::{Account, Client};
use soma_types::Shannons;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::Measure;
use crate::command::program;
use crate::process;

/// The least time between two blocks in milliseconds: low latency, and under load few blocks, each of
/// which costs every validator votes.
const MIN_INTERVAL_MS: u64 = 20;
/// Transfers of an account under way at a time, for throughput.
const OF_ACCOUNT: usize = 8;

/// How much to measure.
#[derive(Args)]
pub(crate) struct Network {
    /// Validators.
    #[arg(long, default_value_t = 4)]
    validators: usize,
    /// Transfers whose finality is measured, one after the other.
    #[arg(long, default_value_t = 500)]
    transfers: usize,
    /// Transfers for throughput.
    #[arg(long, default_value_t = 20_000)]
    load: usize,
    /// Transfers under way at a time, for throughput: enough that no processor waits for a block.
    #[arg(long, default_value_t = 1_024)]
    concurrent: usize,
    /// Seconds without load.
    #[arg(long, default_value_t = 30)]
    idle: u64,
    /// End with one line of JSON for each measure.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What one network showed.
struct Figures {
    finality_ms: Vec<f64>,
    idle_cpu_percent: f64,
    idle_mb: f64,
    loaded_mb: f64,
    per_second: f64,
}

impl Network {
    /// Measures one validator, then all.
    pub(crate) fn measure(&self) -> Result<Vec<Measure>> {
        let program = program("soma-node")?;
        let runtime = Runtime::new()?;
        let run = |validators| runtime.block_on(self.figures(&program, validators));
        let (one, all) = (run(1)?, run(self.validators)?);
        let n = self.validators;
        let row = |measure: String, ours: f64, goal: f64, unit| Measure {
            measure,
            ratio: Some(goal / ours),
            ours,
            peer: Some(goal),
            unit,
        };
        let at = |part: f64| percentile(&all.finality_ms, part);
        Ok(vec![
            row(
                format!("finality_median_{n}: from client to certified receipt, peer: the goal"),
                at(0.5),
                150.0,
                "ms",
            ),
            row(
                format!("finality_p99_{n}, peer: the goal"),
                at(0.99),
                400.0,
                "ms",
            ),
            row(
                "finality_median_1, peer: the goal".to_owned(),
                percentile(&one.finality_ms, 0.5),
                150.0,
                "ms",
            ),
            row(
                format!("idle_cpu_{n}: the busiest validator, of one core, peer: the goal"),
                all.idle_cpu_percent,
                5.0,
                "%",
            ),
            row(
                format!("idle_memory_{n}: the largest validator, peer: the goal"),
                all.idle_mb,
                80.0,
                "MB",
            ),
            Measure {
                measure: format!("loaded_memory_{n}: the same after {} transfers", self.load),
                ratio: None,
                ours: all.loaded_mb,
                peer: None,
                unit: "MB",
            },
            Measure {
                measure: format!(
                    "throughput_{n}: transfers over HTTP, each waited for, peer: one validator; \
                     goal: at least 0.5"
                ),
                ratio: Some(all.per_second / one.per_second),
                ours: all.per_second,
                peer: Some(one.per_second),
                unit: "transfers/s",
            },
        ])
    }

    async fn figures(&self, program: &std::path::Path, validators: usize) -> Result<Figures> {
        let folder = tempfile::tempdir()?;
        let mut config = LocalnetConfig::for_tests();
        config.validators = Some(validators);
        config.node.consensus.min_interval_ms = MIN_INTERVAL_MS;
        config.accounts = self.concurrent.div_ceil(OF_ACCOUNT);
        config.account_balance = Shannons(10_000_000_000_000);
        config.node.log.filter = "error".to_owned();
        let program = program.to_owned().into();
        let mut cluster = Cluster::prepare(program, folder.path().to_owned(), &config)?;
        cluster.start().await?;
        let clients: Vec<Client> = cluster
            .nodes()
            .iter()
            .map(|node| Client::builder().rpc_url(node.rpc_url()).build())
            .collect::<Result<_, _>>()?;
        let accounts: Vec<Arc<Account>> = cluster
            .keys()
            .accounts
            .iter()
            .enumerate()
            .map(|(n, key)| Arc::new(clients[n % validators].account(key.secret_key.clone())))
            .collect();
        // All connected, and the first blocks made.
        for account in &accounts {
            account.transfer(account.address(), Shannons(1)).await?;
        }

        let progress = Progress::new("transfers", Some(self.transfers as u64));
        let mut finality_ms = Vec::new();
        for n in 0..self.transfers {
            let account = &accounts[n % accounts.len()];
            let since = Instant::now();
            account.transfer(account.address(), Shannons(1)).await?;
            finality_ms.push(since.elapsed().as_secs_f64() * 1e3);
            progress.add(1);
        }
        progress.finish();

        tokio::time::sleep(Duration::from_secs(2)).await;
        let ids: Option<Vec<u32>> = cluster.nodes().iter().map(|node| node.id()).collect();
        let ids = ids.context("a node has ended")?;
        let before: Vec<f64> = ids
            .iter()
            .map(|id| cpu_seconds(*id))
            .collect::<Result<_>>()?;
        let since = Instant::now();
        tokio::time::sleep(Duration::from_secs(self.idle)).await;
        let seconds = since.elapsed().as_secs_f64();
        let mut idle_cpu_percent: f64 = 0.0;
        for (id, before) in ids.iter().zip(&before) {
            let used = cpu_seconds(*id)? - before;
            idle_cpu_percent = idle_cpu_percent.max(100.0 * used / seconds);
        }
        let idle_mb = largest_mb(&ids)?;

        let since = Instant::now();
        send_all(&accounts, self.concurrent, self.load).await?;
        let per_second = self.load as f64 / since.elapsed().as_secs_f64();
        let loaded_mb = largest_mb(&ids)?;
        cluster.stop().await;
        Ok(Figures {
            finality_ms,
            idle_cpu_percent,
            idle_mb,
            loaded_mb,
            per_second,
        })
    }
}

async fn send_all(accounts: &[Arc<Account>], concurrent: usize, count: usize) -> Result<()> {
    let left = Arc::new(AtomicUsize::new(count));
    let progress = Arc::new(Progress::new("transfers", Some(count as u64)));
    let mut senders = JoinSet::new();
    for sender in 0..concurrent {
        let account = Arc::clone(&accounts[sender % accounts.len()]);
        let (left, progress) = (Arc::clone(&left), Arc::clone(&progress));
        senders.spawn(async move {
            let recipient = SecretKey::generate().address();
            let take = |left: usize| left.checked_sub(1);
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
            {
                account.transfer(recipient, Shannons(1_000)).await?;
                progress.add(1);
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    progress.finish();
    Ok(())
}

fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() as f64 * part) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(index.min(last)).copied().unwrap_or_default()
}

/// Time on a processor that a process has used.
fn cpu_seconds(id: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name in parentheses may hold anything.
    let (_, rest) = text.rsplit_once(')').context("no name in stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks =
        |index: usize| -> Result<f64> { Ok(fields.get(index).context("stat is short")?.parse()?) };
    // User and system time, in hundredths of a second.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn largest_mb(ids: &[u32]) -> Result<f64> {
    let mut largest = 0;
    for id in ids {
        largest = largest.max(process::resident_bytes(*id)?);
    }
    ensure!(largest > 0, "no node runs");
    Ok(largest as f64 / 1e6)
}
