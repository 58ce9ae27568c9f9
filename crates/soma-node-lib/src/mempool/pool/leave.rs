//! What leaves: with its block, after its time, or for the sake of a block.

use soma_types::time::Height;
use soma_types::{Address, Digest};

use super::Pool;
use crate::mempool::queue::Entry;
use crate::mempool::{DropReason, Dropped, Executed};

impl Pool {
    /// As [`Mempool::on_block`](crate::mempool::Mempool::on_block).
    pub(in crate::mempool) fn on_block<'a>(
        &mut self,
        height: Height,
        executed: impl IntoIterator<Item = Executed<'a>>,
    ) -> Vec<Dropped> {
        self.height = self.height.max(height);
        for done in executed {
            if self.queues.contains_key(done.sender) {
                let next = done.nonce.saturating_add(1);
                for entry in self.change(*done.sender, next, |queue| queue.advance(next)) {
                    let nonce = entry.transaction.transaction.nonce;
                    self.overtaken.insert(entry.transaction.digest(), nonce);
                    self.forget(&entry);
                }
            }
            self.overtaken.remove(&done.digest);
        }
        let mut dropped: Vec<_> = self
            .overtaken
            .drain()
            .map(|(digest, nonce)| Dropped {
                digest,
                reason: DropReason::NonceUsed { nonce },
            })
            .collect();
        while let Some((until, address, nonce)) = self.by_expiry.first().copied() {
            if until > height {
                break;
            }
            self.by_expiry.pop_first();
            if let Some(entry) = self.take_out(address, nonce) {
                dropped.push(Dropped {
                    digest: entry.transaction.digest(),
                    reason: self.outlived(&entry, height),
                });
            }
        }
        self.release(height);
        dropped
    }

    /// Why `entry` may wait no longer than `height`.
    fn outlived(&self, entry: &Entry, height: Height) -> DropReason {
        let expiry_height = entry.transaction.transaction.expiry_height;
        if expiry_height <= height {
            DropReason::Expired { expiry_height }
        } else {
            DropReason::Aged {
                blocks: self.config.max_age_blocks,
            }
        }
    }

    /// Drops a transaction that no block can be made with.
    pub(in crate::mempool) fn remove(&mut self, digest: &Digest) -> Option<Dropped> {
        let (address, nonce) = self.by_digest.get(digest).copied()?;
        let entry = self.take_out(address, nonce)?;
        Some(Dropped {
            digest: entry.transaction.digest(),
            reason: DropReason::Unexecutable,
        })
    }

    fn take_out(&mut self, address: Address, nonce: u64) -> Option<Entry> {
        let mut gone = self.change(address, 0, |queue| {
            queue.remove(nonce).into_iter().collect()
        });
        let entry = gone.pop()?;
        self.forget(&entry);
        Some(entry)
    }
}
