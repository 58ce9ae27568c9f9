//! Signatures of validators on a built genesis.

use serde::{Deserialize, Serialize};
use soma_crypto::{Domain, Hasher, SecretKey, verify_digest};
use soma_types::genesis::ChainName;
use soma_types::{Address, ChainId, Genesis, Signature};

use crate::error::CeremonyError;

/// That a validator approves of a genesis: it has seen it, and holds its consensus key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who.
    pub validator: Address,
    /// The chain: the digest of the genesis.
    pub chain_id: ChainId,
    /// By the validator's consensus key.
    pub signature: Signature,
}

fn digest(chain: &ChainId, validator: &Address) -> [u8; 32] {
    Hasher::new(Domain::GenesisApproval)
        .chain(chain)
        .chain(validator)
        .finish()
}

impl Approval {
    /// That `validator`, whose consensus key is `key`, approves of the genesis of `chain_id`.
    pub fn sign(chain_id: ChainId, validator: Address, key: &SecretKey) -> Self {
        Self {
            validator,
            chain_id,
            signature: key.sign_digest(&digest(&chain_id, &validator)),
        }
    }

    /// Checks that a validator of `genesis`, whose chain is `chain_id`, gave this.
    ///
    /// # Errors
    /// [`CeremonyError::Approval`].
    pub fn check(&self, genesis: &Genesis, chain_id: &ChainId) -> Result<(), CeremonyError> {
        let refuse = |reason: String| CeremonyError::Approval {
            validator: self.validator,
            reason,
        };
        if self.chain_id != *chain_id {
            let text = format!(
                "it is for chain {}, not {chain_id}; sign again",
                self.chain_id
            );
            return Err(refuse(text));
        }
        let mut validators = genesis.validators.iter();
        let listed = validators.find(|listed| listed.address == self.validator);
        let listed = listed.ok_or_else(|| refuse("no validator of this genesis".to_owned()))?;
        let key = &listed.metadata.consensus_key;
        verify_digest(key, &digest(chain_id, &self.validator), &self.signature)
            .map_err(|error| refuse(error.to_string()))
    }
}

/// `signatures.json`: all validators of a genesis approve of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// Name of the chain.
    pub chain: ChainName,
    /// The chain: the digest of the genesis.
    pub chain_id: ChainId,
    /// One of each validator, in order of address.
    pub signatures: Vec<Approval>,
}

impl Approvals {
    /// Checks that every validator of `genesis` gave one.
    ///
    /// # Errors
    /// [`CeremonyError::Approval`], [`CeremonyError::Unsigned`].
    pub fn check(&self, genesis: &Genesis) -> Result<(), CeremonyError> {
        let chain_id = soma_chain::chain_id(genesis);
        for approval in &self.signatures {
            approval.check(genesis, &chain_id)?;
        }
        let has_signed = |validator: &Address| {
            let mut all = self.signatures.iter();
            all.any(|approval| approval.validator == *validator)
        };
        let missing = genesis.validators.iter().map(|listed| listed.address);
        let missing: Vec<Address> = missing.filter(|address| !has_signed(address)).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(CeremonyError::Unsigned(missing)),
        }
    }
}
