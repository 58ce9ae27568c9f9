//! Rows of the store beside the state: blocks, receipts, indexes. None is part of the state root.

use soma_types::{Address, Digest, Epoch, Height, StakeId, TargetId};

/// The head: its header.
pub(crate) const HEAD: [u8; 2] = *b"Mh";
/// The genesis document.
pub(crate) const GENESIS: [u8; 2] = *b"Mg";
/// The tree's checkpoint.
pub(crate) const TREE: [u8; 2] = *b"Mt";
/// The lowest block that is kept.
pub(crate) const LOWEST_BLOCK: [u8; 2] = *b"Ml";
/// The lowest undo record that is kept.
pub(crate) const LOWEST_UNDO: [u8; 2] = *b"Mu";

fn row(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(tag);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// A block.
pub(crate) fn block(height: Height) -> Vec<u8> {
    row(b'b', &[&height.to_be_bytes()])
}

/// Height of a block by its digest.
pub(crate) fn block_digest(digest: &Digest) -> Vec<u8> {
    row(b'd', &[&digest.0])
}

/// Height and place of a transaction by its digest.
pub(crate) fn transaction(digest: &Digest) -> Vec<u8> {
    row(b't', &[&digest.0])
}

/// The certificate of a block.
pub(crate) fn certificate(height: Height) -> Vec<u8> {
    row(b'c', &[&height.to_be_bytes()])
}

/// Proofs of the misbehaviour that a block names.
pub(crate) fn evidence(height: Height) -> Vec<u8> {
    row(b'v', &[&height.to_be_bytes()])
}

/// How the committee of an epoch hands over to the next.
pub(crate) fn handover(epoch: Epoch) -> Vec<u8> {
    row(b'h', &[&epoch.0.to_be_bytes()])
}

/// Receipts of a block.
pub(crate) fn receipts(height: Height) -> Vec<u8> {
    row(b'r', &[&height.to_be_bytes()])
}

/// Events of a block.
pub(crate) fn events(height: Height) -> Vec<u8> {
    row(b'e', &[&height.to_be_bytes()])
}

/// Entries as they were before a block.
pub(crate) fn undo(height: Height) -> Vec<u8> {
    row(b'u', &[&height.to_be_bytes()])
}

/// A node of the state tree.
pub(crate) fn node(key: &[u8]) -> Vec<u8> {
    row(b'T', &[key])
}

/// An entry of an address's ledger.
pub(crate) fn ledger(address: &Address, height: Height, index: u32) -> Vec<u8> {
    row(
        b'l',
        &[&address.0, &height.to_be_bytes(), &index.to_be_bytes()],
    )
}

/// All of an address's ledger.
pub(crate) fn ledger_of(address: &Address) -> Vec<u8> {
    row(b'l', &[&address.0])
}

/// A stake position by its owner.
pub(crate) fn stake_by_owner(owner: &Address, stake: &StakeId) -> Vec<u8> {
    row(b'o', &[&owner.0, &stake.0])
}

/// All stake positions of an owner.
pub(crate) fn stakes_of(owner: &Address) -> Vec<u8> {
    row(b'o', &[&owner.0])
}

/// A filled target by its submitter.
pub(crate) fn target_by_submitter(submitter: &Address, target: &TargetId) -> Vec<u8> {
    row(b'm', &[&submitter.0, &target.0])
}

/// All targets that an address filled.
pub(crate) fn targets_of(submitter: &Address) -> Vec<u8> {
    row(b'm', &[&submitter.0])
}

/// A target by its epoch.
pub(crate) fn target_by_epoch(epoch: Epoch, target: &TargetId) -> Vec<u8> {
    row(b'n', &[&epoch.0.to_be_bytes(), &target.0])
}

/// All targets of an epoch.
pub(crate) fn targets_in(epoch: Epoch) -> Vec<u8> {
    row(b'n', &[&epoch.0.to_be_bytes()])
}
