//! The steps of the ceremony.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use soma_ceremony::{Ceremony, Listed, Standing, Summary, ValidatorInfo};
use soma_crypto::key_file;
use soma_sdk::types::{Address, Shannons};

use super::{Init, Install, view};
use crate::commands::validator::check_addresses;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, percent, table_or};

/// A step of the ceremony.
#[derive(Clone, Debug, Subcommand)]
pub enum Step {
    /// Begin a ceremony: name, time, parameters and accounts of a chain
    Init(Init),
    /// Fund an account; 0 removes it
    AddAccount {
        /// Whose
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// What it holds, in SOMA
        #[arg(value_name = "AMOUNT")]
        amount: Shannons,
    },
    /// List a validator by its `validator.info`
    AddValidator {
        /// What `soma validator make-info HOST --genesis CHAIN` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Its own stake, in SOMA
        #[arg(long, value_name = "AMOUNT", default_value = "20000")]
        stake: Shannons,
    },
    /// Show the listed validators, and who has signed
    ListValidators,
    /// List a model that is active from the start
    AddModel {
        /// In TOML: owner, stake, commission_bps, embedding, and [weights]
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show the listed models
    ListModels,
    /// Check all that is listed so far
    ValidateState,
    /// Build the genesis for the validators to sign
    #[command(alias = "build-unsigned-checkpoint")]
    Build,
    /// Show the built genesis
    #[command(alias = "examine-genesis-checkpoint")]
    Examine,
    /// Check that the built genesis is what the folder gives, and sign it
    #[command(alias = "verify-and-sign")]
    Sign {
        /// The validator's consensus key
        #[arg(
            long,
            alias = "consensus-key",
            value_name = "FILE",
            default_value = "consensus.key"
        )]
        key_file: PathBuf,
    },
    /// Check that every validator has signed, and write the genesis for the nodes
    Finalize,
    /// Give the final genesis, and the addresses of the others, to a node
    Install(Install),
}

impl Step {
    pub(super) fn run(self, context: &Context, folder: &Path) -> Result<Output, CliError> {
        let ceremony = || Ceremony::open(folder);
        match self {
            Self::Init(command) => command.run(folder),
            Self::AddAccount { address, amount } => {
                ceremony()?.fund(address, amount)?;
                let json = json!({ "address": address, "balance": amount });
                let text = format!("Account: {address} holds {amount}");
                Ok(Output::new(&json, text))
            }
            Self::AddValidator { file, stake } => {
                let ceremony = ceremony()?;
                check_addresses(&ValidatorInfo::read(&file)?.metadata)?;
                let listed = ceremony.add_validator(&file, stake)?;
                Ok(Output::new(&of(&listed), added(&listed)))
            }
            Self::ListValidators => list_validators(&ceremony()?),
            Self::AddModel { file } => {
                let model = ceremony()?.add_model(&file)?;
                let text = Fields::new()
                    .with("Model of", model.owner)
                    .with("Stake", model.stake.0)
                    .with("Weights", &model.weights.url);
                let json = json!({ "owner": model.owner, "stake": model.stake.0, "url": model.weights.url });
                Ok(Output::new(&json, text.text()))
            }
            Self::ListModels => list_models(&ceremony()?),
            Self::ValidateState => {
                let summary = ceremony()?.check()?;
                let mut output = view::summary(&summary);
                output.text.push_str("State: can start a chain\n");
                Ok(output)
            }
            Self::Build => {
                let ceremony = ceremony()?;
                let summary = ceremony.build()?;
                let mut output = view::summary(&summary);
                let path = ceremony.unsigned_path();
                output.json["path"] = path.display().to_string().into();
                output.text.push_str(&format!(
                    "Written: {}\nNext: each validator signs it with `soma genesis sign \
                     --key-file CONSENSUS_KEY`\n",
                    path.display()
                ));
                Ok(output)
            }
            Self::Examine => Ok(view::summary(&Summary::of(&ceremony()?.built()?)?)),
            Self::Sign { key_file } => sign(context, &ceremony()?, &key_file),
            Self::Finalize => finalize(&ceremony()?),
            Self::Install(command) => command.run(&ceremony()?),
        }
    }
}

