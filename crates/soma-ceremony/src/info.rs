//! What a validator tells about itself, in a file that others can check.

use std::path::Path;

use serde::{Deserialize, Serialize};
use soma_chain::proof_of_possession_digest;
use soma_crypto::{Domain, SecretKey, address_of, hash, verify_digest};
use soma_types::codec::encode;
use soma_types::genesis::ChainName;
use soma_types::{
    Address, Bps, ChainId, PublicKey, Signature, ValidatorCandidate, ValidatorMetadata,
};

use crate::error::{CeremonyError, InfoError};
use crate::files;

const HEAD: &str = "\
# What a validator tells about itself. Nothing in here is secret. `soma validator join FILE` applies
# with it, as it is, to a running chain; `soma genesis add-validator FILE` lists it for a new one, and
# refuses one that was changed without its keys.

";

/// What a validator tells about itself, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorInfo {
    /// Its account.
    pub address: Address,
    /// Its commission in basis points.
    pub commission_bps: Bps,
    /// What it shows to everybody.
    pub metadata: ValidatorMetadata,
    /// That it holds its keys.
    pub proof: Proof,
}

/// Proof that a validator holds its keys, and for what it gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// To join a running chain. Its transaction is signed by the account.
    Join {
        /// The chain.
        chain_id: ChainId,
        /// By the consensus key, over chain and address.
        signature: Signature,
    },
    /// To be in the first committee of a chain that has no id yet.
    Genesis {
        /// The name of the chain.
        chain: ChainName,
        /// The key of the account.
        account_key: PublicKey,
        /// By the account's key, over everything.
        account_signature: Signature,
        /// By the consensus key, over everything.
        consensus_signature: Signature,
    },
}

impl Proof {
    /// What it was made for, in words.
    pub fn purpose(&self) -> String {
        match self {
            Self::Join { chain_id, .. } => join(chain_id),
            Self::Genesis { chain, .. } => genesis(chain),
        }
    }
}

fn join(chain: &ChainId) -> String {
    format!("joining chain {chain}")
}

fn genesis(chain: &ChainName) -> String {
    format!("the genesis of `{chain}`")
}

/// What both keys sign for a genesis: all that will be in it.
#[derive(Serialize)]
struct Statement<'a> {
    chain: &'a ChainName,
    address: Address,
    commission_bps: Bps,
    metadata: &'a ValidatorMetadata,
}

fn candidate_digest(statement: &Statement<'_>) -> [u8; 32] {
    hash(Domain::GenesisCandidate, encode(statement))
}

impl ValidatorInfo {
    /// For joining the running chain `chain_id`: `key` is the consensus key of `metadata`, which is
    /// given that key's public half.
    pub fn for_chain(
        chain_id: ChainId,
        address: Address,
        mut metadata: ValidatorMetadata,
        commission_bps: Bps,
        key: &SecretKey,
    ) -> Self {
        metadata.consensus_key = key.public_key();
        let digest = proof_of_possession_digest(&chain_id, &address);
        Self {
            address,
            commission_bps,
            metadata,
            proof: Proof::Join {
                chain_id,
                signature: key.sign_digest(&digest.0),
            },
        }
    }

    /// For the genesis of a chain named `chain`.
    pub fn for_genesis(
        chain: ChainName,
        account: &SecretKey,
        mut metadata: ValidatorMetadata,
        commission_bps: Bps,
        key: &SecretKey,
    ) -> Self {
        metadata.consensus_key = key.public_key();
        let address = account.address();
        let digest = candidate_digest(&Statement {
            chain: &chain,
            address,
            commission_bps,
            metadata: &metadata,
        });
        Self {
            address,
            commission_bps,
            metadata,
            proof: Proof::Genesis {
                chain,
                account_key: account.public_key(),
                account_signature: account.sign_digest(&digest),
                consensus_signature: key.sign_digest(&digest),
            },
        }
    }

    /// Checks that both keys agreed to all of this for the genesis of `chain`.
    ///
    /// # Errors
    /// [`InfoError`].
    pub fn check_for_genesis(&self, chain: &ChainName) -> Result<(), InfoError> {
        let Proof::Genesis {
            chain: made_for,
            account_key,
            account_signature,
            consensus_signature,
        } = &self.proof
        else {
            return Err(self.made_for_other(genesis(chain)));
        };
        if made_for != chain {
            return Err(self.made_for_other(genesis(chain)));
        }
        let key = address_of(account_key);
        if key != self.address {
            return Err(InfoError::OtherAccount {
                key,
                address: self.address,
            });
        }
        let digest = candidate_digest(&Statement {
            chain,
            address: self.address,
            commission_bps: self.commission_bps,
            metadata: &self.metadata,
        });
        let check = |name, key: &PublicKey, signature: &Signature| {
            verify_digest(key, &digest, signature)
                .map_err(|reason| InfoError::Signature { key: name, reason })
        };
        check("account's key", account_key, account_signature)?;
        let key = &self.metadata.consensus_key;
        check("consensus key", key, consensus_signature)
    }

    /// The application to join the running chain `chain_id`, once its proof is checked.
    ///
    /// # Errors
    /// [`InfoError`].
    pub fn candidate(&self, chain_id: &ChainId) -> Result<ValidatorCandidate, InfoError> {
        let signature = match &self.proof {
            Proof::Join {
                chain_id: made_for,
                signature,
            } if made_for == chain_id => *signature,
            _ => return Err(self.made_for_other(join(chain_id))),
        };
        let digest = proof_of_possession_digest(chain_id, &self.address);
        verify_digest(&self.metadata.consensus_key, &digest.0, &signature).map_err(|reason| {
            InfoError::Signature {
                key: "consensus key",
                reason,
            }
        })?;
        Ok(ValidatorCandidate {
            metadata: self.metadata.clone(),
            proof_of_possession: signature,
            commission_bps: self.commission_bps.get(),
        })
    }

    fn made_for_other(&self, wanted: String) -> InfoError {
        InfoError::OtherPurpose {
            got: self.proof.purpose(),
            wanted,
        }
    }

    /// Reads a file. Its proof is not checked yet.
    ///
    /// # Errors
    /// A file that cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self, CeremonyError> {
        files::read_named(path)
    }

    /// Writes the file, in the place of an older one.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), CeremonyError> {
        files::write(path, HEAD, self)
    }
}
