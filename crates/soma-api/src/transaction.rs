//! Transactions, receipts, and the requests that send or try them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use soma_types::receipt::{BalanceChange, ObjectRef};
use soma_types::time::Height;
use soma_types::{
    Address, ChainId, Digest, Epoch, ExecutionError, ExecutionStatus, Fee, PublicKey, Receipt,
    Shannons, Signature, SignedTransaction,
};

use crate::bytes::Base64;
use crate::object::{ObjectId, ObjectType};

/// A signed transaction, readable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TransactionView {
    /// Its digest: what the sender signed.
    pub digest: Digest,
    /// The chain that it is for.
    pub chain_id: ChainId,
    /// Who pays and acts.
    pub sender: Address,
    /// The sender's nonce.
    pub nonce: u64,
    /// The last height at which it may be in a block.
    pub expiry_height: Height,
    /// What it does, as one word, such as `transfer`.
    pub kind: String,
    /// The arguments of the kind by name.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub arguments: Value,
    /// The sender's public key.
    pub public_key: PublicKey,
    /// Signature over the digest.
    pub signature: Signature,
    /// Canonical encoding (BCS) of the signed transaction.
    pub bytes: Base64,
}

impl TransactionView {
    /// The view of `signed`. The digest comes from whoever can hash.
    pub fn new(digest: Digest, signed: &SignedTransaction) -> Self {
        let transaction = &signed.transaction;
        Self {
            digest,
            chain_id: transaction.chain_id,
            sender: transaction.sender,
            nonce: transaction.nonce,
            expiry_height: transaction.expiry_height,
            kind: transaction.kind.name().to_owned(),
            arguments: variant_content(&transaction.kind),
            public_key: signed.public_key,
            signature: signed.signature,
            bytes: Base64::encode(signed),
        }
    }
}

/// The content of an externally tagged enum value; an empty object for a bare variant.
fn variant_content<T: Serialize>(value: &T) -> Value {
    let empty = || Value::Object(serde_json::Map::new());
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map.into_iter().next().map_or_else(empty, |(_, v)| v),
        _ => empty(),
    }
}

/// Outcome of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    /// Everything it asked for was done.
    Success,
    /// Nothing was done; the base fee was paid and the nonce used.
    Failure,
}

/// Why a transaction failed on chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutionErrorView {
    /// Stable name, such as `TargetNotOpen`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// Values of the message by name.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub details: Value,
}

impl From<&ExecutionError> for ExecutionErrorView {
    fn from(error: &ExecutionError) -> Self {
        Self {
            code: error.name().to_owned(),
            message: error.to_string(),
            details: variant_content(error),
        }
    }
}

/// The fee of a transaction in shannons, all of it burned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FeeView {
    /// Paid by every transaction, also a failed one.
    pub base: Shannons,
    /// Paid for the objects written.
    pub operation: Shannons,
    /// Paid on moved amounts.
    pub value: Shannons,
    /// The sum.
    pub total: Shannons,
}

impl From<Fee> for FeeView {
    fn from(fee: Fee) -> Self {
        Self {
            base: fee.base,
            operation: fee.operation,
            value: fee.value,
            total: fee.total(),
        }
    }
}

/// An object that a transaction made, changed or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ObjectRefView {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ObjectType,
    /// Its id.
    pub id: ObjectId,
}

impl From<ObjectRef> for ObjectRefView {
    fn from(object: ObjectRef) -> Self {
        let (kind, id) = match object {
            ObjectRef::Coin(address) => (ObjectType::Coin, address.0),
            ObjectRef::Stake(id) => (ObjectType::StakedSoma, id.0),
            ObjectRef::Model(id) => (ObjectType::Model, id.0),
            ObjectRef::Target(id) => (ObjectType::Target, id.0),
            ObjectRef::Validator(address) => (ObjectType::Validator, address.0),
        };
        Self {
            kind,
            id: ObjectId(id),
        }
    }
}

