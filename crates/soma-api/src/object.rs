//! Objects: everything with an id, in one shape.
//!
//! An account's balance is one coin object whose id is the account's address; it never needs
//! merging. A validator's object has its address as id too: ask for it with `type=validator`.
//! The system state has the fixed id [`SYSTEM_STATE_ID`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use soma_types::id::ParseIdError;
use soma_types::{Address, Digest, Shannons};
use thiserror::Error;

use crate::account::StakeView;
use crate::epoch::SystemView;
use crate::model::ModelView;
use crate::target::TargetView;
use crate::validator::ValidatorView;

/// The id of an object of any type: 32 bytes, shown as `0x` and hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 32]);

/// The id of the system state.
pub const SYSTEM_STATE_ID: ObjectId = {
    let mut bytes = [0; 32];
    bytes[31] = 5;
    ObjectId(bytes)
};

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

impl FromStr for ObjectId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        soma_types::id::parse_hex("object id", text).map(Self)
    }
}

impl Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ObjectType {
    /// An account's balance.
    Coin,
    /// A stake position.
    #[serde(alias = "stakedsoma")]
    StakedSoma,
    /// A model.
    Model,
    /// A target.
    Target,
    /// A validator.
    Validator,
    /// The system state.
    #[serde(alias = "systemstate")]
    SystemState,
}

/// A name that is no object type.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "unknown object type `{0}`; use coin, staked_soma, model, target, validator or system_state"
)]
pub struct UnknownObjectType(pub String);

impl ObjectType {
    /// The type as one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coin => "coin",
            Self::StakedSoma => "staked_soma",
            Self::Model => "model",
            Self::Target => "target",
            Self::Validator => "validator",
            Self::SystemState => "system_state",
        }
    }
}

impl FromStr for ObjectType {
    type Err = UnknownObjectType;

    fn from_str(text: &str) -> Result<Self, UnknownObjectType> {
        match text.to_ascii_lowercase().as_str() {
            "coin" => Ok(Self::Coin),
            "staked_soma" | "stakedsoma" => Ok(Self::StakedSoma),
            "model" => Ok(Self::Model),
            "target" => Ok(Self::Target),
            "validator" => Ok(Self::Validator),
            "system_state" | "systemstate" => Ok(Self::SystemState),
            _ => Err(UnknownObjectType(text.chars().take(40).collect())),
        }
    }
}

/// What an object holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", content = "content", rename_all = "snake_case")]
pub enum ObjectContent {
    /// An account's balance.
    Coin {
        /// Money that can be spent.
        balance: Shannons,
        /// The nonce of the account's next transaction.
        nonce: u64,
    },
    /// A stake position.
    StakedSoma(StakeView),
    /// A model.
    Model(Box<ModelView>),
    /// A target.
    Target(Box<TargetView>),
    /// A validator.
    Validator(Box<ValidatorView>),
    /// The system state.
    SystemState(Box<SystemView>),
}

impl ObjectContent {
    /// What the object is.
    pub const fn object_type(&self) -> ObjectType {
        match self {
            Self::Coin { .. } => ObjectType::Coin,
            Self::StakedSoma(_) => ObjectType::StakedSoma,
            Self::Model(_) => ObjectType::Model,
            Self::Target(_) => ObjectType::Target,
            Self::Validator(_) => ObjectType::Validator,
            Self::SystemState(_) => ObjectType::SystemState,
        }
    }
}

/// An object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ObjectView {
    /// Its id.
    pub id: ObjectId,
    /// Whose it is: owner of a coin, stake or model, submitter of a filled target; absent for
    /// what belongs to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Address>,
    /// What it is and holds.
    #[serde(flatten)]
    pub content: ObjectContent,
}

impl ObjectView {
    /// The coin object of an account.
    pub fn coin(address: Address, account: soma_types::Account) -> Self {
        Self {
            id: ObjectId(address.0),
            owner: Some(address),
            content: ObjectContent::Coin {
                balance: account.balance,
                nonce: account.nonce,
            },
        }
    }
}

macro_rules! object_from {
    ($view:ty, $id:ident, $owner:expr, $wrap:expr) => {
        impl From<$view> for ObjectView {
            fn from(view: $view) -> Self {
                let owner: fn(&$view) -> Option<Address> = $owner;
                Self {
                    id: ObjectId(view.$id.0),
                    owner: owner(&view),
                    content: $wrap(view.into()),
                }
            }
        }
    };
}

object_from!(StakeView, id, |v| Some(v.owner), ObjectContent::StakedSoma);
object_from!(ModelView, id, |v| Some(v.owner), ObjectContent::Model);
object_from!(
    TargetView,
    id,
    |v| v.fill.as_ref().map(|fill| fill.submitter),
    ObjectContent::Target
);
object_from!(
    ValidatorView,
    address,
    |v| Some(v.address),
    ObjectContent::Validator
);

impl From<SystemView> for ObjectView {
    fn from(view: SystemView) -> Self {
        Self {
            id: SYSTEM_STATE_ID,
            owner: None,
            content: ObjectContent::SystemState(Box::new(view)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_names_its_type_beside_its_content() {
        let account = soma_types::Account {
            balance: Shannons(5),
            nonce: 2,
        };
        let view = ObjectView::coin(Address([1; 32]), account);
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(json["type"], "coin");
        assert_eq!(json["content"]["balance"], 5);
        assert_eq!(serde_json::from_value::<ObjectView>(json).unwrap(), view);
    }

    #[test]
    fn both_spellings_of_a_type_are_read() {
        assert_eq!("stakedsoma".parse(), Ok(ObjectType::StakedSoma));
        assert_eq!("SystemState".parse(), Ok(ObjectType::SystemState));
        assert!("submission".parse::<ObjectType>().is_err());
    }
}
