//! `soma network`.

use clap::Args;
use serde_json::json;
use soma_sdk::api::SupplyView;
use soma_sdk::pages::collect;

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Show the network: chain, validators, parameters, supply
#[derive(Clone, Debug, Args)]
pub struct Network {
    /// Also list the addresses and names of this wallet's keys
    #[arg(long, short)]
    pub dump_addresses: bool,
    /// Also list the protocol parameters
    #[arg(long)]
    pub parameters: bool,
}

impl Network {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let client = context.client()?;
        let chain = client.chain_info().await?;
        let system = client.system().await?;
        let supply = client.supply().await?;
        let parameters = client.parameters_view().await?;
        let validators = collect(None, async |page| client.validators(&page).await).await?;
        let members = validators
            .iter()
            .filter(|validator| validator.voting_power > 0);
        let members = members.count();
        let mut json = json!({
            "chain": chain,
            "system": system,
            "supply": supply,
            "validators": validators,
            "parameters": parameters.parameters,
        });
        let mut fields = Fields::new()
            .with("Chain", format!("{} {}", chain.chain, chain.chain_id))
            .with("Protocol version", chain.protocol_version)
            .with("Epoch", system.epoch)
            .with("Validators", members)
            .with("Reward per target", system.reward_per_target)
            .with(
                "Distance threshold",
                format!("{:.6}", system.difficulty.distance_threshold),
            );
        fields = of_supply(fields, &supply);
        if self.parameters {
            for (name, value) in &parameters.parameters {
                fields = fields.with(name, value);
            }
        }
        if self.dump_addresses {
            let entries = context.wallet()?.entries();
            for entry in &entries {
                fields = fields.with(entry.alias.as_str(), entry.address);
            }
            json["addresses"] = serde_json::to_value(entries).unwrap_or_default();
        }
        Ok(Output::new(&json, fields.text()))
    }
}

fn of_supply(fields: Fields, supply: &SupplyView) -> Fields {
    fields
        .with("Circulating", supply.circulating)
        .with("Staked", supply.staked)
        .with("Stake to start", supply.stake_pending)
        .with("Unbonding", supply.unbonding)
        .with("Submission bonds", supply.submission_bonds)
        .with("Challenge bonds", supply.challenge_bonds)
        .with("Target rewards", supply.target_rewards)
        .with("Target pot", supply.target_pot)
        .with("Validator pot", supply.validator_pot)
        .with("Emission pool", supply.emission_pool)
        .with("Burned", supply.burned)
        .with(
            "Supply",
            format!(
                "{} ({})",
                supply.total,
                if supply.ok { "ok" } else { "broken" }
            ),
        )
}
