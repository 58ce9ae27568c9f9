//! Samples of everything that crosses a wire or a disk, filled from a seed.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use soma_types::bounded::BoundedVec;
use soma_types::validator::MetadataText;
use soma_types::{
    Address, ChainId, Checksum, Commitment, DataManifest, Loss, MetadataUpdate, ModelCommit,
    ModelFault, ModelId, Payment, PublicKey, RawEmbedding, Salt, Shannons, Signature,
    SignedTransaction, StakeId, Submission, SubmissionFault, TargetId, Transaction,
    TransactionKind, Url, ValidatorCandidate, ValidatorMetadata, WeightsKey,
};

/// Makes samples.
pub struct Samples(ChaCha20Rng);

impl Samples {
    /// Samples that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// A number, small or large.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64() >> (self.0.next_u32() % 64)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % bound.max(1) as u64) as usize
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    fn money(&mut self) -> Shannons {
        Shannons(self.number())
    }

    fn address(&mut self) -> Address {
        Address(self.bytes())
    }

    fn text(&mut self, most: usize) -> String {
        let alphabet = ['a', 'Z', '0', '/', ':', '.', 'é', '語', ' '];
        let length = self.below(most / 4);
        (0..length)
            .map(|_| alphabet[self.below(alphabet.len())])
            .collect()
    }

    fn url(&mut self) -> Url {
        Url::new(self.text(1_024)).expect("below the limit")
    }

    fn metadata_text(&mut self) -> MetadataText {
        MetadataText::new(self.text(256)).expect("below the limit")
    }

    fn embedding(&mut self) -> RawEmbedding {
        let length = self.below(40);
        let components = (0..length).map(|_| self.0.next_u32() as i32).collect();
        RawEmbedding::new(components).expect("below the limit")
    }

    fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| make(self))
    }

    fn commit(&mut self) -> Box<ModelCommit> {
        Box::new(ModelCommit {
            url: self.url(),
            checksum: Checksum(self.bytes()),
            size: self.number(),
            masked_plaintext_checksum: Commitment(self.bytes()),
            key_commitment: Commitment(self.bytes()),
            embedding_commitment: Commitment(self.bytes()),
        })
    }

    fn submission(&mut self) -> Box<Submission> {
        Box::new(Submission {
            target: TargetId(self.bytes()),
            data: DataManifest {
                url: self.url(),
                checksum: Checksum(self.bytes()),
                size: self.number(),
            },
            model: ModelId(self.bytes()),
            embedding: self.embedding(),
            loss: Loss(self.number()),
            salt: Salt(self.bytes()),
        })
    }

    fn candidate(&mut self) -> Box<ValidatorCandidate> {
        Box::new(ValidatorCandidate {
            metadata: ValidatorMetadata {
                name: self.metadata_text(),
                consensus_key: PublicKey(self.bytes()),
                p2p_address: self.metadata_text(),
                rpc_address: self.metadata_text(),
                proxy_address: self.metadata_text(),
            },
            proof_of_possession: Signature(self.bytes()),
            commission_bps: self.number() as u16,
        })
    }

    fn update(&mut self) -> Box<MetadataUpdate> {
        Box::new(MetadataUpdate {
            name: self.some(Self::metadata_text),
            consensus_key: self.some(|s| PublicKey(s.bytes())),
            proof_of_possession: self.some(|s| Signature(s.bytes())),
            p2p_address: self.some(Self::metadata_text),
            rpc_address: self.some(Self::metadata_text),
            proxy_address: self.some(Self::metadata_text),
        })
    }

    fn payments(&mut self) -> Vec<Payment> {
        let count = self.below(6);
        let payment = |samples: &mut Self| Payment {
            recipient: samples.address(),
            amount: samples.money(),
        };
        (0..count).map(|_| payment(self)).collect()
    }

    /// One transaction of every kind.
    pub fn kinds(&mut self) -> Vec<TransactionKind> {
        use TransactionKind as T;
        let (amount, validator) = (self.money(), self.address());
        let (model, target) = (ModelId(self.bytes()), TargetId(self.bytes()));
        let commission_bps = self.number() as u16;
        vec![
            T::Transfer {
                recipient: self.address(),
                amount,
            },
            T::PayMany {
                payments: BoundedVec::new(self.payments()).expect("few"),
            },
            T::Stake { validator, amount },
            T::StakeToModel { model, amount },
            T::Unstake {
                stake: StakeId(self.bytes()),
            },
            T::CreateModel {
                architecture_version: self.number(),
                stake: amount,
                commission_bps,
            },
            T::CommitModel {
                model,
                commit: self.commit(),
            },
            T::RevealModel {
                model,
                key: WeightsKey(self.bytes()),
                embedding: self.embedding(),
            },
            T::SetModelCommission {
                model,
                commission_bps,
            },
            T::DeactivateModel { model },
            T::CommitSubmission {
                commitment: Commitment(self.bytes()),
            },
            T::SubmitData(self.submission()),
            T::ClaimRewards { target },
            T::ReportSubmission {
                target,
                reason: SubmissionFault::WrongEmbedding,
            },
            T::UndoReportSubmission { target },
            T::ChallengeSubmission { target },
            T::ReportModel {
                model,
                reason: ModelFault::InvalidWeights,
            },
            T::UndoReportModel { model },
            T::ReportValidator { validator },
            T::UndoReportValidator { validator },
            T::AddValidator(self.candidate()),
            T::RemoveValidator,
            T::UpdateValidatorMetadata(self.update()),
            T::SetValidatorCommission { commission_bps },
            T::AnnounceProtocolVersion {
                version: self.number(),
            },
        ]
    }

    /// A transaction of every kind with random signatures.
    pub fn signed(&mut self) -> Vec<SignedTransaction> {
        let kinds = self.kinds();
        let sign = |kind| SignedTransaction {
            transaction: Transaction {
                chain_id: ChainId(self.bytes()),
                sender: self.address(),
                nonce: self.number(),
                expiry_height: self.number(),
                kind,
            },
            public_key: PublicKey(self.bytes()),
            signature: Signature(self.bytes()),
        };
        kinds.into_iter().map(sign).collect()
    }

    /// `bytes` with some damage: flipped, cut, doubled, or with another length in front.
    pub fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut damaged = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(damaged.len());
            match self.below(7) {
                0 => damaged[at..].iter_mut().take(1).for_each(|byte| *byte ^= 1),
                1 => damaged[at..]
                    .iter_mut()
                    .take(1)
                    .for_each(|byte| *byte = 0xff),
                2 => damaged.truncate(at),
                3 => damaged.insert(at, self.below(256) as u8),
                // A length of 2^31 − 1.
                4 => drop(damaged.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x07])),
                5 => damaged.extend_from_slice(&bytes[self.below(bytes.len())..]),
                _ => {
                    let from = self.below(bytes.len());
                    let part = bytes[from..].iter().take(9).copied().collect::<Vec<_>>();
                    let end = (at + part.len()).min(damaged.len());
                    drop(damaged.splice(at..end, part));
                }
            }
        }
        damaged
    }
}
