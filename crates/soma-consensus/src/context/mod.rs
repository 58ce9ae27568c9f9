//! The engine's view of the chain's types: thin wrappers, one for each that the engine names.

mod ids;
mod messages;
mod part;
mod validators;

use malachite::app::types::core::{Context, LinearTimeouts, NilOrVal, Round, VoteType};

pub use ids::{Address, BlockId, Height, Value};
pub(crate) use messages::defined;
pub use messages::{Proposal, Vote};
pub use part::{Chunk, MAX_GOSSIPED_TRANSACTIONS, MAX_PART_BYTES, Part, StreamHead};
pub use validators::{Validator, ValidatorSet};

use crate::proposer::proposer;
use crate::signing::Scheme;

/// Names the types that the engine works with.
#[derive(Clone, Copy, Debug, Default)]
pub struct SomaContext;

impl Context for SomaContext {
    type Address = Address;
    type Height = Height;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = LinearTimeouts;
    type Value = Value;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Scheme;

    fn select_proposer<'a>(
        &self,
        validators: &'a ValidatorSet,
        height: Height,
        round: Round,
    ) -> &'a Validator {
        proposer(validators, height, defined(round))
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: Value,
        valid_round: Round,
        proposer: Address,
    ) -> Proposal {
        Proposal::new(height, round, value, valid_round, proposer)
    }

    fn new_prevote(
        &self,
        height: Height,
        round: Round,
        block: NilOrVal<BlockId>,
        validator: Address,
    ) -> Vote {
        Vote::new(VoteType::Prevote, height, round, block, validator)
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        block: NilOrVal<BlockId>,
        validator: Address,
    ) -> Vote {
        Vote::new(VoteType::Precommit, height, round, block, validator)
    }
}
