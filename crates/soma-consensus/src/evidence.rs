//! Evidence that this node saw, until it is in a block.

use std::collections::BTreeMap;

use malachite::app::types::MisbehaviorEvidence;
use malachite::app::types::core::SignedMessage;
use soma_types::consensus::{SignedRoundProposal, SignedVote};
use soma_types::{Address, Evidence, Height, Misbehavior};

use crate::context::{Proposal, SomaContext, Vote};

/// Evidence that is kept at most: the chain punishes a validator once in an epoch.
const MAX_KEPT: usize = 256;

/// Evidence by validator and height: one piece for each.
///
/// It is kept in memory only. What is lost with a restart is seen by other honest validators too.
#[derive(Debug, Default)]
pub struct EvidencePool {
    pending: BTreeMap<(Address, Height), Evidence>,
}

impl EvidencePool {
    /// Takes what the engine saw at a height.
    pub fn collect(&mut self, seen: &MisbehaviorEvidence<SomaContext>) {
        for (_, pairs) in &seen.votes {
            for (first, second) in pairs {
                self.add(of_votes(first, second));
            }
        }
        for (_, pairs) in &seen.proposals {
            for (first, second) in pairs {
                self.add(of_proposals(first, second));
            }
        }
    }

    /// Takes one piece. Whether it proves anything is checked when a block is built.
    pub fn add(&mut self, evidence: Evidence) {
        let accused = evidence.accusation();
        let key = (accused.validator, accused.height);
        self.pending.entry(key).or_insert(evidence);
        if self.pending.len() > MAX_KEPT {
            let oldest = self.pending.keys().min_by_key(|(_, height)| *height);
            if let Some(oldest) = oldest.copied() {
                self.pending.remove(&oldest);
            }
        }
    }

    /// All of it, in order of validator and height.
    pub fn pending(&self) -> Vec<Evidence> {
        self.pending.values().copied().collect()
    }

    /// Drops what a committed block named, and all else against the same validators up to its
    /// heights, which the chain would ignore.
    pub fn settle(&mut self, named: &[Misbehavior]) {
        self.pending.retain(|(validator, height), _| {
            let mut settled = named.iter();
            !settled.any(|one| one.validator == *validator && *height <= one.height)
        });
    }
}

fn of_votes(
    first: &SignedMessage<SomaContext, Vote>,
    second: &SignedMessage<SomaContext, Vote>,
) -> Evidence {
    let plain = |signed: &SignedMessage<SomaContext, Vote>| SignedVote {
        vote: signed.message.to_plain(),
        signature: signed.signature,
    };
    let (a, b) = (plain(first), plain(second));
    Evidence::Votes {
        first: a.min(b),
        second: a.max(b),
    }
}

fn of_proposals(
    first: &SignedMessage<SomaContext, Proposal>,
    second: &SignedMessage<SomaContext, Proposal>,
) -> Evidence {
    let plain = |signed: &SignedMessage<SomaContext, Proposal>| SignedRoundProposal {
        proposal: signed.message.to_plain(),
        signature: signed.signature,
    };
    let (a, b) = (plain(first), plain(second));
    Evidence::Proposals {
        first: a.min(b),
        second: a.max(b),
    }
}
