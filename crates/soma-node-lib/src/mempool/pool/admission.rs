//! Who may wait: what is checked before a transaction is taken.

use soma_crypto::transaction::VerifiedTransaction;

use super::Pool;
use crate::mempool::queue::Queue;
use crate::mempool::{ChainFacts, MempoolError, SenderFacts};

impl Pool {
    /// Everything that can be said before anything changes.
    pub(super) fn check(
        &self,
        transaction: &VerifiedTransaction,
        sender: &SenderFacts,
        chain: &ChainFacts,
    ) -> Result<(), MempoolError> {
        let body = &transaction.transaction;
        let size = transaction.size_bytes();
        if body.chain_id != chain.chain_id {
            return Err(MempoolError::WrongChain {
                expected: chain.chain_id,
                got: body.chain_id,
            });
        }
        if u64::try_from(size).map_or(true, |size| size > chain.max_transaction_bytes) {
            return Err(MempoolError::TooLarge {
                got: size,
                max: chain.max_transaction_bytes,
            });
        }
        if body.expiry_height < chain.next_height {
            return Err(MempoolError::Expired {
                expiry_height: body.expiry_height,
                next_height: chain.next_height,
            });
        }
        let Some(ahead) = body.nonce.checked_sub(sender.nonce) else {
            return Err(MempoolError::NonceTooLow {
                expected: sender.nonce,
                got: body.nonce,
            });
        };
        let max_gap = u64::try_from(self.config.max_sender_transactions).unwrap_or(u64::MAX);
        if ahead >= max_gap || body.nonce == u64::MAX {
            return Err(MempoolError::NonceGap {
                expected: sender.nonce,
                got: body.nonce,
                max_gap,
            });
        }
        let queue = self.queues.get(&body.sender);
        let replaced = queue.and_then(|queue| queue.get(body.nonce));
        if let Some(height) = replaced.and_then(|entry| entry.proposed) {
            return Err(MempoolError::NonceInUse {
                nonce: body.nonce,
                height,
            });
        }
        // Each is verified and passed on, and only the last pays.
        let most = self.config.max_replacements;
        if replaced.is_some_and(|entry| entry.replaced >= most) {
            return Err(MempoolError::SenderLimit {
                limit: format!("{most} replacements of nonce {}", body.nonce),
            });
        }
        let freed = replaced.map_or(0, |entry| entry.transaction.size_bytes());
        let others = queue.map_or(0, Queue::len) - usize::from(replaced.is_some());
        let is_free = sender.is_validator && body.kind.is_validator_duty();
        let most = self.config.max_sender_duties;
        // Nothing else keeps a validator from filling blocks by reporting and taking back in turns.
        if is_free && queue.map_or(0, Queue::duties) >= most {
            return Err(MempoolError::SenderLimit {
                limit: format!("{most} reports that cost no fee"),
            });
        }
        let waiting = u64::try_from(others).unwrap_or(u64::MAX).saturating_add(1);
        let needed = chain.base_fee.checked_mul(waiting);
        if !is_free && needed.is_none_or(|needed| needed > sender.balance) {
            return Err(MempoolError::InsufficientGas {
                waiting,
                needed: needed.unwrap_or(soma_types::MAX_SUPPLY),
                available: sender.balance,
            });
        }
        self.check_room(
            others,
            queue.map_or(0, Queue::bytes) - freed,
            size,
            replaced.is_some(),
        )?;
        let is_ready = body.nonce <= self.next_nonce(&body.sender, sender.nonce);
        let parked = self.by_digest.len().saturating_sub(self.ready);
        if !is_ready && replaced.is_none() && parked >= self.config.max_parked() {
            return Err(MempoolError::Full {
                limit: format!("{} behind a missing nonce", self.config.max_parked()),
            });
        }
        Ok(())
    }

    fn check_room(
        &self,
        others: usize,
        sender_bytes: usize,
        size: usize,
        is_replacement: bool,
    ) -> Result<(), MempoolError> {
        let config = &self.config;
        if others >= config.max_sender_transactions {
            return Err(MempoolError::SenderLimit {
                limit: format!("{} transactions", config.max_sender_transactions),
            });
        }
        if sender_bytes.saturating_add(size) > config.max_sender_bytes {
            return Err(MempoolError::SenderLimit {
                limit: format!("{} bytes", config.max_sender_bytes),
            });
        }
        if !is_replacement && self.by_digest.len() >= config.max_transactions {
            return Err(MempoolError::Full {
                limit: format!("{} transactions", config.max_transactions),
            });
        }
        if self.bytes.saturating_add(size) > config.max_bytes {
            return Err(MempoolError::Full {
                limit: format!("{} bytes", config.max_bytes),
            });
        }
        Ok(())
    }
}