/// Change of a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BalanceChangeView {
    /// The account.
    pub address: Address,
    /// Shannons added; negative for what was taken, fee included.
    pub amount: i64,
}

impl From<BalanceChange> for BalanceChangeView {
    fn from(change: BalanceChange) -> Self {
        Self {
            address: change.address,
            amount: change.amount,
        }
    }
}

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceiptView {
    /// The transaction.
    pub transaction: Digest,
    /// Who sent it.
    pub sender: Address,
    /// The block that contains it.
    pub height: Height,
    /// Its place in the block, from 0.
    pub index: u32,
    /// The epoch in which it was executed.
    pub epoch: Epoch,
    /// Outcome.
    pub status: ReceiptStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ExecutionErrorView>,
    /// What it cost.
    pub fee: FeeView,
    /// Objects made.
    pub created: Vec<ObjectRefView>,
    /// Objects changed.
    pub mutated: Vec<ObjectRefView>,
    /// Objects removed.
    pub deleted: Vec<ObjectRefView>,
    /// Changes of balances, by address.
    pub balance_changes: Vec<BalanceChangeView>,
}

impl ReceiptView {
    /// True when everything that the transaction asked for was done.
    pub fn is_success(&self) -> bool {
        self.status == ReceiptStatus::Success
    }
}

impl From<&Receipt> for ReceiptView {
    fn from(receipt: &Receipt) -> Self {
        let objects = |list: &[ObjectRef]| list.iter().map(|object| (*object).into()).collect();
        let (status, error) = match &receipt.status {
            ExecutionStatus::Success => (ReceiptStatus::Success, None),
            ExecutionStatus::Failure { error } => (ReceiptStatus::Failure, Some(error.into())),
        };
        Self {
            transaction: receipt.transaction,
            sender: receipt.sender,
            height: receipt.height,
            index: receipt.index,
            epoch: receipt.epoch,
            status,
            error,
            fee: receipt.fee.into(),
            created: objects(&receipt.created),
            mutated: objects(&receipt.mutated),
            deleted: objects(&receipt.deleted),
            balance_changes: receipt
                .balance_changes
                .iter()
                .map(|c| (*c).into())
                .collect(),
        }
    }
}

/// A transaction and what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TransactionRecord {
    /// The transaction.
    pub transaction: TransactionView,
    /// What it did; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
}

/// Sends a transaction. Sending the same again is not an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// Base64 of the canonical encoding (BCS) of the signed transaction.
    pub transaction: Base64,
    /// How long to wait for the receipt, in milliseconds; absent or 0: do not wait. The node caps
    /// it to its own limit. When it passes, the answer has no receipt; the transaction still waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// What became of a sent transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmitResponse {
    /// The transaction's digest.
    pub digest: Digest,
    /// What it did, when it is in a block already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
}

/// Tries a transaction on the newest state without executing it. Needs no signature; nonce and
/// expiry are not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SimulateRequest {
    /// Base64 of the canonical encoding (BCS) of the unsigned transaction.
    pub transaction: Base64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_error_has_its_name_and_values() {
        let error = ExecutionError::TargetNotOpen {
            status: "filled".into(),
        };
        let view = ExecutionErrorView::from(&error);
        assert_eq!(view.code, "TargetNotOpen");
        assert_eq!(view.details["status"], "filled");
        let bare = ExecutionErrorView::from(&ExecutionError::ModelNotFound);
        assert_eq!(bare.details, serde_json::json!({}));
    }

    #[test]
    fn unknown_fields_of_a_request_are_refused() {
        let text = r#"{"transaction":"AAAA","wait":5}"#;
        assert!(serde_json::from_str::<SubmitRequest>(text).is_err());
        let text = r#"{"transaction":"AAAA","wait_ms":5}"#;
        let request: SubmitRequest = serde_json::from_str(text).unwrap();
        assert_eq!(request.transaction.0, [0, 0, 0]);
    }
}
