//! Validators: apply, leave, change metadata and commission, announce versions.

use soma_crypto::{Domain, Hasher, hash, keys};
use soma_types::validator::MetadataText;
use soma_types::{
    Address, Bps, ChainId, Digest, Epoch, ExecutionError, MetadataUpdate, PoolId, PoolOwner,
    PoolStatus, PublicKey, Shannons, Signature, StakingPool, Validator, ValidatorCandidate,
    ValidatorMetadata, ValidatorStatus,
};

use super::models::new_pool;
use super::staking::{save_or_drop, stake};
use super::transaction::Call;
use crate::key::Key;
use crate::state::{State, Step};

/// What a consensus key signs to prove that its holder runs the validator at `address`.
pub fn proof_of_possession_digest(chain: &ChainId, address: &Address) -> Digest {
    Digest(
        Hasher::new(Domain::ProofOfPossession)
            .chain(chain)
            .chain(address)
            .finish(),
    )
}

fn commission(bps: u16) -> Step<Bps> {
    Bps::new(bps).ok_or_else(|| ExecutionError::CommissionRateTooHigh { bps }.into())
}

/// Fields that no two validators may share. An empty address is shared by all who leave it out.
#[derive(Clone, Copy)]
enum Unique<'a> {
    ConsensusKey(&'a PublicKey),
    PeerAddress(&'a MetadataText),
}

impl Unique<'_> {
    fn key(self) -> Key {
        let hasher = Hasher::new(Domain::StateKey);
        Key::ValidatorUnique(match self {
            Self::ConsensusKey(key) => hasher.chain(b"consensus-key").chain(key).finish(),
            Self::PeerAddress(text) => hasher.chain(b"p2p-address").chain(text.as_str()).finish(),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::ConsensusKey(_) => "consensus_key",
            Self::PeerAddress(_) => "p2p_address",
        }
    }

    fn is_empty(self) -> bool {
        matches!(self, Self::PeerAddress(text) if text.as_str().is_empty())
    }
}

fn reserve(state: &mut State<'_>, owner: Address, field: Unique<'_>) -> Step<()> {
    if field.is_empty() {
        return Ok(());
    }
    match state.load::<Address>(field.key())? {
        Some(holder) if holder != owner => Err(ExecutionError::DuplicateValidatorMetadata {
            field: field.name().into(),
        }
        .into()),
        _ => {
            state.save(field.key(), &owner);
            Ok(())
        }
    }
}

/// Reserves the unique fields of a validator's metadata.
pub(crate) fn reserve_metadata(
    state: &mut State<'_>,
    owner: Address,
    metadata: &ValidatorMetadata,
) -> Step<()> {
    reserve(state, owner, Unique::ConsensusKey(&metadata.consensus_key))?;
    reserve(state, owner, Unique::PeerAddress(&metadata.p2p_address))
}

/// Frees the unique fields of a validator that ends.
pub(crate) fn free_metadata(state: &mut State<'_>, validator: &Validator) {
    state.remove(Unique::ConsensusKey(&validator.metadata.consensus_key).key());
    state.remove(Unique::PeerAddress(&validator.metadata.p2p_address).key());
    free_staged(state, &validator.next_metadata);
}

fn free_staged(state: &mut State<'_>, update: &MetadataUpdate) {
    if let Some(key) = &update.consensus_key {
        state.remove(Unique::ConsensusKey(key).key());
    }
    if let Some(address) = &update.p2p_address {
        state.remove(Unique::PeerAddress(address).key());
    }
}

/// Applies staged metadata at an epoch boundary, and frees what it replaces.
pub(crate) fn apply_staged(state: &mut State<'_>, validator: &mut Validator) -> Step<()> {
    let update = std::mem::take(&mut validator.next_metadata);
    let metadata = &mut validator.metadata;
    if let Some(key) = update
        .consensus_key
        .filter(|key| *key != metadata.consensus_key)
    {
        state.remove(Unique::ConsensusKey(&metadata.consensus_key).key());
        metadata.consensus_key = key;
    }
    if let Some(text) = update
        .p2p_address
        .filter(|text| *text != metadata.p2p_address)
    {
        state.remove(Unique::PeerAddress(&metadata.p2p_address).key());
        metadata.p2p_address = text;
    }
    metadata.name = update.name.unwrap_or_else(|| metadata.name.clone());
    metadata.rpc_address = update
        .rpc_address
        .unwrap_or_else(|| metadata.rpc_address.clone());
    metadata.proxy_address = update
        .proxy_address
        .unwrap_or_else(|| metadata.proxy_address.clone());
    Ok(())
}

fn check_possession(state: &State<'_>, call: Call, key: &PublicKey, proof: &Signature) -> Step<()> {
    let digest = proof_of_possession_digest(&state.chain_id, &call.sender);
    keys::verify_digest(key, &digest.0, proof)
        .map_err(|_| ExecutionError::InvalidProofOfPossession.into())
}

/// A former validator keeps its record and its pool for as long as evidence against it counts.
fn check_answered(state: &State<'_>, address: &Address) -> Step<()> {
    let now = state.epoch();
    for last in [Some(now), now.minus(1)].into_iter().flatten() {
        if state.committee(last)?.member(address).is_some() {
            let from = last.plus(2);
            return Err(ExecutionError::ValidatorStillAnswers { last, from }.into());
        }
    }
    Ok(())
}

/// Applies to join the committee, and stakes with itself what a candidate needs: each epoch change
/// looks at all candidates, so none is free. The sender joins at an epoch boundary once its stake
/// suffices.
pub(crate) fn add(state: &mut State<'_>, call: Call, candidate: &ValidatorCandidate) -> Step<()> {
    let former = state.validator(&call.sender)?;
    if let Some(known) = &former
        && !matches!(known.status, ValidatorStatus::Inactive { .. })
    {
        return Err(ExecutionError::DuplicateValidator.into());
    }
    check_answered(state, &call.sender)?;
    let commission = commission(candidate.commission_bps)?;
    let metadata = candidate.metadata.clone();
    check_possession(
        state,
        call,
        &metadata.consensus_key,
        &candidate.proof_of_possession,
    )?;
    reserve_metadata(state, call.sender, &metadata)?;
    let pool = PoolId(hash(Domain::PoolId, call.digest));
    state.save_pool(&new_pool(pool, PoolOwner::Validator(call.sender)));
    state.save_validator(&Validator {
        address: call.sender,
        status: ValidatorStatus::Pending {
            since: state.epoch(),
        },
        metadata,
        next_metadata: MetadataUpdate::default(),
        pool,
        commission,
        next_commission: commission,
        low_stake_epochs: 0,
        misbehaved: false,
        punished_height: state.height,
        announced_version: state.system.protocol_version,
    });
    if let Some(former) = former {
        let pool = state.pool(&former.pool)?;
        save_or_drop(state, &pool)?;
    }
    let first = Shannons(state.parameters.min_candidate_stake);
    stake(state, call, &pool, first).map(|_| ())
}

fn acting_validator(state: &State<'_>, call: Call) -> Step<Validator> {
    state
        .validator(&call.sender)?
        .filter(|known| !matches!(known.status, ValidatorStatus::Inactive { .. }))
        .ok_or_else(|| ExecutionError::NotAValidator.into())
}

/// Leaves the committee at the end of the epoch, or withdraws an application at once.
pub(crate) fn remove(state: &mut State<'_>, call: Call) -> Step<()> {
    let mut validator = acting_validator(state, call)?;
    match validator.status {
        ValidatorStatus::Active => {
            let staying = remaining_members(state)?;
            if staying <= 1 {
                return Err(ExecutionError::LastValidator.into());
            }
            validator.status = ValidatorStatus::Leaving;
            state.save_validator(&validator);
            Ok(())
        }
        ValidatorStatus::Pending { .. } => {
            let now = state.epoch();
            end_candidate(state, &validator, now)
        }
        ValidatorStatus::Leaving => Err(ExecutionError::ValidatorAlreadyRemoved.into()),
        ValidatorStatus::Inactive { .. } => Err(ExecutionError::NotAValidator.into()),
    }
}

/// Members of the committee that did not ask to leave.
fn remaining_members(state: &State<'_>) -> Step<usize> {
    let mut staying = 0;
    for member in &state.committee(state.epoch())?.members {
        let validator = state.validator(&member.address)?;
        staying += usize::from(validator.is_some_and(|v| v.status == ValidatorStatus::Active));
    }
    Ok(staying)
}

/// Ends a validator and closes its pool: stake that was to start after `since` can be taken back
/// in full.
pub(crate) fn end_validator(
    state: &mut State<'_>,
    validator: &mut Validator,
    since: Epoch,
) -> Step<()> {
    free_metadata(state, validator);
    let mut pool = state.pool(&validator.pool)?;
    pool.status = PoolStatus::Inactive { since };
    state.save_pool(&pool);
    validator.status = ValidatorStatus::Inactive { since };
    validator.next_metadata = MetadataUpdate::default();
    validator.low_stake_epochs = 0;
    state.save_validator(validator);
    Ok(())
}

/// Ends a candidate. Nothing can hold it to account, so no record of it stays; its pool stays until
/// the last stake has left.
pub(crate) fn end_candidate(
    state: &mut State<'_>,
    candidate: &Validator,
    since: Epoch,
) -> Step<()> {
    free_metadata(state, candidate);
    state.remove(Key::Validator(candidate.address));
    let mut pool = state.pool(&candidate.pool)?;
    pool.status = PoolStatus::Inactive { since };
    save_or_drop(state, &pool)
}

/// Ends the application that `pool` is of, where too little stake is left in it: one that stayed
/// would let the same stake bring another.
pub(crate) fn end_if_short(state: &mut State<'_>, pool: &StakingPool) -> Step<()> {
    let PoolOwner::Validator(address) = pool.owner else {
        return Ok(());
    };
    let Some(candidate) = state.validator(&address)? else {
        return Ok(());
    };
    let waits = matches!(candidate.status, ValidatorStatus::Pending { .. });
    if waits && candidate.pool == pool.id && pool.soma.0 < state.parameters.min_candidate_stake {
        let now = state.epoch();
        end_candidate(state, &candidate, now)?;
    }
    Ok(())
}

/// Stages new metadata for the next epoch; a later update of a field replaces an earlier one.
pub(crate) fn update_metadata(
    state: &mut State<'_>,
    call: Call,
    update: &MetadataUpdate,
) -> Step<()> {
    let mut validator = acting_validator(state, call)?;
    let staged = &mut validator.next_metadata;
    if let Some(key) = &update.consensus_key {
        let proof = update
            .proof_of_possession
            .ok_or(ExecutionError::MissingProofOfPossession)?;
        check_possession(state, call, key, &proof)?;
        if let Some(replaced) = staged
            .consensus_key
            .filter(|old| old != key && *old != validator.metadata.consensus_key)
        {
            state.remove(Unique::ConsensusKey(&replaced).key());
        }
        reserve(state, call.sender, Unique::ConsensusKey(key))?;
        staged.consensus_key = Some(*key);
    }
    if let Some(text) = &update.p2p_address {
        let current = &validator.metadata.p2p_address;
        if let Some(replaced) = staged
            .p2p_address
            .as_ref()
            .filter(|old| *old != text && *old != current)
        {
            state.remove(Unique::PeerAddress(replaced).key());
        }
        reserve(state, call.sender, Unique::PeerAddress(text))?;
        staged.p2p_address = Some(text.clone());
    }
    staged.name = update.name.clone().or(staged.name.take());
    staged.rpc_address = update.rpc_address.clone().or(staged.rpc_address.take());
    staged.proxy_address = update.proxy_address.clone().or(staged.proxy_address.take());
    state.save_validator(&validator);
    Ok(())
}

/// Changes the commission from the next epoch on.
pub(crate) fn set_commission(state: &mut State<'_>, call: Call, bps: u16) -> Step<()> {
    let mut validator = acting_validator(state, call)?;
    validator.next_commission = commission(bps)?;
    state.save_validator(&validator);
    Ok(())
}

/// Announces the newest protocol version that the validator can run.
pub(crate) fn announce_version(state: &mut State<'_>, call: Call, version: u64) -> Step<()> {
    let mut validator = acting_validator(state, call)?;
    if !validator.status.is_member() {
        return Err(ExecutionError::NotAValidator.into());
    }
    if version <= validator.announced_version {
        return Err(ExecutionError::ProtocolVersionNotNewer { version }.into());
    }
    validator.announced_version = version;
    state.save_validator(&validator);
    Ok(())
}
