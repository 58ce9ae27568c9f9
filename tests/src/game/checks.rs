//! The rules that must always hold.

use std::collections::{BTreeMap, BTreeSet};

use soma_types::{
    Address, Epoch, ExecutionStatus, MAX_SUPPLY, ObjectRef, Receipt, Shannons, TargetId,
};

use super::Game;

impl Game {
    /// Money is conserved, and a failed transaction costs its sender the base fee and no more.
    pub(super) fn check_block(&mut self, receipts: &[Receipt], base_fee: Shannons) {
        let supply = self.world.read().supply().expect("in memory");
        assert_eq!(supply.total(), Some(MAX_SUPPLY), "the supply is conserved");
        for receipt in receipts {
            self.tally.operations += 1;
            match &receipt.status {
                ExecutionStatus::Success => {
                    let name = self.kind_of(receipt);
                    *self.tally.succeeded.entry(name).or_default() += 1;
                }
                ExecutionStatus::Failure { error } => {
                    *self.tally.failed.entry(error.name()).or_default() += 1;
                    // Also a sender without an account uses a nonce.
                    let own = ObjectRef::Coin(receipt.sender);
                    let written = receipt.created.iter().chain(&receipt.mutated);
                    assert!(written.chain(&receipt.deleted).all(|object| *object == own));
                    assert!(receipt.fee.total() <= base_fee);
                    let paid: i64 = receipt.balance_changes.iter().map(|c| c.amount).sum();
                    assert_eq!(paid, -(receipt.fee.total().0 as i64));
                }
            }
        }
    }

    pub(super) fn kind_of(&self, receipt: &Receipt) -> &'static str {
        let last = self.world.proposals.last().expect("a block was made");
        last.transactions[receipt.index as usize]
            .transaction
            .kind
            .name()
    }

    /// In a block with nothing else, a failed transaction changed its sender, the burned fees and
    /// nothing more.
    pub(super) fn check_quiet_failure(
        &self,
        receipt: &Receipt,
        before: BTreeMap<Vec<u8>, Vec<u8>>,
    ) {
        if receipt.status.is_success() {
            return;
        }
        let after = self.world.dump();
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let allowed = [
            soma_chain::Key::Account(receipt.sender),
            soma_chain::Key::System,
            soma_chain::Key::Supply,
        ]
        .map(soma_chain::Key::to_bytes);
        for key in keys {
            let swept = is_swept_by_any_block(key);
            if before.get(key) != after.get(key) && !swept {
                assert!(
                    allowed.contains(key),
                    "a failed transaction changed {key:02x?}"
                );
            }
        }
    }

    pub(super) fn check_epoch(&self, ended: Epoch) {
        let reader = self.world.read();
        let certificate = reader
            .supply_certificate(ended)
            .expect("in memory")
            .expect("kept");
        assert_eq!(certificate.supply.total(), Some(MAX_SUPPLY));
        let committee = reader
            .committee(ended.next())
            .expect("in memory")
            .expect("formed");
        let power: u64 = committee
            .members
            .iter()
            .map(|member| member.voting_power)
            .sum();
        assert_eq!(power, 10_000, "voting power is 10,000 in all");
    }

    /// The running supply is the supply counted anew.
    ///
    /// # Panics
    /// When it is not.
    pub fn check_recount(&self) {
        let reader = self.world.read();
        let counted = reader.recount_supply().expect("adds up");
        assert_eq!(counted, reader.supply().expect("in memory"));
    }
}

/// Lapsed seals and old targets are removed by any block.
fn is_swept_by_any_block(key: &[u8]) -> bool {
    use soma_chain::key::prefix;
    let zero = soma_chain::Key::Sealed(Address([0; 32]), soma_types::Commitment([0; 32]));
    let sealed = &zero.to_bytes()[..2];
    let expiry = &prefix::sealed_expiry(0)[..2];
    let target = soma_chain::Key::TargetEmbedding(TargetId([0; 32])).to_bytes();
    let fill = soma_chain::Key::FillEmbedding(TargetId([0; 32])).to_bytes();
    [
        sealed,
        expiry,
        &prefix::TARGETS,
        &prefix::RETIRED,
        &target[..2],
        &fill[..2],
    ]
    .iter()
    .any(|prefix| key.starts_with(prefix))
}
