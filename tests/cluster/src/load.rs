//! Transfers without end, and a record of what was acknowledged.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use soma_crypto::SecretKey;
use soma_sdk::{Account, SdkError};
use soma_types::{Digest, Height, Shannons};
use tokio::task::JoinHandle;

use crate::arena::PATIENCE;

/// A transfer whose receipt a node gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The transfer.
    pub digest: Digest,
    /// The block that contains it.
    pub height: Height,
    /// The node that said so.
    pub place: usize,
}

#[derive(Default)]
struct Page {
    acknowledged: Vec<Acknowledged>,
    errors: Vec<String>,
    longest: Duration,
}

/// What clients were told. Cheap to clone.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Page>>);

impl Ledger {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of acknowledged transfers.
    pub fn len(&self) -> usize {
        self.page().acknowledged.len()
    }

    /// True before the first.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All acknowledged transfers, the oldest first.
    pub fn all(&self) -> Vec<Acknowledged> {
        self.page().acknowledged.clone()
    }

    /// The newest `count` of them.
    pub fn newest(&self, count: usize) -> Vec<Acknowledged> {
        let page = self.page();
        let from = page.acknowledged.len().saturating_sub(count);
        page.acknowledged[from..].to_vec()
    }

    /// The highest height that the node at `place` acknowledged a transfer of.
    pub fn height_of(&self, place: usize) -> Height {
        let page = self.page();
        let of = page.acknowledged.iter().filter(|one| one.place == place);
        of.map(|one| one.height).max().unwrap_or_default()
    }

    /// What clients could not do, in their words.
    pub fn errors(&self) -> Vec<String> {
        self.page().errors.clone()
    }

    /// Waits for so many more acknowledged transfers.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn grows(&self, transfers: usize) -> anyhow::Result<()> {
        let (since, goal) = (Instant::now(), self.len() + transfers);
        while self.len() < goal {
            ensure!(
                since.elapsed() < PATIENCE,
                "no {transfers} transfers in {} s: {:?}",
                PATIENCE.as_secs(),
                self.errors()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The longest that a client waited for a receipt since the last call.
    pub fn take_longest(&self) -> Duration {
        std::mem::take(&mut self.page().longest)
    }

    /// Records what became of a transfer that began at `since`.
    fn note(&self, place: usize, since: Instant, result: Result<(Digest, Height), SdkError>) {
        let mut page = self.page();
        page.longest = page.longest.max(since.elapsed());
        match result {
            Ok((digest, height)) => page.acknowledged.push(Acknowledged {
                digest,
                height,
                place,
            }),
            Err(error) => page.errors.push(error.to_string()),
        }
    }
}

/// Clients that send. They end when this is dropped.
pub struct Load(Vec<JoinHandle<()>>);

impl Load {
    /// Lets each account send transfers, one after the other, through the node at its place. A
    /// client ends with its first error, which the ledger has then.
    pub fn start(accounts: Vec<(Account, usize)>, ledger: &Ledger) -> Self {
        let spawn = |(account, place): (Account, usize)| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let recipient = SecretKey::generate().address();
                loop {
                    let since = Instant::now();
                    let receipt = account.transfer(recipient, Shannons(1)).await;
                    let receipt = receipt.map(|receipt| (receipt.transaction, receipt.height));
                    let is_over = receipt.is_err();
                    ledger.note(place, since, receipt);
                    if is_over {
                        return;
                    }
                }
            })
        };
        Self(accounts.into_iter().map(spawn).collect())
    }

    /// Ends it: transfers on their way are forgotten, as by a client that is killed.
    pub fn end(self) {}
}

impl Drop for Load {
    fn drop(&mut self) {
        for client in &self.0 {
            client.abort();
        }
    }
}
