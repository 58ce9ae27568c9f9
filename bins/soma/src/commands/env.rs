//! `soma env`.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::arguments::either;
use crate::config::Env as Environment;
use crate::context::{Context, client_of};
use crate::error::CliError;
use crate::output::{Fields, Output, table_or};

/// Manage environments: the networks that this client knows
#[derive(Clone, Debug, Args)]
pub struct Env {
    /// What to do.
    #[command(subcommand)]
    pub command: EnvCommand,
}

either!(
    /// Name of the environment. Also `--alias`
    EnvName, String, "NAME", "alias", required
);

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum EnvCommand {
    /// Show the active environment
    Active,
    /// List the environments
    List,
    /// Show the chain id of the active environment
    ChainId,
    /// Add an environment, or replace one; the node is asked for its chain id
    New {
        /// Which.
        #[command(flatten)]
        name: EnvName,
        /// URL of the node
        #[arg(long, value_name = "URL")]
        rpc: String,
        /// URL of the faucet
        #[arg(long, value_name = "URL")]
        faucet: Option<String>,
        /// URL of the scoring service
        #[arg(long, value_name = "URL")]
        scorer: Option<String>,
        /// URL of a blob server to upload to
        #[arg(long, value_name = "URL")]
        blobs: Option<String>,
        /// URL of the admin routes
        #[arg(long, value_name = "URL")]
        admin: Option<String>,
        /// Do not connect to the node
        #[arg(long)]
        offline: bool,
    },
    /// Make an environment the active one
    Switch {
        /// Which.
        #[command(flatten)]
        name: EnvName,
    },
    /// Forget an environment
    Remove {
        /// Which.
        #[command(flatten)]
        name: EnvName,
    },
}

impl Env {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        match self.command {
            EnvCommand::Active => active(context),
            EnvCommand::List => list(context),
            EnvCommand::ChainId => {
                let chain_id = context.client()?.chain_id().await?;
                Ok(Output::new(
                    &json!({ "chain_id": chain_id }),
                    chain_id.to_string(),
                ))
            }
            EnvCommand::New {
                name,
                rpc,
                faucet,
                scorer,
                blobs,
                admin,
                offline,
            } => {
                let env = Environment {
                    name: name.value()?,
                    rpc,
                    faucet,
                    scorer,
                    blobs,
                    admin,
                    chain_id: None,
                };
                new(context, env, offline).await
            }
            EnvCommand::Switch { name } => switch(context, name.value()?),
            EnvCommand::Remove { name } => remove(context, &name.value()?),
        }
    }
}

fn active(context: &Context) -> Result<Output, CliError> {
    let active = context.config()?.active_env;
    let text = active.clone().unwrap_or_else(|| "none".to_owned());
    Ok(Output::new(&json!({ "active_env": active }), text))
}

fn list(context: &Context) -> Result<Output, CliError> {
    let config = context.config()?;
    let rows: Vec<_> = config
        .envs
        .iter()
        .map(|env| {
            let is_active = config.active_env.as_ref() == Some(&env.name);
            let mark = if is_active { "*" } else { "" };
            let or_none = |url: &Option<String>| url.clone().unwrap_or_else(|| "-".to_owned());
            [
                mark.to_owned(),
                env.name.clone(),
                env.rpc.clone(),
                or_none(&env.faucet),
                or_none(&env.scorer),
                or_none(&env.blobs),
                or_none(&env.admin),
            ]
        })
        .collect();
    let head = ["", "NAME", "RPC", "FAUCET", "SCORER", "BLOBS", "ADMIN"];
    let text = table_or(head, &rows, "No environments.");
    let json = json!({ "active_env": config.active_env, "envs": config.envs });
    Ok(Output::new(&json, text))
}

async fn new(context: &Context, mut env: Environment, offline: bool) -> Result<Output, CliError> {
    if env.name.trim().is_empty() {
        return Err(CliError::Usage("the name is empty".to_owned()));
    }
    // The URLs are checked even when nothing is asked.
    let client = client_of(&env)?;
    if !offline {
        env.chain_id = Some(client.chain_id().await?);
    }
    context.change_config(|config| {
        config.put_env(env.clone());
        config.active_env.get_or_insert_with(|| env.name.clone());
        Ok(())
    })?;
    let fields = Fields::new()
        .with("Environment", &env.name)
        .with("RPC", &env.rpc)
        .maybe("Chain", env.chain_id);
    Ok(Output::new(&env, fields.text()))
}

fn switch(context: &Context, name: String) -> Result<Output, CliError> {
    context.change_config(|config| {
        config.env(&name)?;
        config.active_env = Some(name.clone());
        Ok(())
    })?;
    let text = format!("Active environment: {name}");
    Ok(Output::new(&json!({ "active_env": name }), text))
}

fn remove(context: &Context, name: &str) -> Result<Output, CliError> {
    context.change_config(|config| {
        config.env(name)?;
        config.envs.retain(|env| env.name != name);
        if config.active_env.as_deref() == Some(name) {
            config.active_env = None;
        }
        Ok(())
    })?;
    let text = format!("Removed environment: {name}");
    Ok(Output::new(&json!({ "removed": name }), text))
}
