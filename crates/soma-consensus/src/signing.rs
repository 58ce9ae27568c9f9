//! Signatures in the engine's terms: secp256k1 by the same keys and rules as transactions.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use malachite::app::types::core::{
    SignedMessage, SigningScheme, ValidatorProof, VoteExtensionScope,
};
use malachite_signing::{Error, Signer, VerificationResult, Verifier};
use quick_cache::sync::Cache;
use soma_crypto::consensus::{round_proposal_digest, vote_digest};
use soma_crypto::{Domain, SecretKey, hash};
use soma_types::codec::{DecodeError, decode, encode};
use soma_types::{ChainId, PublicKey, Signature};

use crate::context::{Proposal, SomaContext, Vote};

/// ECDSA over secp256k1 with low s, compressed public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme;

impl SigningScheme for Scheme {
    type DecodingError = DecodeError;
    type Signature = Signature;
    type PublicKey = PublicKey;
    type PrivateKey = SecretKey;

    fn decode_signature(bytes: &[u8]) -> Result<Signature, DecodeError> {
        decode("a signature", bytes)
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        encode(signature)
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, DecodeError> {
        decode("a public key", bytes)
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        encode(key)
    }
}

/// A key, what it signed, and the signature.
type Statement = (PublicKey, [u8; 32], Signature);

/// Checks signatures of validators on one chain.
///
/// Each vote comes more than once: alone, in certificates, and in the certificate of the decision.
/// So signatures that were found good are remembered.
#[derive(Clone, Debug)]
pub struct ChainVerifier {
    chain_id: ChainId,
    verifier: Arc<soma_crypto::Verifier>,
    good: Arc<Cache<Statement, ()>>,
}

/// Keys that are remembered: several committees.
const REMEMBERED_KEYS: usize = 4_096;
/// Good signatures that are remembered: some rounds of a large committee, in about a megabyte.
const REMEMBERED_SIGNATURES: usize = 4_096;

impl ChainVerifier {
    /// The chain whose signatures it verifies.
    pub fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// A verifier for `chain_id`.
    pub fn new(chain_id: ChainId) -> Self {
        Self {
            chain_id,
            verifier: Arc::new(soma_crypto::Verifier::new(REMEMBERED_KEYS)),
            good: Arc::new(Cache::new(REMEMBERED_SIGNATURES)),
        }
    }

    fn check(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> bool {
        let statement = (*key, *digest, *signature);
        if self.good.get(&statement).is_some() {
            return true;
        }
        let is_good = self.verifier.verify(key, digest, signature).is_ok();
        if is_good {
            self.good.insert(statement, ());
        }
        is_good
    }

    /// Checks the signature of a vote.
    pub fn is_signed_vote(&self, vote: &Vote, signature: &Signature, key: &PublicKey) -> bool {
        self.check(
            key,
            &vote_digest(self.chain_id, &vote.to_plain()),
            signature,
        )
    }

    /// Checks the signature of a round's proposal.
    pub fn is_signed_proposal(
        &self,
        signed: &soma_types::consensus::SignedRoundProposal,
        key: &PublicKey,
    ) -> bool {
        let digest = round_proposal_digest(self.chain_id, &signed.proposal);
        self.check(key, &digest, &signed.signature)
    }
}

type Verdict = Result<VerificationResult, Error>;

#[async_trait]
impl Verifier<SomaContext> for ChainVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &Signature,
        key: &PublicKey,
    ) -> Verdict {
        let valid = self.is_signed_vote(vote, signature, key);
        Ok(VerificationResult::from_bool(valid))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &Signature,
        key: &PublicKey,
    ) -> Verdict {
        let digest = round_proposal_digest(self.chain_id, &proposal.to_plain());
        let valid = self.check(key, &digest, signature);
        Ok(VerificationResult::from_bool(valid))
    }

    /// Votes carry no extensions on this chain.
    async fn verify_signed_vote_extension(
        &self,
        _scope: &VoteExtensionScope<SomaContext>,
        _extension: &(),
        _signature: &Signature,
        _key: &PublicKey,
    ) -> Verdict {
        Ok(VerificationResult::Invalid)
    }

    async fn verify_validator_proof(&self, proof: &ValidatorProof<SomaContext>) -> Verdict {
        let Ok(key) = proof.decoded_public_key() else {
            return Ok(VerificationResult::Invalid);
        };
        let digest = hash(Domain::PeerProof, proof.preimage());
        let valid = self.check(&key, &digest, &proof.signature);
        Ok(VerificationResult::from_bool(valid))
    }
}

/// Signs with the key that the committee names for this validator.
///
/// A validator that rotates its consensus key holds both; the one in use changes with the epoch.
#[derive(Clone, Debug)]
pub struct ChainSigner {
    chain_id: ChainId,
    keys: Arc<[SecretKey]>,
    active: Arc<RwLock<SecretKey>>,
}

impl ChainSigner {
    /// A signer that starts with `key` and may change to one of `more`.
    pub fn new(chain_id: ChainId, key: SecretKey, more: &[SecretKey]) -> Self {
        let keys = std::iter::once(&key).chain(more).cloned().collect();
        Self {
            chain_id,
            keys,
            active: Arc::new(RwLock::new(key)),
        }
    }

    /// Signs with the key of `public` from now on; false when this signer does not hold it.
    pub fn activate(&self, public: &PublicKey) -> bool {
        if self.active().public_key() == *public {
            return true;
        }
        let found = self.keys.iter().find(|key| key.public_key() == *public);
        let Some(key) = found else {
            return false;
        };
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = key.clone();
        true
    }

    /// The public key in use.
    pub fn public_key(&self) -> PublicKey {
        self.active().public_key()
    }

    fn active(&self) -> SecretKey {
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        active.clone()
    }

    /// Signs a round's proposal.
    pub fn sign_round_proposal(
        &self,
        proposal: soma_types::consensus::RoundProposal,
    ) -> soma_types::consensus::SignedRoundProposal {
        let digest = round_proposal_digest(self.chain_id, &proposal);
        let signature = self.active().sign_digest(&digest);
        soma_types::consensus::SignedRoundProposal {
            proposal,
            signature,
        }
    }

    /// Proves that the network identity `peer_id` is this validator's.
    pub fn prove_peer(&self, peer_id: Vec<u8>) -> ValidatorProof<SomaContext> {
        let key = self.active();
        let public = encode(&key.public_key());
        let preimage = ValidatorProof::<SomaContext>::signing_bytes(&public, &peer_id);
        let signature = key.sign_digest(&hash(Domain::PeerProof, preimage));
        ValidatorProof::new(public, peer_id, signature)
    }
}

#[async_trait]
impl Signer<SomaContext> for ChainSigner {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<SomaContext, Vote>, Error> {
        let digest = vote_digest(self.chain_id, &vote.to_plain());
        Ok(SignedMessage::new(vote, self.active().sign_digest(&digest)))
    }

    async fn sign_proposal(
        &self,
        proposal: Proposal,
    ) -> Result<SignedMessage<SomaContext, Proposal>, Error> {
        let signed = self.sign_round_proposal(proposal.to_plain());
        Ok(SignedMessage::new(proposal, signed.signature))
    }

    /// Votes carry no extensions on this chain: the engine never asks for one.
    async fn sign_vote_extension(
        &self,
        _scope: VoteExtensionScope<SomaContext>,
        _extension: (),
    ) -> Result<SignedMessage<SomaContext, ()>, Error> {
        Err(Error::new())
    }

    async fn sign_validator_proof(
        &self,
        _public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<SomaContext>, Error> {
        Ok(self.prove_peer(peer_id))
    }
}
