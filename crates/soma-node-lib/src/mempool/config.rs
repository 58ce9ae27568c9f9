//! Limits of the mempool.

use serde::{Deserialize, Serialize};

/// Limits of the mempool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MempoolConfig {
    /// The most waiting transactions. Default 50,000.
    pub max_transactions: usize,
    /// The most bytes of waiting transactions. Default 128 MiB.
    pub max_bytes: usize,
    /// The most waiting transactions of one sender; also how far ahead of the account a nonce may
    /// be. Default 1,024.
    pub max_sender_transactions: usize,
    /// The most bytes of waiting transactions of one sender. Default 8 MiB.
    pub max_sender_bytes: usize,
    /// How often a waiting transaction may be replaced by another with its nonce. Default 16.
    pub max_replacements: u32,
    /// The most waiting transactions of one validator that cost no fee. Default 64.
    pub max_sender_duties: usize,
    /// The part of `max_transactions` and `max_bytes` that transactions behind a gap may take, in
    /// percent. Default 25.
    pub max_parked_percent: u8,
    /// Blocks after which a transaction is dropped even before its expiry. Default 20,000.
    pub max_age_blocks: u64,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        Self {
            max_transactions: 50_000,
            max_bytes: 128 << 20,
            max_sender_transactions: 1_024,
            max_sender_bytes: 8 << 20,
            max_replacements: 16,
            max_sender_duties: 64,
            max_parked_percent: 25,
            max_age_blocks: 20_000,
        }
    }
}

impl MempoolConfig {
    /// The most transactions that may wait behind a gap.
    pub(super) fn max_parked(&self) -> usize {
        self.max_transactions / 100 * usize::from(self.max_parked_percent)
            + self.max_transactions % 100 * usize::from(self.max_parked_percent) / 100
    }
}
