//! `soma wallet`.

use std::io::{IsTerminal as _, Read};

use clap::{Args, Subcommand};
use serde_json::json;
use soma_crypto::SecretKey;
use soma_crypto::keystore::{Alias, KeyIdentity, Protection};
use soma_crypto::mnemonic::{DEFAULT_PATH, KeyPath, Mnemonic, WordCount};
use soma_crypto::password::{Password, read_unseen};
use zeroize::Zeroizing;

use crate::arguments::{OptionalAddress, RequiredAddress};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, table_or};
use crate::wallet::{Wallet as Keys, WalletEntry};

/// Manage keys
#[derive(Clone, Debug, Args)]
pub struct Wallet {
    /// What to do.
    #[command(subcommand)]
    pub command: WalletCommand,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum WalletCommand {
    /// Show the active address
    Active,
    /// List the keys
    List {
        /// Sort by alias
        #[arg(long, short)]
        sort_by_alias: bool,
    },
    /// Make a key and show its recovery phrase
    New {
        /// Name of the key; default `key-N`
        #[arg(long)]
        alias: Option<Alias>,
        /// Only secp256k1 exists
        #[arg(long, value_name = "SCHEME", default_value = "secp256k1", value_parser = ["secp256k1"])]
        key_scheme: String,
        /// Words of the recovery phrase: 12, 15, 18, 21 or 24, also written `word12`
        #[arg(long, value_name = "COUNT", default_value = "word12", value_parser = parse_words)]
        word_length: WordCount,
        /// Derivation path
        #[arg(long, value_name = "PATH", default_value = DEFAULT_PATH)]
        derivation_path: KeyPath,
        /// When there is no wallet yet: make it without a password
        #[arg(long)]
        unencrypted: bool,
    },
    /// Import a secret key in hex, or a recovery phrase
    Import {
        /// The secret; `-` reads it from standard input, which keeps it out of the shell's history
        #[arg(value_name = "SECRET")]
        secret: String,
        /// Name of the key; default `key-N`
        #[arg(long)]
        alias: Option<Alias>,
        /// Derivation path of a recovery phrase
        #[arg(long, value_name = "PATH", default_value = DEFAULT_PATH)]
        derivation_path: KeyPath,
        /// When there is no wallet yet: make it without a password
        #[arg(long)]
        unencrypted: bool,
    },
    /// Print a secret key in hex
    Export {
        /// Which; default the active one.
        #[command(flatten)]
        address: OptionalAddress,
    },
    /// Make a key the active one
    Switch {
        /// Which.
        #[command(flatten)]
        address: RequiredAddress,
    },
    /// Remove a key for good
    Remove {
        /// Which.
        #[command(flatten)]
        address: RequiredAddress,
    },
    /// Give a key another alias
    Rename {
        /// Address or alias
        #[arg(value_name = "ADDRESS")]
        address: KeyIdentity,
        /// The new alias
        #[arg(value_name = "ALIAS")]
        alias: Alias,
    },
}

fn parse_words(text: &str) -> Result<WordCount, String> {
    let digits = text.strip_prefix("word").unwrap_or(text);
    let count: usize = digits
        .parse()
        .map_err(|_| format!("`{text}` is no number of words"))?;
    WordCount::try_from(count).map_err(|error| error.to_string())
}

impl Wallet {
    pub(super) fn run(self, context: &Context) -> Result<Output, CliError> {
        let keys = context.wallet()?;
        match self.command {
            WalletCommand::Active => active(context),
            WalletCommand::List { sort_by_alias } => list(context, &keys, sort_by_alias),
            WalletCommand::New {
                alias,
                word_length,
                derivation_path,
                unencrypted,
                ..
            } => {
                let phrase = Mnemonic::generate(word_length);
                let key = phrase.derive(&derivation_path, "")?;
                let entry = add(context, keys, &key, alias, unencrypted)?;
                Ok(made(&entry, &phrase))
            }
            WalletCommand::Import {
                secret,
                alias,
                derivation_path,
                unencrypted,
            } => {
                let key = read_secret(&Zeroizing::new(secret), &derivation_path)?;
                let entry = add(context, keys, &key, alias, unencrypted)?;
                Ok(Output::new(&entry, fields(&entry).text()))
            }
            WalletCommand::Export { address } => export(context, &keys, address),
            WalletCommand::Switch { address } => {
                let entry = keys.find(&address.value()?)?;
                context.change_config(|config| {
                    config.active_address = Some(entry.address);
                    Ok(())
                })?;
                let text = format!("Active address: {}", entry.address);
                Ok(Output::new(&entry, text))
            }
            WalletCommand::Remove { address } => remove(context, keys, &address.value()?),
            WalletCommand::Rename { address, alias } => {
                let mut keys = keys;
                let entry = keys.rename(&address, alias)?;
                Ok(Output::new(&entry, fields(&entry).text()))
            }
        }
    }
}

fn fields(entry: &WalletEntry) -> Fields {
    Fields::new()
        .with("Alias", &entry.alias)
        .with("Address", entry.address)
}

fn active(context: &Context) -> Result<Output, CliError> {
    let address = context.address(None)?;
    Ok(Output::new(
        &json!({ "address": address }),
        address.to_string(),
    ))
}

fn list(context: &Context, keys: &Keys, sort: bool) -> Result<Output, CliError> {
    let active = context.config()?.active_address;
    let mut entries = keys.entries();
    if sort {
        entries.sort_by(|a, b| a.alias.cmp(&b.alias));
    }
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let mark = if active == Some(entry.address) {
                "*"
            } else {
                ""
            };
            let protection = if entry.encrypted { "password" } else { "none" };
            [
                mark.to_owned(),
                entry.alias.to_string(),
                entry.address.to_string(),
                protection.to_owned(),
            ]
        })
        .collect();
    let head = ["", "ALIAS", "ADDRESS", "PROTECTION"];
    let text = table_or(head, &rows, "No keys; make one with `soma wallet new`.");
    let json = json!({ "active_address": active, "keys": entries });
    Ok(Output::new(&json, text))
}

