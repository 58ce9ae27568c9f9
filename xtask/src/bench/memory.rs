//! Memory of a node at start and after many transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use soma_crypto::SecretKey;
use soma_sdk::Account;
use soma_types::Shannons;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::Measure;
use crate::command::program;
use crate::process::Localnet;

/// Transfers under way at a time.
const CONCURRENT: usize = 256;

/// Resident memory of a localnet with default settings before and after `count` transfers to new
/// accounts, sent over HTTP and each waited for.
pub(crate) fn measure(count: usize) -> Result<Vec<Measure>> {
    let program = program("soma")?;
    let runtime = Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let (mut node, client, _) = Localnet::start(&program, folder.path(), &runtime)?;
    let start = node.resident_bytes()?;
    let accounts: Vec<Arc<Account>> = node
        .keys()?
        .into_iter()
        .map(|key| Arc::new(client.account(key)))
        .collect();
    ensure!(!accounts.is_empty(), "the localnet has no funded accounts");
    let left = Arc::new(AtomicUsize::new(count));
    runtime.block_on(async {
        let mut senders = JoinSet::new();
        for sender in 0..CONCURRENT {
            let account = Arc::clone(&accounts[sender % accounts.len()]);
            senders.spawn(send(account, Arc::clone(&left)));
        }
        while let Some(ended) = senders.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    })?;
    let end = node.resident_bytes()?;
    node.stop()?;
    let row = |measure: String, bytes: u64| Measure {
        measure,
        ratio: Some(start as f64 / bytes as f64),
        ours: bytes as f64 / 1e6,
        peer: Some(start as f64 / 1e6),
        unit: "MB",
    };
    Ok(vec![
        row("memory of a node at start".to_owned(), start),
        row(
            format!("memory of a node after {count} transactions, peer: at start"),
            end,
        ),
    ])
}

/// Sends transfers for as long as some are left.
async fn send(account: Arc<Account>, left: Arc<AtomicUsize>) -> Result<()> {
    let take = |left: usize| left.checked_sub(1);
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
    {
        let recipient = SecretKey::generate().address();
        account.transfer(recipient, Shannons(1_000)).await?;
    }
    Ok(())
}
