//! Votes for protocol versions.

use clap::Args;
use serde::Serialize;
use soma_sdk::Client;
use soma_sdk::types::validator::upgrade_power;
use soma_sdk::types::{Address, ParameterOverrides, ParameterTable, TransactionKind};

use super::show;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, table_or};
use crate::transaction::{TransactionOptions, process};

/// Vote for a protocol version: say that your node can run it
#[derive(Clone, Debug, Args)]
pub struct AnnounceVersion {
    /// The version
    #[arg(id = "protocol_version", value_name = "VERSION", value_parser = clap::value_parser!(u64).range(1..))]
    pub version: u64,
    /// Also one that this program does not know: a node without it stops when it takes effect
    #[arg(long)]
    pub force: bool,
    /// Options of the transaction.
    #[command(flatten)]
    pub options: TransactionOptions,
}

impl AnnounceVersion {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let (version, newest) = (self.version, newest_known());
        if version > newest && !self.force {
            return Err(CliError::Usage(format!(
                "this program knows protocol versions up to {newest}, not {version}; install a \
                 newer one first, on your node too. `--force` announces it all the same: a node \
                 that does not know the version stops when it takes effect"
            )));
        }
        let kind = TransactionKind::AnnounceProtocolVersion { version };
        process(context, &self.options, kind).await
    }
}

/// The newest protocol version that this program knows.
fn newest_known() -> u64 {
    let table = ParameterTable::new(ParameterOverrides::new());
    // Without overrides nothing is refused.
    table.map_or(1, |table| table.newest_version())
}

#[derive(Serialize)]
struct Versions {
    protocol_version: u64,
    newest_known: u64,
    needed_power: u64,
    next: Vec<Support>,
    validators: Vec<Announcement>,
}

#[derive(Serialize)]
struct Support {
    version: u64,
    power: u64,
    takes_effect: bool,
}

#[derive(Serialize)]
struct Announcement {
    address: Address,
    name: String,
    voting_power: u64,
    announced_version: u64,
}

/// Shows which versions were announced, and which of them takes effect with the next epoch.
pub(super) async fn show(client: &Client) -> Result<Output, CliError> {
    let protocol_version = client.status().await?.protocol_version;
    let buffer = client.parameters().await?.upgrade_buffer_bps;
    let validators = show::all(client).await?.into_iter();
    let members = validators.filter(|validator| validator.voting_power > 0);
    let validators: Vec<Announcement> = members
        .map(|validator| Announcement {
            address: validator.address,
            name: validator.metadata.name,
            voting_power: validator.voting_power,
            announced_version: validator.announced_version,
        })
        .collect();
    let needed_power = upgrade_power(buffer);
    let versions = Versions {
        protocol_version,
        newest_known: newest_known(),
        needed_power,
        next: support(&validators, protocol_version, needed_power),
        validators,
    };
    Ok(Output::new(&versions, text(&versions)))
}

/// The power behind each announced version above `current`. Who runs a version can run those
/// before it.
fn support(validators: &[Announcement], current: u64, needed: u64) -> Vec<Support> {
    let announced = validators.iter().map(|one| one.announced_version);
    let mut versions: Vec<u64> = announced.filter(|version| *version > current).collect();
    versions.sort_unstable();
    versions.dedup();
    let power = |version| {
        let behind = validators.iter();
        let behind = behind.filter(|one| one.announced_version >= version);
        behind.map(|one| one.voting_power).sum()
    };
    let support = |version| {
        let power: u64 = power(version);
        Support {
            version,
            power,
            takes_effect: power >= needed,
        }
    };
    versions.into_iter().map(support).collect()
}

fn text(versions: &Versions) -> String {
    let mut fields = Fields::new()
        .with("Protocol version", versions.protocol_version)
        .with("Newest known here", versions.newest_known)
        .with(
            "Needed power",
            format!("{} of 10000", versions.needed_power),
        );
    if versions.next.is_empty() {
        fields = fields.with("Next version", "none is announced");
    }
    for next in &versions.next {
        let effect = match next.takes_effect {
            true => ": takes effect with the next epoch",
            false => "",
        };
        let value = format!("{} of 10000{effect}", next.power);
        fields = fields.with(&format!("Power for {}", next.version), value);
    }
    let rows = versions.validators.iter().map(|one| {
        [
            one.address.to_string(),
            one.voting_power.to_string(),
            one.announced_version.to_string(),
            one.name.clone(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let head = ["ADDRESS", "POWER", "ANNOUNCED", "NAME"];
    fields.text() + &table_or(head, &rows, "No validators.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_a_version_supports_those_before_it() {
        let one = |n: u8, voting_power, announced_version| Announcement {
            address: Address([n; 32]),
            name: String::new(),
            voting_power,
            announced_version,
        };
        let validators = [one(1, 4_000, 3), one(2, 4_400, 2), one(3, 1_600, 1)];
        let next = support(&validators, 1, upgrade_power(5_000));
        let found: Vec<_> = next
            .iter()
            .map(|s| (s.version, s.power, s.takes_effect))
            .collect();
        assert_eq!(found, [(2, 8_400, true), (3, 4_000, false)]);
        assert!(support(&validators, 3, 8_334).is_empty());
    }
}