fn made(entry: &WalletEntry, phrase: &Mnemonic) -> Output {
    let words = phrase.phrase();
    let mut json = serde_json::to_value(entry).unwrap_or_default();
    json["recovery_phrase"] = words.as_str().into();
    let text = fields(entry)
        .with("Key scheme", entry.key_scheme)
        .with("Recovery phrase", words.as_str())
        .with("Note", "write the phrase down; it is not shown again")
        .text();
    Output { text, json }
}

/// Adds a key, makes the wallet before where there is none, and the key active where none is.
fn add(
    context: &Context,
    mut keys: Keys,
    key: &SecretKey,
    alias: Option<Alias>,
    unencrypted: bool,
) -> Result<WalletEntry, CliError> {
    let password = wallet_password(context, &mut keys, unencrypted)?;
    let entry = keys.import(key, alias, password.as_ref())?;
    context.change_config(|config| {
        config.active_address.get_or_insert(entry.address);
        Ok(())
    })?;
    Ok(entry)
}

/// The password to add a key with; none for a wallet without.
fn wallet_password(
    context: &Context,
    keys: &mut Keys,
    unencrypted: bool,
) -> Result<Option<Password>, CliError> {
    match keys.is_encrypted() {
        Some(true) if unencrypted => {
            let text = "`--unencrypted` is for a new wallet; this one has a password";
            Err(CliError::Usage(text.to_owned()))
        }
        Some(true) => Ok(Some(context.password(keys)?)),
        Some(false) => Ok(None),
        None if unencrypted => {
            keys.create(&Protection::Plaintext)?;
            Ok(None)
        }
        None => {
            let password = context.password_source(keys)?.read_new()?;
            keys.create(&Protection::Password(password.clone()))?;
            Ok(Some(password))
        }
    }
}

/// Reads a secret key in hex or a recovery phrase. One that is typed is not shown.
fn read_secret(text: &str, path: &KeyPath) -> Result<SecretKey, CliError> {
    let mut from_stdin = Zeroizing::new(String::new());
    let text = match text {
        "-" if std::io::stdin().is_terminal() => {
            let typed = read_unseen("Secret key or recovery phrase: ");
            from_stdin = typed.map_err(CliError::file("the terminal"))?;
            from_stdin.trim()
        }
        "-" => {
            // A phrase has at most 24 words; what is longer is no secret key.
            let read = std::io::stdin().take(4_096).read_to_string(&mut from_stdin);
            read.map_err(CliError::file("standard input"))?;
            from_stdin.trim()
        }
        text => text.trim(),
    };
    match text.contains(char::is_whitespace) {
        true => Ok(Mnemonic::parse(text)?.derive(path, "")?),
        false => Ok(SecretKey::from_hex(text)?),
    }
}

fn export(context: &Context, keys: &Keys, address: OptionalAddress) -> Result<Output, CliError> {
    let who = match address.value() {
        Some(who) => who,
        None => context.address(None)?.into(),
    };
    let key = keys.unlock(&who, || context.password(keys))?;
    let entry = keys.find(&who)?;
    let secret = key.to_hex();
    let mut json = serde_json::to_value(&entry).unwrap_or_default();
    json["secret_key"] = secret.as_str().into();
    let text = fields(&entry)
        .with("Key scheme", entry.key_scheme)
        .with("Secret key", secret.as_str())
        .text();
    Ok(Output { text, json })
}

fn remove(context: &Context, mut keys: Keys, who: &KeyIdentity) -> Result<Output, CliError> {
    let entry = keys.find(who)?;
    context.confirm(&format!(
        "Remove {} ({})? Without a copy of the key its money is lost.",
        entry.alias, entry.address
    ))?;
    keys.remove(&entry.address.into())?;
    context.change_config(|config| {
        if config.active_address == Some(entry.address) {
            config.active_address = None;
        }
        Ok(())
    })?;
    let text = format!("Removed: {} {}", entry.alias, entry.address);
    Ok(Output::new(&entry, text))
}
