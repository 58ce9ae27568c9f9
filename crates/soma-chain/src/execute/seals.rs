//! Sealed submissions: the commitment that comes first, for some blocks.

use soma_crypto::{Domain, Hasher};
use soma_types::{
    Address, Checksum, Commitment, ExecutionError, Height, Loss, ModelId, RawEmbedding, Salt,
    TargetId,
};

use super::transaction::Call;
use crate::key::Key;
use crate::state::{State, Step};

/// What a submission is sealed over. The size and URL of the data are left to the opening.
#[derive(Clone, Copy, Debug)]
pub struct SealedFields<'a> {
    /// Who will open it.
    pub submitter: &'a Address,
    /// The target to fill.
    pub target: &'a TargetId,
    /// SHA3-256 of the data.
    pub checksum: &'a Checksum,
    /// The winning model.
    pub model: &'a ModelId,
    /// The data's embedding.
    pub embedding: &'a RawEmbedding,
    /// The winning model's loss.
    pub loss: Loss,
    /// A random value.
    pub salt: &'a Salt,
}

/// The commitment of a sealed submission.
pub fn submission_commitment(fields: &SealedFields<'_>) -> Commitment {
    let hasher = Hasher::new(Domain::Submission)
        .chain(fields.submitter)
        .chain(fields.target)
        .chain(fields.checksum)
        .chain(fields.model)
        .chain(fields.loss.0.to_le_bytes())
        .chain(fields.salt)
        .chain(fields.embedding.to_le_bytes());
    Commitment(hasher.finish())
}

/// Seals a submission: remembers the commitment for some blocks.
pub(crate) fn seal(state: &mut State<'_>, call: Call, commitment: Commitment) -> Step<()> {
    let key = Key::Sealed(call.sender, commitment);
    if state.has(key)? {
        return Err(ExecutionError::DuplicateCommitment.into());
    }
    let last = last_opening(state, state.height);
    state.save::<Height>(key, &state.height.clone());
    state.mark(Key::SealedExpiry(last, call.sender, commitment));
    Ok(())
}

/// The last block in which a submission sealed at `height` can be opened.
pub(super) fn last_opening(state: &State<'_>, height: Height) -> Height {
    height.saturating_add(state.parameters.submission_commitment_blocks)
}

/// Drops sealed submissions that lapsed with the block before this one.
pub(crate) fn drop_lapsed(state: &mut State<'_>) -> Step<()> {
    let Some(lapsed) = state.height.checked_sub(1) else {
        return Ok(());
    };
    for (key, _) in state.scan(&crate::key::prefix::sealed_expiry(lapsed))? {
        if let Some((sender, commitment)) = sealed_of_expiry(&key) {
            state.remove(Key::Sealed(sender, commitment));
        }
        state.remove_bytes(key);
    }
    Ok(())
}

fn sealed_of_expiry(key: &[u8]) -> Option<(Address, Commitment)> {
    let rest = key.get(10..)?;
    let (sender, commitment) = rest.split_at_checked(32)?;
    Some((
        Address(sender.try_into().ok()?),
        Commitment(commitment.try_into().ok()?),
    ))
}