fn of(listed: &Listed) -> Value {
    json!({
        "address": listed.info.address,
        "stake": listed.stake.0,
        "commission_bps": listed.info.commission_bps,
        "metadata": listed.info.metadata,
    })
}

fn added(listed: &Listed) -> String {
    let metadata = &listed.info.metadata;
    Fields::new()
        .with("Validator", listed.info.address)
        .with("Name", &metadata.name)
        .with("Stake", listed.stake.0)
        .with("Commission", percent(listed.info.commission_bps.get()))
        .with("P2P address", &metadata.p2p_address)
        .text()
}

fn list_validators(ceremony: &Ceremony) -> Result<Output, CliError> {
    let validators = ceremony.validators()?;
    // Before it is built there is nothing to sign.
    let standing = match ceremony.built() {
        Ok(genesis) => ceremony.standing(&genesis, &soma_ceremony::chain_id(&genesis))?,
        Err(_) => Vec::new(),
    };
    let signed = |address: &Address| {
        let found = standing.iter().find(|(who, _)| who == address);
        match found.map(|(_, standing)| standing) {
            None => "not built".to_owned(),
            Some(Standing::Signed) => "yes".to_owned(),
            Some(Standing::Unsigned) => "no".to_owned(),
            Some(Standing::Invalid(reason)) => format!("no: {reason}"),
        }
    };
    let rows: Vec<_> = validators
        .iter()
        .map(|listed| {
            let metadata = &listed.info.metadata;
            [
                listed.info.address.to_string(),
                listed.stake.0.to_string(),
                metadata.p2p_address.to_string(),
                signed(&listed.info.address),
                metadata.name.to_string(),
            ]
        })
        .collect();
    let head = ["ADDRESS", "STAKE", "P2P ADDRESS", "SIGNED", "NAME"];
    let text = table_or(head, &rows, "No validators.");
    let validators: Vec<Value> = validators
        .iter()
        .map(|listed| {
            let mut json = of(listed);
            json["signed"] = (signed(&listed.info.address) == "yes").into();
            json
        })
        .collect();
    Ok(Output::new(&json!({ "validators": validators }), text))
}

fn list_models(ceremony: &Ceremony) -> Result<Output, CliError> {
    let models = ceremony.models()?;
    let rows: Vec<_> = models
        .iter()
        .map(|model| {
            [
                model.owner.to_string(),
                model.stake.0.to_string(),
                model.weights.url.to_string(),
            ]
        })
        .collect();
    let text = table_or(["OWNER", "STAKE", "WEIGHTS"], &rows, "No models.");
    let models: Vec<Value> = models
        .iter()
        .map(|model| json!({ "owner": model.owner, "stake": model.stake.0, "weights": model.weights }))
        .collect();
    Ok(Output::new(&json!({ "models": models }), text))
}

fn sign(context: &Context, ceremony: &Ceremony, file: &Path) -> Result<Output, CliError> {
    let key = key_file::read(file)?;
    let summary = Summary::of(&ceremony.built()?)?;
    context.say(&view::summary(&summary).text);
    context.confirm(&format!("Sign this genesis, chain {}?", summary.chain_id))?;
    let approval = ceremony.sign(&key)?;
    let fields = Fields::new()
        .with("Signed as", approval.validator)
        .with("Chain", format!("{} {}", summary.chain, approval.chain_id));
    Ok(Output::new(&approval, fields.text()))
}

fn finalize(ceremony: &Ceremony) -> Result<Output, CliError> {
    let (summary, _) = ceremony.finalize()?;
    let mut output = view::summary(&summary);
    let (genesis, signatures) = (ceremony.genesis_path(), ceremony.signatures_path());
    output.json["path"] = genesis.display().to_string().into();
    output.json["signatures"] = signatures.display().to_string().into();
    output.text.push_str(&format!(
        "Signed: by all validators\nWritten: {}\nWritten: {}\nNext: on each node \
         `soma genesis install NODE_DIR`, then `soma start validator --config NODE_DIR/node.toml`\n",
        genesis.display(),
        signatures.display(),
    ));
    Ok(output)
}
