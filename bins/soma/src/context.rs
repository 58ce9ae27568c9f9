//! What commands work with: settings, wallet, client.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use soma_crypto::SecretKey;
use soma_crypto::keystore::KeyIdentity;
use soma_crypto::password::{Password, PasswordSource};
use soma_sdk::Client;
use soma_sdk::types::Address;

use crate::arguments::GlobalOptions;
use crate::config::{ClientConfig, ConfigDir, Env};
use crate::error::CliError;
use crate::wallet::Wallet;

/// The variable that may hold the wallet's password.
const PASSWORD_VARIABLE: &str = "SOMA_PASSWORD";

/// What commands work with.
#[derive(Clone, Debug)]
pub struct Context {
    /// Options of all commands.
    pub options: GlobalOptions,
    /// Where settings and keys are.
    pub dir: ConfigDir,
}

impl Context {
    /// A context. Touches no file yet.
    ///
    /// # Errors
    /// No home folder.
    pub fn new(options: GlobalOptions) -> Result<Self, CliError> {
        let dir = ConfigDir::find(options.client_config.as_deref())?;
        Ok(Self { options, dir })
    }

    /// The settings; made, and said so, at the first use.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn config(&self) -> Result<ClientConfig, CliError> {
        let (config, is_new) = self.dir.load()?;
        if is_new {
            self.say(&format!(
                "Created {} with the environment `localnet` (http://127.0.0.1:9000).",
                self.dir.file().display()
            ));
        }
        Ok(config)
    }

    /// Reads the settings, changes them, and writes them.
    ///
    /// # Errors
    /// A file that cannot be used, or why the change was refused.
    pub fn change_config<T>(
        &self,
        change: impl FnOnce(&mut ClientConfig) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let mut config = self.config()?;
        let result = change(&mut config)?;
        self.dir.save(&config)?;
        Ok(result)
    }

    /// Says something that is no result. Scripts that read JSON are not told.
    pub fn say(&self, text: &str) {
        if !self.options.json {
            eprintln!("{text}");
        }
    }

    /// The wallet.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn wallet(&self) -> Result<Wallet, CliError> {
        Wallet::open(self.dir.dir())
    }

    /// The environment that this command uses.
    ///
    /// # Errors
    /// No such environment, or none is active and no node is named.
    pub fn env(&self) -> Result<Env, CliError> {
        let config = self.config()?;
        let name = self.options.env.as_ref().or(config.active_env.as_ref());
        let mut env = match name {
            Some(name) => config.env(name)?.clone(),
            None if self.options.rpc_url.is_some() => Env::localnet(),
            None => return Err(CliError::NoActiveEnv),
        };
        if let Some(url) = &self.options.rpc_url {
            env.rpc.clone_from(url);
            env.chain_id = None;
        }
        Ok(env)
    }

    /// A client of that environment.
    ///
    /// # Errors
    /// No such environment, or a bad URL.
    pub fn client(&self) -> Result<Client, CliError> {
        client_of(&self.env()?)
    }

    /// The account that acts: `who`, or the active one.
    ///
    /// # Errors
    /// [`CliError::NoActiveAddress`], or an unknown alias.
    pub fn address(&self, who: Option<&KeyIdentity>) -> Result<Address, CliError> {
        match who {
            Some(who) => self.wallet()?.address(who),
            None => self
                .config()?
                .active_address
                .ok_or(CliError::NoActiveAddress),
        }
    }

    /// The secret key of an account of the wallet.
    ///
    /// # Errors
    /// No such key, no password or a wrong one.
    pub fn secret_key(&self, address: Address) -> Result<SecretKey, CliError> {
        let wallet = self.wallet()?;
        wallet.unlock(&address.into(), || self.password(&wallet))
    }

    /// The password of the wallet.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn password(&self, wallet: &Wallet) -> Result<Password, CliError> {
        Ok(self.password_source(wallet)?.read()?)
    }

    /// Where the wallet's password comes from.
    ///
    /// # Errors
    /// [`CliError::PasswordNeeded`] when it would have to be typed and nobody is there.
    pub fn password_source(&self, wallet: &Wallet) -> Result<PasswordSource, CliError> {
        if let Some(file) = &self.options.password_file {
            return Ok(PasswordSource::File(file.clone()));
        }
        if std::env::var_os(PASSWORD_VARIABLE).is_some() {
            return Ok(PasswordSource::Env(PASSWORD_VARIABLE.to_owned()));
        }
        match std::io::stdin().is_terminal() {
            true => Ok(PasswordSource::Prompt),
            false => Err(CliError::PasswordNeeded(wallet.path())),
        }
    }

    /// Asks before a file is written over.
    ///
    /// # Errors
    /// As [`confirm`](Self::confirm).
    pub fn confirm_output(&self, path: &Path) -> Result<(), CliError> {
        match path.exists() {
            true => self.confirm(&format!(
                "{} is there already. Write over it?",
                path.display()
            )),
            false => Ok(()),
        }
    }

    /// Asks before something that cannot be undone; not where `--yes` was given.
    ///
    /// # Errors
    /// The answer was no, or nobody is there to give one.
    pub fn confirm(&self, question: &str) -> Result<(), CliError> {
        if self.options.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(CliError::Usage(format!(
                "{question} Nobody is there to answer; say --yes to go on"
            )));
        }
        eprint!("{question} [y/N] ");
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.map_err(|error| CliError::Invalid(format!("no answer: {error}")))?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(CliError::Invalid(
                "cancelled; nothing was changed".to_owned(),
            )),
        }
    }
}

/// A client of an environment.
///
/// # Errors
/// A bad URL.
pub fn client_of(env: &Env) -> Result<Client, CliError> {
    let mut builder = Client::builder()
        .rpc_url(&env.rpc)
        .timeout(Duration::from_secs(30))
        .retries(2);
    if let Some(chain_id) = env.chain_id {
        builder = builder.chain_id(chain_id);
    }
    if let Some(url) = &env.faucet {
        builder = builder.faucet_url(url);
    }
    if let Some(url) = &env.scorer {
        builder = builder.scoring_url(url);
    }
    if let Some(url) = &env.admin {
        builder = builder.admin_url(url);
    }
    Ok(builder.build()?)
}
