//! `soma submit`: find data that hits targets, submit it, claim the rewards.

mod once;
mod run;
mod view;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use soma_blobs::{BlobError, BlobRef, FetchConfig, Fetcher};
use soma_crypto::keystore::KeyIdentity;
use soma_sdk::Account;
use soma_sdk::types::Shannons;
use soma_submitter::uploads::is_unopened;
use soma_submitter::{SubmitterConfig, Uploads};

use crate::commands::model::fetch_config;
use crate::context::{Context, client_of};
use crate::error::CliError;
use crate::output::Output;
use crate::storage::StorageOptions;

/// How long the answer to a look at `--url-prefix` is waited for.
const PREFIX_PATIENCE: Duration = Duration::from_secs(10);

/// Find data that hits targets, submit it, claim the rewards
#[derive(Clone, Debug, Args)]
pub struct Submit {
    /// What to do.
    #[command(subcommand)]
    pub command: SubmitCommand,
}

/// The commands of `soma submit`.
#[derive(Clone, Debug, Subcommand)]
pub enum SubmitCommand {
    /// Score, submit and claim over the epochs, until Ctrl-C
    Run(run::Run),
    /// Go through the data once, and submit what hits
    Once(once::Once),
}

impl Submit {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        match self.command {
            SubmitCommand::Run(command) => command.run(context).await,
            SubmitCommand::Once(command) => command.run(context).await,
        }
    }
}

/// What both commands take.
#[derive(Clone, Debug, Args)]
pub struct SubmitterArguments {
    /// Files that may hit targets, and folders of them; large files are cut at line ends
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    pub source: Vec<PathBuf>,
    /// Scorer to ask; default the environment's
    #[arg(long, value_name = "URL")]
    pub scorer: Option<String>,
    /// Folder that keeps submissions until they are paid; default one for the account and network in the settings folder
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// The largest submission in bytes; default the network's
    #[arg(long, value_name = "BYTES")]
    pub max_bytes: Option<u64>,
    /// The most SOMA in bonds at a time; default as much as there is
    #[arg(long, value_name = "SOMA")]
    pub max_bonds: Option<Shannons>,
    /// Decides the order of the data
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// The sources are served already: the URL of a file is this and its place below its source
    #[arg(long, value_name = "URL", conflicts_with_all = ["storage", "public_url_prefix", "max_bytes"])]
    pub url_prefix: Option<String>,
    /// Act as this account; default the active one
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<KeyIdentity>,
    /// Where data is put.
    #[command(flatten)]
    pub storage: StorageOptions,
}

impl SubmitterArguments {
    /// The account that submits, through a client that knows the scorer.
    fn account(&self, context: &Context) -> Result<Account, CliError> {
        let mut env = context.env()?;
        if let Some(url) = &self.scorer {
            env.scorer = Some(url.clone());
        }
        if env.scorer.is_none() {
            let text = "no scorer: say which with --scorer, or start one with `soma start scoring`";
            return Err(CliError::Usage(text.to_owned()));
        }
        let sender = context.address(self.sender.as_ref())?;
        Ok(client_of(&env)?.account(context.secret_key(sender)?))
    }

    async fn config(
        &self,
        context: &Context,
        account: &Account,
        dry_run: bool,
    ) -> Result<SubmitterConfig, CliError> {
        let uploads = match &self.url_prefix {
            Some(prefix) if dry_run => {
                Uploads::served(prefix, fetch_config(context, false)?, None)?
            }
            Some(prefix) => served(context, account, prefix).await?,
            None if dry_run => Uploads::Nowhere,
            None => Uploads::Store(self.storage.store(context)?),
        };
        let state = match &self.state {
            Some(folder) => folder.clone(),
            None => {
                let chain = account.client().chain_id().await?.to_string();
                let name = format!("{}-{}", short(&chain), account.address());
                context.dir.dir().join("submit").join(name)
            }
        };
        Ok(SubmitterConfig {
            max_bytes: self.max_bytes,
            max_bonds: self.max_bonds,
            seed: self.seed,
            ..SubmitterConfig::new(self.source.clone(), state, uploads)
        })
    }
}

/// The files that somebody serves under `prefix`. What is not opened from here, validators most
/// likely do not open either: before bonds are sent after it, whoever submits is asked.
async fn served(context: &Context, account: &Account, prefix: &str) -> Result<Uploads, CliError> {
    let fetch = fetch_config(context, false)?;
    let uploads = Uploads::served(prefix, fetch.clone(), None)?;
    account.client().check_reach(prefix)?;
    let Some(error) = refusal(prefix, fetch.clone()).await? else {
        return Ok(uploads);
    };
    context.confirm(&format!(
        "{error}. Validators take what they cannot open for fraud, and the bonds are lost. Submit \
         what is served under {prefix} all the same?"
    ))?;
    let warn: fn(&str) = match context.options.json {
        true => |_| {},
        false => |text| eprintln!("Warning: {text}"),
    };
    Ok(Uploads::served(prefix, fetch, Some(warn))?)
}

/// Why downloads after `fetch` do not open what lies under `prefix`; none where they do, whatever
/// they find there.
async fn refusal(prefix: &str, fetch: FetchConfig) -> Result<Option<BlobError>, CliError> {
    let fetcher = Fetcher::new(FetchConfig {
        tries: 1,
        base_time: PREFIX_PATIENCE,
        ..fetch
    })?;
    let anything = BlobRef {
        url: prefix.to_owned(),
        checksum: soma_crypto::checksum([]),
        size: 1,
    };
    let folder = tempfile::tempdir().map_err(CliError::file(&std::env::temp_dir()))?;
    let to = folder.path().join("blob");
    let error = fetcher.fetch(&anything, &to, &|_| {}).await.err();
    Ok(error.filter(is_unopened))
}

/// The first digits of an id: enough to tell a few apart.
fn short(id: &str) -> &str {
    id.get(..18).unwrap_or(id)
}
