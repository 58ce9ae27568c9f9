//! Domain-separated SHA3-256: the one hash of the network.
//!
//! Every hash is `SHA3-256(len(domain) as one byte ‖ domain ‖ message)`, so no value of one kind
//! can stand for a value of another. [`Domain`] lists all kinds.

use sha3::{Digest as _, Sha3_256};

/// What a hash is for. The tag is part of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// An address, over the compressed public key.
    Address,
    /// A transaction: what its sender signs and its id.
    Transaction,
    /// A block header: the block's id.
    Block,
    /// The list of transactions of a block.
    Transactions,
    /// The list of receipts of a block.
    Receipts,
    /// A chain id, over the genesis document.
    Genesis,
    /// A target id.
    TargetId,
    /// A model id.
    ModelId,
    /// A staking pool id.
    PoolId,
    /// A stake position id.
    StakeId,
    /// The id that shows an account's balance as one coin object.
    CoinId,
    /// The seed of a target's direction.
    TargetSeed,
    /// A sealed submission.
    Submission,
    /// A commitment to a weights key.
    WeightsKey,
    /// The mask that hides a plaintext checksum until the key is revealed.
    WeightsMask,
    /// A commitment to an embedding.
    Embedding,
    /// The key of an entry of the state tree.
    StateKey,
    /// A node of the state tree.
    StateNode,
    /// A proof that a validator holds its consensus key.
    ProofOfPossession,
    /// The noise of SIGReg.
    SigRegNoise,
    /// The associated data and nonce of sealed weights.
    SealedWeights,
    /// What a validator signs to vote.
    Vote,
    /// What a proposer signs to propose a block.
    RoundProposal,
    /// What a validator signs to prove that a network identity is its own.
    PeerProof,
    /// What account and consensus key sign to take part in a genesis.
    GenesisCandidate,
    /// What a validator signs to approve of a genesis.
    GenesisApproval,
}

impl Domain {
    /// The tag, as hashed.
    pub const fn tag(self) -> &'static [u8] {
        match self {
            Self::Address => b"soma/address",
            Self::Transaction => b"soma/transaction",
            Self::Block => b"soma/block",
            Self::Transactions => b"soma/transactions",
            Self::Receipts => b"soma/receipts",
            Self::Genesis => b"soma/genesis",
            Self::TargetId => b"soma/target-id",
            Self::ModelId => b"soma/model-id",
            Self::PoolId => b"soma/pool-id",
            Self::StakeId => b"soma/stake-id",
            Self::CoinId => b"soma/coin-id",
            Self::TargetSeed => b"soma/target-seed",
            Self::Submission => b"soma/submission",
            Self::WeightsKey => b"soma/weights-key",
            Self::WeightsMask => b"soma/weights-mask",
            Self::Embedding => b"soma/embedding",
            Self::StateKey => b"soma/state-key",
            Self::StateNode => b"soma/state-node",
            Self::ProofOfPossession => b"soma/proof-of-possession",
            Self::SigRegNoise => b"soma/sigreg-noise",
            Self::SealedWeights => b"soma/sealed-weights",
            Self::Vote => b"soma/vote",
            Self::RoundProposal => b"soma/round-proposal",
            Self::PeerProof => b"soma/peer-proof",
            Self::GenesisCandidate => b"soma/genesis-candidate",
            Self::GenesisApproval => b"soma/genesis-approval",
        }
    }
}

/// A hash in progress.
#[derive(Clone)]
pub struct Hasher(Sha3_256);

impl Hasher {
    /// Starts a hash of kind `domain`.
    pub fn new(domain: Domain) -> Self {
        let tag = domain.tag();
        let mut hasher = Sha3_256::new();
        hasher.update([tag.len() as u8]);
        hasher.update(tag);
        Self(hasher)
    }

    /// Adds bytes.
    #[must_use]
    pub fn chain(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.update(bytes);
        self
    }

    /// Adds bytes in place.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes.as_ref());
    }

    /// The hash.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The hash of `bytes` as kind `domain`.
pub fn hash(domain: Domain, bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Hasher::new(domain).chain(bytes).finish()
}

/// Plain SHA3-256 of a file's bytes, as printed in Base58 by checksums.
pub fn checksum(bytes: impl AsRef<[u8]>) -> soma_types::Checksum {
    soma_types::Checksum(Sha3_256::digest(bytes.as_ref()).into())
}

/// [`checksum`] of all that `reader` gives, without holding it.
///
/// # Errors
/// Those of the reader.
pub fn checksum_of_reader(mut reader: impl std::io::Read) -> std::io::Result<soma_types::Checksum> {
    let mut hash = Sha3_256::new();
    let mut bytes = vec![0; 1 << 16];
    loop {
        match reader.read(&mut bytes) {
            Ok(0) => return Ok(soma_types::Checksum(hash.finalize().into())),
            Ok(count) => hash.update(bytes.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_a_golden_value() {
        // SHA3-256(12 ‖ "soma/address" ‖ "abc"), computed independently.
        let expected = "e6c8912188f04726fff7bb4e2c8cc23890b9adad4ccc9537eb0d09b94f10a0bb";
        assert_eq!(hex::encode(hash(Domain::Address, b"abc")), expected);
        let in_parts = Hasher::new(Domain::Address).chain(b"a").chain(b"bc");
        assert_eq!(hex::encode(in_parts.finish()), expected);
    }

    #[test]
    fn a_checksum_is_the_plain_hash_of_the_standard() {
        // FIPS 202 example, SHA3-256 of the empty message.
        let expected = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a";
        assert_eq!(hex::encode(checksum(b"")), expected);
    }

    #[test]
    fn a_reader_has_the_checksum_of_its_bytes() {
        for length in [0, 1, 1 << 16, (1 << 16) + 1, 200_000] {
            let bytes = vec![7; length];
            let got = checksum_of_reader(bytes.as_slice()).unwrap();
            assert_eq!(got, checksum(&bytes), "{length} bytes");
        }
    }

    #[test]
    fn no_domain_hides_in_another() {
        // The length in front keeps `tag ‖ message` of one kind from being that of another.
        let short = hash(Domain::Address, b"x");
        let long = Hasher::new(Domain::Transaction).chain(b"x").finish();
        assert_ne!(short, long);
        assert_ne!(
            hash(Domain::Transaction, b"s"),
            hash(Domain::Transactions, b"")
        );
    }
}
