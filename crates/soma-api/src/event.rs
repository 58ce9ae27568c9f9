//! The stream of events: blocks and what happened in them, in order and without gaps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use soma_types::event::{EarningKind, SlashReason};
use soma_types::time::Height;
use soma_types::{Address, Digest, Epoch, Event, ModelId, Shannons, TargetId};
use thiserror::Error;

use crate::block::HeaderView;

/// Place of a message in the stream: height and index, written `height:index`.
///
/// Index 0 is the block itself; what happened in it follows from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The block.
    pub height: Height,
    /// The place in the block.
    pub index: u32,
}

/// A text that is no place in the stream.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("invalid event id `{0}`: expected `height:index` or a height, such as `120:3`")]
pub struct ParseEventIdError(pub String);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.index)
    }
}

impl FromStr for EventId {
    type Err = ParseEventIdError;

    /// Reads `height:index`.
    fn from_str(text: &str) -> Result<Self, ParseEventIdError> {
        let refuse = || ParseEventIdError(text.chars().take(40).collect());
        let (height, index) = text.split_once(':').ok_or_else(refuse)?;
        Ok(Self {
            height: height.parse().map_err(|_| refuse())?,
            index: index.parse().map_err(|_| refuse())?,
        })
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventView {
    /// A block was made.
    Block {
        /// Digest of the header.
        digest: Digest,
        /// The header.
        header: HeaderView,
        /// Number of transactions.
        transactions: u64,
        /// How many of them failed.
        failed: u64,
    },
    /// A target was drawn.
    TargetDrawn {
        /// The target.
        target: TargetId,
    },
    /// A target was filled.
    TargetFilled {
        /// The target.
        target: TargetId,
        /// Who submitted.
        submitter: Address,
        /// The winning model.
        model: ModelId,
        /// Distance of the data to the target.
        distance: f64,
        /// The distance in units of 2^-30.
        distance_fixed: u32,
        /// Loss of the winning model in nats.
        loss: f64,
        /// The loss in units of 2^-30.
        loss_fixed: u64,
    },
    /// A target was paid out.
    TargetClaimed {
        /// The target.
        target: TargetId,
    },
    /// A submission was challenged.
    SubmissionChallenged {
        /// The target.
        target: TargetId,
    },
    /// A submission was proven a fraud.
    FraudProven {
        /// The target.
        target: TargetId,
        /// Who submitted.
        submitter: Address,
        /// The slashed bond.
        bond: Shannons,
    },
    /// Nobody could judge a submission, as the winner's weights could not be had. The bond went back.
    SubmissionVoided {
        /// The target.
        target: TargetId,
        /// Who submitted.
        submitter: Address,
        /// The bond that went back.
        bond: Shannons,
    },
    /// A model's weights were revealed.
    ModelRevealed {
        /// The model.
        model: ModelId,
    },
    /// A model ended.
    ModelDeactivated {
        /// The model.
        model: ModelId,
    },
    /// Stake was slashed.
    Slashed {
        /// The validator or the model's owner.
        owner: Address,
        /// The model, when its stake was slashed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<ModelId>,
        /// Why: `missed_reveal` (no commit or no reveal in time), `reported` or `misbehavior`.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        reason: SlashReason,
        /// How much.
        amount: Shannons,
    },
    /// An address earned or lost money.
    Earning {
        /// Who.
        address: Address,
        /// Why.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        kind: EarningKind,
        /// How much.
        amount: Shannons,
        /// True when the amount was lost.
        is_loss: bool,
        /// The target that it came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<TargetId>,
    },
    /// An epoch ended and the next began.
    EpochChanged {
        /// The epoch that began.
        epoch: Epoch,
    },
}

impl EventView {
    /// Names of all types, as filters take them.
    pub const TYPES: &'static [&'static str] = &[
        "block",
        "target_drawn",
        "target_filled",
        "target_claimed",
        "submission_challenged",
        "fraud_proven",
        "submission_voided",
        "model_revealed",
        "model_deactivated",
        "slashed",
        "earning",
        "epoch_changed",
    ];

    /// The type as one word.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Block { .. } => "block",
            Self::TargetDrawn { .. } => "target_drawn",
            Self::TargetFilled { .. } => "target_filled",
            Self::TargetClaimed { .. } => "target_claimed",
            Self::SubmissionChallenged { .. } => "submission_challenged",
            Self::FraudProven { .. } => "fraud_proven",
            Self::SubmissionVoided { .. } => "submission_voided",
            Self::ModelRevealed { .. } => "model_revealed",
            Self::ModelDeactivated { .. } => "model_deactivated",
            Self::Slashed { .. } => "slashed",
            Self::Earning { .. } => "earning",
            Self::EpochChanged { .. } => "epoch_changed",
        }
    }
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        match event.clone() {
            Event::TargetDrawn { target } => Self::TargetDrawn { target },
            Event::TargetFilled {
                target,
                submitter,
                model,
                distance,
                loss,
            } => Self::TargetFilled {
                target,
                submitter,
                model,
                distance: distance.to_f64(),
                distance_fixed: distance.0,
                loss: loss.to_f64(),
                loss_fixed: loss.0,
            },
            Event::TargetClaimed { target } => Self::TargetClaimed { target },
            Event::SubmissionChallenged { target } => Self::SubmissionChallenged { target },
            Event::FraudProven {
                target,
                submitter,
                bond,
            } => Self::FraudProven {
                target,
                submitter,
                bond,
            },
            Event::SubmissionVoided {
                target,
                submitter,
                bond,
            } => Self::SubmissionVoided {
                target,
                submitter,
                bond,
            },
            Event::ModelRevealed { model } => Self::ModelRevealed { model },
            Event::ModelDeactivated { model } => Self::ModelDeactivated { model },
            Event::Slashed {
                owner,
                model,
                reason,
                amount,
            } => Self::Slashed {
                owner,
                model,
                reason,
                amount,
            },
            Event::Earning {
                address,
                kind,
                amount,
                target,
            } => Self::Earning {
                address,
                kind,
                amount,
                is_loss: kind.is_loss(),
                target,
            },
            Event::EpochChanged { epoch } => Self::EpochChanged { epoch },
        }
    }
}

/// One message of the stream: the `data` of a server-sent event whose `id` is [`EventMessage::id`]
/// and whose `event` is the type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventMessage {
    /// Its place: send it back as `Last-Event-ID` to go on after it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: EventId,
    /// What happened.
    #[serde(flatten)]
    pub event: EventView,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_and_survive_the_trip() {
        let id: EventId = "120:3".parse().unwrap();
        assert_eq!(id.to_string(), "120:3");
        assert!(id < "121:0".parse().unwrap());
        for bad in ["", ":", "1", "1:", "-1:0", "1:99999999999", "a:b"] {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_message_is_one_flat_object() {
        let message = EventMessage {
            id: EventId {
                height: 7,
                index: 1,
            },
            event: EventView::EpochChanged { epoch: Epoch(3) },
        };
        let json = serde_json::to_value(&message).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"id": "7:1", "type": "epoch_changed", "epoch": 3})
        );
        let read: EventMessage = serde_json::from_value(json).unwrap();
        assert_eq!(read, message);
        assert!(EventView::TYPES.contains(&message.event.type_name()));
    }
}
