//! The crash task: a real node is killed at random moments under load, again and again. Every
//! transaction that it acknowledged must be there after each restart, and in the end the chain on
//! disk must equal a replay of its own blocks.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use rand_core::{OsRng, RngCore};
use soma_chain::{Chain, ChainConfig, MemoryStore, SledStore, VerifiedProposal};
use soma_crypto::SecretKey;
use soma_progress::Progress;
use soma_sdk::Client;
use soma_types::{Digest, Genesis, Shannons};
use tokio::runtime::Runtime;

use crate::process::Localnet;

/// Tasks that send transfers.
const SENDERS: usize = 4;
/// The longest a restart may take.
const RESTART_LIMIT: Duration = Duration::from_secs(2);
/// Acknowledged transactions looked up after each restart, the newest first; after the last, all.
const CHECKED_PER_RESTART: usize = 200;

/// How often to kill.
#[derive(Args)]
pub(crate) struct Crash {
    /// Validators, each in a process of its own; all are killed at once.
    #[arg(long, default_value_t = 1)]
    validators: usize,
    /// Kills by SIGKILL.
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

type Acknowledged = Arc<Mutex<Vec<Digest>>>;

impl Crash {
    /// Kills and checks.
    pub(crate) fn run(self) -> Result<()> {
        ensure!(self.validators > 0, "--validators must be at least 1");
        if self.validators > 1 {
            return crate::cluster::run(self.validators, self.kills, self.json);
        }
        let program = crate::command::program("soma")?;
        let runtime = Runtime::new()?;
        let folder = tempfile::tempdir()?;
        let progress = Progress::new("kills", Some(self.kills as u64));
        let acknowledged = Acknowledged::default();
        let mut slowest = Duration::ZERO;
        for kill in 0..=self.kills {
            let (mut node, client, restart) = Localnet::start(&program, folder.path(), &runtime)?;
            if kill > 0 {
                slowest = slowest.max(restart);
            }
            let is_last = kill == self.kills;
            let checked = if is_last {
                usize::MAX
            } else {
                CHECKED_PER_RESTART
            };
            runtime.block_on(check(&client, &acknowledged, checked))?;
            if is_last {
                node.stop()?;
                break;
            }
            let keys = node.keys()?;
            runtime.block_on(async {
                let load: Vec<_> = keys
                    .into_iter()
                    .take(SENDERS)
                    .map(|key| tokio::spawn(send(client.account(key), Arc::clone(&acknowledged))))
                    .collect();
                let wait = Duration::from_millis(20 + u64::from(OsRng.next_u32() % 800));
                tokio::time::sleep(wait).await;
                let killed = node.kill();
                for task in load {
                    // A sender ends when its node is gone.
                    task.abort();
                }
                killed
            })?;
            progress.add(1);
        }
        progress.finish();
        let blocks = replay(folder.path())?;
        let count = lock(&acknowledged).len();
        let slowest_ms = slowest.as_millis();
        ensure!(
            count > self.kills,
            "only {count} transactions were acknowledged"
        );
        ensure!(slowest < RESTART_LIMIT, "a restart took {slowest_ms} ms");
        match self.json {
            true => println!(
                "{}",
                serde_json::json!({
                    "kills": self.kills, "acknowledged": count, "blocks": blocks,
                    "slowest_restart_ms": u64::try_from(slowest_ms)?, "passed": true,
                })
            ),
            false => println!(
                "passed: {} kills, {count} acknowledged transactions all there, {blocks} blocks \
                 replayed to the same roots, slowest restart {slowest_ms} ms",
                self.kills
            ),
        }
        Ok(())
    }
}

fn lock(acknowledged: &Acknowledged) -> std::sync::MutexGuard<'_, Vec<Digest>> {
    acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends transfers until the node is gone; notes each that was acknowledged.
async fn send(account: soma_sdk::Account, acknowledged: Acknowledged) {
    let recipient = SecretKey::generate().address();
    while let Ok(receipt) = account.transfer(recipient, Shannons(1)).await {
        lock(&acknowledged).push(receipt.transaction);
    }
}

/// The newest `count` acknowledged transactions are there.
async fn check(client: &Client, acknowledged: &Acknowledged, count: usize) -> Result<()> {
    let newest: Vec<Digest> = lock(acknowledged)
        .iter()
        .rev()
        .take(count)
        .copied()
        .collect();
    for digest in newest {
        let found = client.transaction(&digest).await;
        found.with_context(|| format!("acknowledged transaction {digest} is lost"))?;
    }
    Ok(())
}

/// Executes the blocks on disk anew; gives their number.
fn replay(folder: &Path) -> Result<u64> {
    let data = folder.join("localnet");
    let genesis: Genesis = serde_json::from_slice(&std::fs::read(data.join("genesis.json"))?)?;
    let store = SledStore::open(data.join("chain"), 64 << 20)?;
    let chain = Chain::open(store, &genesis, ChainConfig::default())?;
    let anew = Chain::open(MemoryStore::new(), &genesis, ChainConfig::default())?;
    let last = chain.head().header.height;
    for height in 1..=last {
        let block = chain
            .reader()
            .block(height)?
            .context("a block is missing")?;
        let verify = |signed: &soma_types::SignedTransaction| {
            soma_crypto::transaction::verify(signed.clone())
        };
        let proposal = VerifiedProposal {
            height,
            time_ms: block.header.time_ms,
            parent: block.header.parent,
            proposer: block.header.proposer,
            transactions: block
                .transactions
                .iter()
                .map(verify)
                .collect::<Result<_, _>>()?,
            misbehavior: block.misbehavior.to_vec(),
            end_epoch: block.end_epoch,
        };
        let executed = anew.execute(&proposal)?;
        ensure!(
            executed.block.header == block.header,
            "block {height} replays differently"
        );
        anew.commit(executed)?;
    }
    ensure!(anew.head() == chain.head(), "the replay ends elsewhere");
    Ok(last)
}
