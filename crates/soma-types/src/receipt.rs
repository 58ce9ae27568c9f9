//! Receipts: what a transaction did.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ExecutionError;
use crate::id::{Address, Digest, ModelId, StakeId, TargetId};
use crate::money::Shannons;
use crate::time::{Epoch, Height};

/// Outcome of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// Everything it asked for was done.
    Success,
    /// Nothing was done; the base fee was paid and the nonce used.
    Failure {
        /// Why.
        error: ExecutionError,
    },
}

impl ExecutionStatus {
    /// True for success.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Success)
    }
}

/// The fee of a transaction, all of it burned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// Paid by every transaction, also a failed one.
    pub base: Shannons,
    /// Paid for the objects written.
    pub operation: Shannons,
    /// Paid on moved amounts.
    pub value: Shannons,
}

impl Fee {
    /// The whole fee.
    pub fn total(&self) -> Shannons {
        self.base
            .saturating_add(self.operation)
            .saturating_add(self.value)
    }
}

/// An object that a transaction made, changed or removed.
///
/// In JSON `{"type": "coin", "id": "0x…"}`; in the canonical encoding a plain variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum ObjectRef {
    /// An account's balance.
    Coin(Address),
    /// A stake position.
    Stake(StakeId),
    /// A model.
    Model(ModelId),
    /// A target.
    Target(TargetId),
    /// A validator.
    Validator(Address),
}

/// [`ObjectRef`] in the canonical encoding: a tag beside its content can only be read where
/// fields have names.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ObjectRef")]
enum PlainObjectRef {
    Coin(Address),
    Stake(StakeId),
    Model(ModelId),
    Target(TargetId),
    Validator(Address),
}

impl Serialize for ObjectRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => Self::serialize(self, serializer),
            false => PlainObjectRef::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ObjectRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => Self::deserialize(deserializer),
            false => PlainObjectRef::deserialize(deserializer),
        }
    }
}

/// Change of a balance in shannons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceChange {
    /// The account.
    pub address: Address,
    /// What was added; negative for what was taken, fee included.
    pub amount: i64,
}

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
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
    pub status: ExecutionStatus,
    /// What it cost.
    pub fee: Fee,
    /// Objects made.
    #[serde(deserialize_with = "crate::bounded::unreserved")]
    pub created: Vec<ObjectRef>,
    /// Objects changed.
    #[serde(deserialize_with = "crate::bounded::unreserved")]
    pub mutated: Vec<ObjectRef>,
    /// Objects removed.
    #[serde(deserialize_with = "crate::bounded::unreserved")]
    pub deleted: Vec<ObjectRef>,
    /// Changes of balances, by address.
    #[serde(deserialize_with = "crate::bounded::unreserved")]
    pub balance_changes: Vec<BalanceChange>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn objects_are_read_back_from_both_encodings() {
        let objects = [
            ObjectRef::Coin(Address([1; 32])),
            ObjectRef::Stake(StakeId([2; 32])),
            ObjectRef::Model(ModelId([3; 32])),
            ObjectRef::Target(TargetId([4; 32])),
            ObjectRef::Validator(Address([5; 32])),
        ];
        for (index, object) in (0u8..).zip(objects) {
            let bytes = encode(&object);
            assert_eq!((bytes.len(), bytes[0]), (33, index));
            assert_eq!(decode("an object", &bytes), Ok(object));
            let json = serde_json::to_value(object).unwrap();
            assert!(json["type"].is_string() && json["id"].is_string(), "{json}");
            assert_eq!(serde_json::from_value::<ObjectRef>(json).unwrap(), object);
        }
    }
}
