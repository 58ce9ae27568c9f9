//! The validators of a height, made from the committee of its epoch.

use std::sync::Arc;

use malachite::app::types::core::{self, VotingPower};
use soma_types::{Committee, CommitteeMember, Epoch, PublicKey};

use super::{Address, SomaContext};
use crate::error::ConsensusError;

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    address: Address,
    consensus_key: PublicKey,
    power: VotingPower,
}

impl From<&CommitteeMember> for Validator {
    fn from(member: &CommitteeMember) -> Self {
        Self {
            address: Address(member.address),
            consensus_key: member.consensus_key,
            power: member.voting_power,
        }
    }
}

impl core::Validator<SomaContext> for Validator {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.consensus_key
    }

    fn voting_power(&self) -> VotingPower {
        self.power
    }
}

/// The validators of a height, in order of address. Never empty. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorSet {
    committee: Arc<Committee>,
    members: Arc<[Validator]>,
    first: Validator,
    total: VotingPower,
}

impl ValidatorSet {
    /// The members of `committee` that have power.
    ///
    /// # Errors
    /// [`ConsensusError::NoValidators`] when there are none.
    pub fn new(committee: Arc<Committee>) -> Result<Self, ConsensusError> {
        let members: Arc<[Validator]> = committee
            .members
            .iter()
            .filter(|member| member.voting_power > 0)
            .map(Validator::from)
            .collect();
        let epoch = committee.epoch;
        let first = members
            .first()
            .cloned()
            .ok_or(ConsensusError::NoValidators { epoch })?;
        let total = members
            .iter()
            .fold(0u64, |sum, member| sum.saturating_add(member.power));
        Ok(Self {
            committee,
            members,
            first,
            total,
        })
    }

    /// The committee that it was made from.
    pub fn committee(&self) -> &Arc<Committee> {
        &self.committee
    }

    /// The epoch of the committee.
    pub fn epoch(&self) -> Epoch {
        self.committee.epoch
    }

    /// The validators in order of address.
    pub fn members(&self) -> &[Validator] {
        &self.members
    }

    /// The validator whose share of the power, laid end to end in order of address, holds `point`.
    pub(crate) fn at_power(&self, point: VotingPower) -> &Validator {
        let mut end = 0u64;
        for member in self.members.iter() {
            end = end.saturating_add(member.power);
            if point < end {
                return member;
            }
        }
        &self.first
    }
}

impl core::ValidatorSet<SomaContext> for ValidatorSet {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        self.total
    }

    fn get_by_address(&self, address: &Address) -> Option<&Validator> {
        let found = self
            .members
            .binary_search_by(|member| member.address.cmp(address));
        self.members.get(found.ok()?)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.members.get(index)
    }
}
