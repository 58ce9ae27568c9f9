//! What must always hold.

use std::collections::{BTreeMap, BTreeSet};

use malachite::app::consensus::{LivenessMsg, SignedConsensusMsg};
use malachite::app::streaming::StreamContent;
use soma_chain::Chain;
use soma_consensus::context::{Part, Vote as EngineVote};
use soma_consensus::signing::ChainVerifier;
use soma_crypto::consensus::{header_digest, verify_certificate};
use soma_types::consensus::{RoundProposal, Vote, VoteKind};
use soma_types::validator::QUORUM;
use soma_types::{Address, Certificate, Committee, Digest, Epoch, Header, Height, MAX_SUPPLY};

use crate::disk::VirtualStore;
use crate::packet::Message;
use crate::violation::Violation;

type NodeChain = Chain<VirtualStore>;

/// Watches a run.
pub(crate) struct Checker {
    byzantine: BTreeSet<Address>,
    verifier: ChainVerifier,
    blocks: BTreeMap<Height, (Header, Digest)>,
    /// The highest acknowledged height of each node.
    committed: BTreeMap<usize, Height>,
    votes: BTreeMap<(Address, VoteKind, Height, u32), Option<Digest>>,
    proposals: BTreeMap<(Address, Height, u32), Digest>,
    /// Misbehaviour that nodes saw since they started.
    seen: BTreeMap<usize, BTreeSet<(Address, Height)>>,
    /// Misbehaviour that blocks name: validator, its height, the block's height.
    named: BTreeSet<(Address, Height, Height)>,
    pub(crate) violation: Option<Violation>,
    pub(crate) evidence_seen: u64,
}

impl Checker {
    /// Knows who is byzantine. `verifier` remembers what the nodes of the run checked before.
    pub(crate) fn new(byzantine: BTreeSet<Address>, verifier: ChainVerifier) -> Self {
        Self {
            byzantine,
            verifier,
            blocks: BTreeMap::new(),
            committed: BTreeMap::new(),
            votes: BTreeMap::new(),
            proposals: BTreeMap::new(),
            seen: BTreeMap::new(),
            named: BTreeSet::new(),
            violation: None,
            evidence_seen: 0,
        }
    }

    /// Keeps the first violation: what follows from it says nothing.
    pub(crate) fn report(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// Validators that blocks accused.
    pub(crate) fn accused(&self) -> u64 {
        self.named.len() as u64
    }

    /// The highest committed height of any honest node.
    pub(crate) fn height(&self) -> Height {
        self.blocks.keys().next_back().copied().unwrap_or_default()
    }

    /// The newest epoch of any committed block.
    pub(crate) fn epoch(&self) -> Epoch {
        let last = self.blocks.values().next_back();
        last.map_or(Epoch(0), |(header, _)| header.epoch)
    }

    /// A node acknowledged a commit.
    pub(crate) fn committed(&mut self, node: usize, chain: &NodeChain, height: Height) {
        self.committed.insert(node, height);
        if let Err(violation) = self.check_block(node, chain, height) {
            self.report(violation);
        }
    }

    fn check_block(
        &mut self,
        node: usize,
        chain: &NodeChain,
        height: Height,
    ) -> Result<(), Violation> {
        let unproven = |reason: &dyn ToString| Violation::Certificate {
            node,
            height,
            reason: reason.to_string(),
        };
        let reader = chain.reader();
        let block = reader.block(height).map_err(|error| unproven(&error))?;
        let block = block.ok_or_else(|| unproven(&"there is no block"))?;
        let (header, digest) = (block.header, header_digest(&block.header));
        let is_first = !self.blocks.contains_key(&height);
        self.check_agreement(node, header, digest)?;

        let certificate = reader.certificate(height).map_err(|e| unproven(&e))?;
        let certificate = certificate.ok_or_else(|| unproven(&"there is none"))?;
        let committee = reader.committee(header.epoch).map_err(|e| unproven(&e))?;
        let committee = committee.ok_or_else(|| unproven(&"its committee is unknown"))?;
        // The first certificate of a height is checked as a light client does; the others, which
        // have other signatures of the same votes, with what was checked before.
        match is_first {
            true => verify_certificate(&certificate, &header, &committee)
                .map_err(|error| unproven(&error))?,
            false => self
                .check_again(&certificate, digest, &committee)
                .map_err(|reason| unproven(&reason))?,
        }

        let supply = reader.supply().map_err(|error| Violation::Supply {
            node,
            height,
            reason: error.to_string(),
        })?;
        if supply.total() != Some(MAX_SUPPLY) {
            let reason = "the supply is not 10,000,000 SOMA".to_owned();
            return Err(Violation::Supply {
                node,
                height,
                reason,
            });
        }

        for named in block.misbehavior.iter() {
            let validator = named.validator;
            if !self.byzantine.contains(&validator) {
                return Err(Violation::HonestAccused { height, validator });
            }
            self.named.insert((validator, named.height, height));
        }
        Ok(())
    }

    fn check_again(
        &self,
        certificate: &Certificate,
        block: Digest,
        committee: &Committee,
    ) -> Result<(), &'static str> {
        if certificate.block != block {
            return Err("it is for another block");
        }
        let mut signers = BTreeSet::new();
        let mut power = 0;
        for signed in certificate.signatures.iter() {
            let validator = signed.validator;
            let member = committee
                .member(&validator)
                .ok_or("a signer is no member")?;
            let vote = EngineVote::from(Vote {
                kind: VoteKind::Precommit,
                height: certificate.height,
                round: certificate.round,
                block: Some(block),
                validator,
            });
            let (signature, key) = (&signed.signature, &member.consensus_key);
            if !self.verifier.is_signed_vote(&vote, signature, key) {
                return Err("a signature does not hold");
            }
            if signers.insert(validator) {
                power += member.voting_power;
            }
        }
        match power >= QUORUM {
            true => Ok(()),
            false => Err("the signers are too few"),
        }
    }

