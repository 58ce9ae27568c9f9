//! What goes into a block: order within and between senders, and what is being proposed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use soma_crypto::transaction::VerifiedTransaction;
use soma_types::Address;
use soma_types::time::Height;

use super::Pool;
use crate::mempool::PickLimits;

impl Pool {
    /// As [`Mempool::pick`](crate::mempool::Mempool::pick).
    pub(in crate::mempool) fn pick(
        &mut self,
        limits: PickLimits,
        mut nonce_of: impl FnMut(&Address) -> Option<u64>,
    ) -> Vec<VerifiedTransaction> {
        // Ordered by round first: nobody's second transaction comes before somebody's first.
        let mut next: BinaryHeap<Reverse<(u32, u64, Address, u64)>> = self
            .queues
            .iter()
            .filter_map(|(address, queue)| {
                let (nonce, arrived) = queue.first_ready()?;
                Some(Reverse((0, arrived, *address, nonce)))
            })
            .collect();
        let mut picked = Vec::new();
        let mut room = limits.bytes;
        while picked.len() < limits.transactions {
            let Some(Reverse((round, _, address, nonce))) = next.pop() else {
                break;
            };
            if round == 0 && nonce_of(&address) != Some(nonce) {
                continue;
            }
            let Some(queue) = self.queues.get_mut(&address) else {
                continue;
            };
            if let Some(entry) = queue.get_mut(nonce) {
                let size = entry.transaction.size_bytes();
                if size > room || entry.transaction.transaction.expiry_height < limits.height {
                    continue;
                }
                room -= size;
                entry.proposed = Some(limits.height);
                self.proposed.push((limits.height, address, nonce));
                picked.push(entry.transaction.clone());
            }
            let following = nonce.saturating_add(1);
            if let Some(entry) = queue.get(following) {
                next.push(Reverse((round + 1, entry.arrived, address, following)));
            }
        }
        picked
    }

    /// What was picked for this height or an earlier one and is still here can be replaced again.
    pub(super) fn release(&mut self, height: Height) {
        let queues = &mut self.queues;
        self.proposed.retain(|(proposed, address, nonce)| {
            if *proposed > height {
                return true;
            }
            let entry = queues
                .get_mut(address)
                .and_then(|queue| queue.get_mut(*nonce));
            if let Some(entry) = entry.filter(|entry| entry.proposed == Some(*proposed)) {
                entry.proposed = None;
            }
            false
        });
    }
}
