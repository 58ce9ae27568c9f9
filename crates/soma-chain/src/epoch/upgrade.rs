//! Protocol upgrades: by the announcements of the committee.

use std::sync::Arc;

use soma_types::Parameters;
use soma_types::validator::upgrade_power;

use crate::error::BlockError;
use crate::rules::Rules;
use crate::state::State;

/// The version of the next epoch, when enough power announced a newer one: a quorum and a part of
/// the rest. Several versions may be taken at once.
pub(crate) fn next_version(
    state: &State<'_>,
    rules: &Rules,
) -> Result<Option<(u64, Arc<Parameters>)>, BlockError> {
    let needed = upgrade_power(state.parameters.upgrade_buffer_bps);
    let mut announced = Vec::new();
    for member in &state.committee(state.epoch())?.members {
        let version = state
            .validator(&member.address)?
            .map_or(0, |v| v.announced_version);
        announced.push((version, member.voting_power));
    }
    let power_for = |version: u64| -> u64 {
        announced
            .iter()
            .filter(|(newest, _)| *newest >= version)
            .map(|(_, power)| power)
            .sum()
    };
    let current = state.system.protocol_version;
    let mut version = current;
    while version < u64::MAX && power_for(version + 1) >= needed {
        version += 1;
        // A build that does not know the version stops below and asks for a newer one.
        if version > rules.table.newest_version() {
            break;
        }
    }
    if version == current {
        return Ok(None);
    }
    let parameters = rules.table.at(version).map_err(BlockError::Upgrade)?;
    Ok(Some((version, Arc::new(parameters))))
}