    /// One block at each height, and epochs in order.
    fn check_agreement(
        &mut self,
        node: usize,
        header: Header,
        digest: Digest,
    ) -> Result<(), Violation> {
        let height = header.height;
        if let Some((_, known)) = self.blocks.get(&height) {
            return match *known == digest {
                true => Ok(()),
                false => Err(Violation::Fork {
                    node,
                    height,
                    got: digest.to_string(),
                    known: known.to_string(),
                }),
            };
        }
        let before = match height {
            1 => Epoch(0),
            _ => match self.blocks.get(&(height - 1)) {
                Some((before, _)) => before.epoch,
                // Below the lowest height that an honest node acknowledged.
                None => header.epoch,
            },
        };
        if header.epoch != before && header.epoch != before.next() {
            let epoch = header.epoch;
            return Err(Violation::EpochOrder {
                height,
                epoch,
                before,
            });
        }
        self.blocks.insert(height, (header, digest));
        Ok(())
    }

    /// A node's engine saw validators contradict themselves.
    pub(crate) fn saw(&mut self, node: usize, height: Height, accused: &[Address]) {
        for validator in accused {
            if !self.byzantine.contains(validator) {
                self.report(Violation::HonestEquivocation {
                    validator: *validator,
                    height,
                    round: 0,
                });
            }
            self.evidence_seen += 1;
            let seen = self.seen.entry(node).or_default();
            seen.insert((*validator, height));
        }
    }

    /// A node's own block was committed somewhere: it must name all that the node had seen.
    pub(crate) fn check_evidence(&mut self, node: usize, header: &Header) {
        let height = header.height;
        let Some(seen) = self.seen.get(&node) else {
            return;
        };
        for (validator, at) in seen {
            let epoch = self.blocks.get(at).map(|(header, _)| header.epoch);
            // Evidence counts in its epoch and the next.
            let counts = epoch.is_some_and(|of| of == header.epoch || of.next() == header.epoch);
            let settled = self
                .named
                .iter()
                .any(|(named, up_to, block)| named == validator && at <= up_to && *block <= height);
            if *at < height && counts && !settled {
                self.violation.get_or_insert(Violation::EvidenceLeftOut {
                    node,
                    validator: *validator,
                    seen: *at,
                    height,
                });
            }
        }
    }

    /// A node crashed: what it saw was in memory.
    pub(crate) fn crashed(&mut self, node: usize) {
        self.seen.remove(&node);
    }

    /// A node is back.
    pub(crate) fn restarted(&mut self, node: usize, chain: &NodeChain) {
        let head = chain.head();
        let had = self.committed.get(&node).copied().unwrap_or_default();
        let has = head.header.height;
        if has < had {
            self.report(Violation::LostBlock { node, had, has });
            return;
        }
        // A block whose commit was cut short may be there; it must be the right one.
        for height in had.max(1)..=has {
            self.committed(node, chain, height);
        }
    }

    /// An honest node sends a message.
    pub(crate) fn published(&mut self, message: &Message) {
        match message {
            Message::Consensus(SignedConsensusMsg::Vote(vote))
            | Message::Liveness(LivenessMsg::Vote(vote)) => self.voted(vote.message.to_plain()),
            Message::Consensus(SignedConsensusMsg::Proposal(proposal)) => {
                self.proposed(proposal.message.to_plain());
            }
            Message::Part(part) => {
                if let StreamContent::Data(Part::Head(head)) = &part.content {
                    self.proposed(head.proposal.proposal);
                }
            }
            _ => {}
        }
    }

    fn voted(&mut self, vote: Vote) {
        let key = (vote.validator, vote.kind, vote.height, vote.round);
        let first = *self.votes.entry(key).or_insert(vote.block);
        if first != vote.block {
            self.contradicted(vote.validator, vote.height, vote.round);
        }
    }

    fn proposed(&mut self, proposal: RoundProposal) {
        let key = (proposal.proposer, proposal.height, proposal.round);
        let first = *self.proposals.entry(key).or_insert(proposal.block);
        if first != proposal.block {
            self.contradicted(proposal.proposer, proposal.height, proposal.round);
        }
    }

    fn contradicted(&mut self, validator: Address, height: Height, round: u32) {
        if !self.byzantine.contains(&validator) {
            self.report(Violation::HonestEquivocation {
                validator,
                height,
                round,
            });
        }
    }

    /// Counts the money of a chain anew.
    pub(crate) fn recount(&mut self, node: usize, chain: &NodeChain) {
        let reader = chain.reader();
        let height = reader.head().header.height;
        let reason = match (reader.recount_supply(), reader.supply()) {
            (Ok(counted), Ok(kept)) if counted == kept => return,
            (Ok(_), Ok(_)) => "the supply counted anew differs from the one kept".to_owned(),
            (Err(error), _) | (_, Err(error)) => error.to_string(),
        };
        self.report(Violation::Supply {
            node,
            height,
            reason,
        });
    }
}
