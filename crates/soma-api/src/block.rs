//! Blocks and headers.

use serde::{Deserialize, Serialize};
use soma_types::bounded::BoundedVec;
use soma_types::consensus::CommitSignature;
use soma_types::time::Height;
use soma_types::validator::{Misbehavior, MisbehaviorKind};
use soma_types::{
    Address, Block, Certificate, ChainId, Digest, Epoch, Header, Signature, TimestampMs,
};

use crate::transaction::{ReceiptView, TransactionView};

/// What a block commits to. Its digest is the block's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeaderView {
    /// The chain.
    pub chain_id: ChainId,
    /// Number of the block; the first is 1.
    pub height: Height,
    /// The epoch in which its transactions were executed.
    pub epoch: Epoch,
    /// Time of the block.
    pub time_ms: TimestampMs,
    /// Digest of the parent's header; for the first block, the chain id.
    pub parent: Digest,
    /// Hash over what the block contains.
    pub transactions_root: Digest,
    /// Hash over the digests of the receipts.
    pub receipts_root: Digest,
    /// Root of the state after the block.
    pub state_root: Digest,
    /// The validator that proposed it.
    pub proposer: Address,
}

macro_rules! same_fields {
    ($from:ty, $to:ty) => {
        impl From<$from> for $to {
            fn from(header: $from) -> Self {
                Self {
                    chain_id: header.chain_id,
                    height: header.height,
                    epoch: header.epoch,
                    time_ms: header.time_ms,
                    parent: header.parent,
                    transactions_root: header.transactions_root,
                    receipts_root: header.receipts_root,
                    state_root: header.state_root,
                    proposer: header.proposer,
                }
            }
        }
    };
}

same_fields!(Header, HeaderView);
same_fields!(HeaderView, Header);

/// Proven misbehaviour in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MisbehaviorView {
    /// Who.
    pub validator: Address,
    /// What: `equivocation` or `invalid_block`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub kind: MisbehaviorKind,
    /// The height at which it happened.
    pub height: Height,
}

impl From<Misbehavior> for MisbehaviorView {
    fn from(misbehavior: Misbehavior) -> Self {
        Self {
            validator: misbehavior.validator,
            kind: misbehavior.kind,
            height: misbehavior.height,
        }
    }
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlockView {
    /// Digest of the header.
    pub digest: Digest,
    /// The header.
    pub header: HeaderView,
    /// Digests of its transactions, in the order of execution.
    pub transaction_digests: Vec<Digest>,
    /// The transactions, with `include=transactions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<TransactionView>>,
    /// The receipts, with `include=receipts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<Vec<ReceiptView>>,
    /// Proven misbehaviour of validators.
    pub misbehavior: Vec<MisbehaviorView>,
    /// True when the block was made to end its epoch.
    pub end_epoch: bool,
}

impl BlockView {
    /// The view of `block` without bodies. Digests come from whoever can hash.
    pub fn new(digest: Digest, block: &Block, transaction_digests: Vec<Digest>) -> Self {
        Self {
            digest,
            header: block.header.into(),
            transaction_digests,
            transactions: None,
            receipts: None,
            misbehavior: block.misbehavior.iter().map(|m| (*m).into()).collect(),
            end_epoch: block.end_epoch,
        }
    }
}

/// Proof that a block is final: precommits of a quorum of its epoch's committee. Nodes may keep
/// different ones for the same block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertificateView {
    /// Height of the block.
    pub height: Height,
    /// The round that decided.
    pub round: u32,
    /// Digest of the block's header.
    pub block: Digest,
    /// The precommits, in order of address.
    pub signatures: Vec<CommitSignatureView>,
}

/// A validator's precommit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommitSignatureView {
    /// Who.
    pub validator: Address,
    /// By its consensus key, over the digest of the precommit.
    pub signature: Signature,
}

impl From<&Certificate> for CertificateView {
    fn from(certificate: &Certificate) -> Self {
        let signatures = certificate.signatures.iter();
        Self {
            height: certificate.height,
            round: certificate.round,
            block: certificate.block,
            signatures: signatures
                .map(|one| CommitSignatureView {
                    validator: one.validator,
                    signature: one.signature,
                })
                .collect(),
        }
    }
}

impl TryFrom<CertificateView> for Certificate {
    type Error = soma_types::bounded::TooLong;

    fn try_from(view: CertificateView) -> Result<Self, Self::Error> {
        let signatures = view.signatures.into_iter().map(|one| CommitSignature {
            validator: one.validator,
            signature: one.signature,
        });
        Ok(Self {
            height: view.height,
            round: view.round,
            block: view.block,
            signatures: BoundedVec::new(signatures.collect())?,
        })
    }
}
