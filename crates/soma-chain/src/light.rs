//! Following a chain by a few headers: one for each epoch.
//!
//! ```text
//! genesis ─▶ committee 0 ─▶ last header of epoch 0, certified by it
//!                               └─ its state holds committee 1 ─▶ last header of epoch 1 ─▶ …
//! ```
//! Whoever knows the genesis, or the digest of one block, needs nobody's word for the rest.

use serde::{Deserialize, Serialize};
use soma_crypto::consensus::{CertificateError, verify_certificate};
use soma_types::codec::decode;
use soma_types::{Certificate, ChainId, Committee, Digest, Epoch, Genesis, Header};
use thiserror::Error;

use crate::chain::{Chain, ChainConfig};
use crate::error::ChainError;
use crate::header;
use crate::key::Key;
use crate::proof::{ProofError, StateProof, verify_proof};
use crate::store::MemoryStore;

/// How an epoch's committee hands over to the next: the epoch's last block, certified, with the
/// next committee in its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Proof that the epoch's last block is final.
    pub certificate: Certificate,
    /// The next committee in that block's state; its header is the block's.
    pub committee: StateProof,
}

/// Why something is not shown to be of the chain.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LightError {
    /// A header of another chain.
    #[error("the header is of chain {got}, not of {expected}")]
    OtherChain {
        /// The chain that is followed.
        expected: ChainId,
        /// The header's.
        got: ChainId,
    },
    /// A header is not the trusted one.
    #[error("the digest of the header at height {height} is {got}, not the trusted {expected}")]
    NotTrusted {
        /// Where.
        height: u64,
        /// The trusted digest.
        expected: Digest,
        /// The header's.
        got: Digest,
    },
    /// A header is not final.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A proof proves nothing.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A proof is not about the committee that is needed.
    #[error("the proof is not about the committee of epoch {0}")]
    OtherEntry(Epoch),
    /// A committee that does not sign for what comes after the trusted block.
    #[error(
        "block {height} is of epoch {header}: it shows the committee of that epoch, or of the next \
         when it is the last, not the one of epoch {committee}"
    )]
    OtherEpoch {
        /// The trusted block.
        height: u64,
        /// Its epoch.
        header: Epoch,
        /// The committee's.
        committee: Epoch,
    },
}

/// A chain, known by the committee of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightClient {
    chain_id: ChainId,
    /// Digest of the header before the first block, when the genesis is known.
    start: Option<Digest>,
    committee: Committee,
}

impl LightClient {
    /// Knows the chain of `genesis`, at epoch 0.
    ///
    /// # Errors
    /// When the genesis cannot start a chain.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, ChainError> {
        let chain = Chain::open(MemoryStore::new(), genesis, ChainConfig::default())?;
        let committee = chain.reader().committee(Epoch(0))?;
        let missing = || crate::tree::tree_error("the genesis has no committee");
        Ok(Self {
            chain_id: chain.chain_id(),
            start: Some(chain.head().digest),
            committee: committee.ok_or_else(missing)?,
        })
    }

    /// Knows the chain that the block with digest `trusted` is of: `proof` shows, in that block's
    /// state, the committee of `epoch`. That is the block's own epoch; or the next, whose committee
    /// is in the state of an epoch's last block.
    ///
    /// # Errors
    /// [`LightError`].
    pub fn from_trusted(
        trusted: Digest,
        epoch: Epoch,
        proof: &StateProof,
    ) -> Result<Self, LightError> {
        let got = header::digest(&proof.header);
        if got != trusted {
            return Err(LightError::NotTrusted {
                height: proof.header.height,
                expected: trusted,
                got,
            });
        }
        // The state keeps the committees of all epochs before, and nobody answers for their keys
        // any more.
        let own = proof.header.epoch;
        if epoch != own && epoch != Epoch(own.0.saturating_add(1)) {
            return Err(LightError::OtherEpoch {
                height: proof.header.height,
                header: own,
                committee: epoch,
            });
        }
        Ok(Self {
            chain_id: proof.header.chain_id,
            start: None,
            committee: proven_committee(epoch, proof)?,
        })
    }

    /// The chain.
    pub fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// The known committee; its epoch is how far the chain is known.
    pub fn committee(&self) -> &Committee {
        &self.committee
    }

    /// Whether `header` is the one before the first block: the genesis makes it final, not a
    /// certificate.
    pub fn is_start(&self, header: &Header) -> bool {
        self.start == Some(header::digest(header))
    }

    /// Checks that a block of the known epoch is final.
    ///
    /// # Errors
    /// [`LightError`].
    pub fn verify(&self, header: &Header, certificate: &Certificate) -> Result<(), LightError> {
        if header.chain_id != self.chain_id {
            return Err(LightError::OtherChain {
                expected: self.chain_id,
                got: header.chain_id,
            });
        }
        Ok(verify_certificate(certificate, header, &self.committee)?)
    }

    /// Goes on to the next epoch.
    ///
    /// # Errors
    /// [`LightError`]; then nothing has changed.
    pub fn advance(&mut self, handover: &Handover) -> Result<(), LightError> {
        self.verify(&handover.committee.header, &handover.certificate)?;
        let next = Epoch(self.committee.epoch.0.saturating_add(1));
        self.committee = proven_committee(next, &handover.committee)?;
        Ok(())
    }
}

/// The committee of `epoch` that `proof` shows.
fn proven_committee(epoch: Epoch, proof: &StateProof) -> Result<Committee, LightError> {
    verify_proof(proof)?;
    let value = proof.value.as_deref();
    let value = value.filter(|_| proof.key == Key::Committee(epoch).to_bytes());
    let bytes = value.ok_or(LightError::OtherEntry(epoch))?;
    let committee = decode::<Committee>("a committee", bytes);
    let committee = committee.map_err(|error| ProofError::Malformed(error.to_string()))?;
    match committee.epoch == epoch {
        true => Ok(committee),
        false => Err(LightError::OtherEntry(epoch)),
    }
}
