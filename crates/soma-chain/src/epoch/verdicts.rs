//! Verdicts on submissions whose audit window ends with this epoch.

use std::collections::{BTreeMap, BTreeSet};

use soma_types::validator::QUORUM;
use soma_types::{
    Address, Challenge, Committee, EarningKind, Event, Fill, Shannons, SubmissionFault, TargetId,
    TargetStatus,
};

use crate::execute::claims::earned;
use crate::key::{Key, prefix};
use crate::state::{State, Step, read_entry};

/// Reports of one submission by reporter.
type Reports = BTreeMap<Address, SubmissionFault>;

/// Settles every reported or challenged submission filled one epoch before the current one.
///
/// A quorum that reports frauds proves one. A quorum of all reports, of which some say that the
/// winner's weights could not be had, makes the submission void: it says that nobody may be paid for
/// what cannot be judged, and not that the submitter is to blame.
pub(crate) fn settle(state: &mut State<'_>) -> Step<()> {
    let Some(filled) = state.epoch().minus(1) else {
        return Ok(());
    };
    let committee = state.committee(filled)?;

    let mut reports: BTreeMap<TargetId, Reports> = BTreeMap::new();
    for (key, value) in state.scan(&prefix::submission_reports(filled))? {
        if let Some((target, reporter)) = target_and_reporter(&key) {
            let reason = read_entry(&key, &value)?;
            reports.entry(target).or_default().insert(reporter, reason);
        }
        state.remove_bytes(key);
    }
    let mut challenges: BTreeMap<TargetId, Challenge> = BTreeMap::new();
    for (key, value) in state.scan(&prefix::challenges(filled))? {
        challenges.insert(TargetId(Key::last_id(&key)), read_entry(&key, &value)?);
        state.remove_bytes(key);
    }

    let none = Reports::new();
    let disputed: BTreeSet<TargetId> = reports.keys().chain(challenges.keys()).copied().collect();
    for target in disputed {
        let reports = reports.get(&target).unwrap_or(&none);
        let frauds = reports.iter().filter(|(_, reason)| reason.is_fraud());
        let accusers: BTreeSet<Address> = frauds.map(|(reporter, _)| *reporter).collect();
        let challenge = challenges.get(&target);
        if is_quorum(&committee, accusers.iter()) {
            slash_fraud(state, &target, &committee, &accusers, challenge)?;
        } else if is_quorum(&committee, reports.keys()) {
            make_void(state, &target, challenge)?;
        } else if let Some(challenge) = challenge {
            // Nobody gains from a challenge that fails, so nobody is paid to provoke one.
            state.refill_emission(challenge.bond)?;
            let kind = EarningKind::ChallengeBondLost;
            earned(
                state,
                challenge.challenger,
                kind,
                challenge.bond,
                Some(target),
            );
        }
    }
    Ok(())
}

fn is_quorum<'a>(committee: &Committee, members: impl Iterator<Item = &'a Address>) -> bool {
    let power: u64 = members.map(|member| committee.power(member)).sum();
    power >= QUORUM
}

fn target_and_reporter(key: &[u8]) -> Option<(TargetId, Address)> {
    let (target, reporter) = key.get(10..)?.split_at_checked(32)?;
    Some((
        TargetId(target.try_into().ok()?),
        Address(reporter.try_into().ok()?),
    ))
}

/// Shares the bond among challenger and those who reported a fraud; the reward goes back to the
/// budget.
fn slash_fraud(
    state: &mut State<'_>,
    id: &TargetId,
    committee: &Committee,
    reporters: &BTreeSet<Address>,
    challenge: Option<&Challenge>,
) -> Step<()> {
    let mut target = state.target(id)?;
    let TargetStatus::Filled(fill) = target.status else {
        return Ok(());
    };
    let Fill {
        submitter,
        bond,
        epoch: filled,
        ..
    } = *fill;

    let mut for_reporters = bond;
    if let Some(challenge) = challenge {
        let half = Shannons(bond.0 / 2);
        for_reporters = bond.saturating_sub(half);
        state.credit(&challenge.challenger, half)?;
        state.credit(&challenge.challenger, challenge.bond)?;
        earned(
            state,
            challenge.challenger,
            EarningKind::Challenge,
            half,
            Some(*id),
        );
        let kind = EarningKind::ChallengeBondReturned;
        earned(state, challenge.challenger, kind, challenge.bond, Some(*id));
    }
    for (reporter, part) in split_by_power(for_reporters, committee, reporters) {
        state.credit(&reporter, part)?;
        earned(state, reporter, EarningKind::FraudReport, part, Some(*id));
    }
    earned(state, submitter, EarningKind::BondSlashed, bond, Some(*id));
    state.refill_targets(target.reward)?;

    let epoch = state.epoch();
    state.remove(Key::FilledTarget(filled, *id));
    state.mark(Key::RetiredTarget(epoch, *id));
    target.status = TargetStatus::Fraud { fill, epoch };
    state.save_target(&target);
    state.events.push(Event::FraudProven {
        target: *id,
        submitter,
        bond,
    });
    Ok(())
}

/// Gives everybody back what they put up: the reward to the budget, the bonds to submitter and
/// challenger. Nobody is paid or slashed, so nobody gains by keeping weights away.
fn make_void(state: &mut State<'_>, id: &TargetId, challenge: Option<&Challenge>) -> Step<()> {
    let mut target = state.target(id)?;
    let TargetStatus::Filled(fill) = target.status else {
        return Ok(());
    };
    let Fill {
        submitter,
        bond,
        epoch: filled,
        ..
    } = *fill;

    state.credit(&submitter, bond)?;
    earned(state, submitter, EarningKind::BondReturned, bond, Some(*id));
    if let Some(challenge) = challenge {
        state.credit(&challenge.challenger, challenge.bond)?;
        let kind = EarningKind::ChallengeBondReturned;
        earned(state, challenge.challenger, kind, challenge.bond, Some(*id));
    }
    state.refill_targets(target.reward)?;

    let epoch = state.epoch();
    state.remove(Key::FilledTarget(filled, *id));
    state.mark(Key::RetiredTarget(epoch, *id));
    target.status = TargetStatus::Void { fill, epoch };
    state.save_target(&target);
    state.events.push(Event::SubmissionVoided {
        target: *id,
        submitter,
        bond,
    });
    Ok(())
}

/// Splits `amount` by voting power; the rounding dust goes to the first address.
fn split_by_power(
    amount: Shannons,
    committee: &Committee,
    reporters: &BTreeSet<Address>,
) -> Vec<(Address, Shannons)> {
    let powers: Vec<(Address, u64)> = reporters
        .iter()
        .map(|reporter| (*reporter, committee.power(reporter)))
        .filter(|(_, power)| *power > 0)
        .collect();
    let total: u64 = powers.iter().map(|(_, power)| power).sum();
    let mut parts: Vec<(Address, Shannons)> = powers
        .iter()
        .map(|(reporter, power)| (*reporter, amount.mul_div(*power, total).unwrap_or_default()))
        .collect();
    let paid = Shannons::sum(parts.iter().map(|(_, part)| *part)).unwrap_or(amount);
    if let Some((_, first)) = parts.first_mut() {
        *first = first.saturating_add(amount.saturating_sub(paid));
    }
    parts
}
