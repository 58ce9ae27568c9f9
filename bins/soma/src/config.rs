//! The client's settings on disk: environments, and what is active.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_crypto::key_file;
use soma_sdk::types::{Address, ChainId};

use crate::error::CliError;

/// The variable that names the folder of settings and keys.
pub const CONFIG_DIR_VARIABLE: &str = "SOMA_CONFIG_DIR";

/// Name of the environment for a network on this machine.
pub const LOCALNET: &str = "localnet";

/// A network as this client knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Env {
    /// Its name here.
    pub name: String,
    /// URL of a node.
    pub rpc: String,
    /// URL of its faucet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faucet: Option<String>,
    /// URL of a scoring service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<String>,
    /// URL of a blob server to upload to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blobs: Option<String>,
    /// URL of its admin routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
    /// Its chain, when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<ChainId>,
}

impl Env {
    /// True for the network on this machine, whose blobs have private addresses.
    pub fn is_local(&self) -> bool {
        self.name == LOCALNET
    }

    /// A network on this machine with the usual ports.
    pub fn localnet() -> Self {
        Self {
            name: LOCALNET.to_owned(),
            rpc: "http://127.0.0.1:9000".to_owned(),
            faucet: Some("http://127.0.0.1:9123".to_owned()),
            scorer: Some("http://127.0.0.1:9124".to_owned()),
            blobs: Some("http://127.0.0.1:9126".to_owned()),
            admin: Some("http://127.0.0.1:9125".to_owned()),
            chain_id: None,
        }
    }
}

/// The client's settings: `client.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// The environment that commands use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_env: Option<String>,
    /// The account that commands use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_address: Option<Address>,
    /// All environments.
    #[serde(default)]
    pub envs: Vec<Env>,
}

impl ClientConfig {
    fn first() -> Self {
        Self {
            active_env: Some(LOCALNET.to_owned()),
            active_address: None,
            envs: vec![Env::localnet()],
        }
    }

    /// The environment of this name.
    ///
    /// # Errors
    /// [`CliError::UnknownEnv`].
    pub fn env(&self, name: &str) -> Result<&Env, CliError> {
        let found = self.envs.iter().find(|env| env.name == name);
        found.ok_or_else(|| CliError::UnknownEnv(name.to_owned()))
    }

    /// Adds an environment, or replaces the one of the same name.
    pub fn put_env(&mut self, env: Env) {
        match self.envs.iter_mut().find(|known| known.name == env.name) {
            Some(known) => *known = env,
            None => self.envs.push(env),
        }
    }
}

/// Where settings and keys are.
#[derive(Clone, Debug)]
pub struct ConfigDir {
    dir: PathBuf,
    file: PathBuf,
}

impl ConfigDir {
    /// The folder that `SOMA_CONFIG_DIR` names, or `~/.soma`; `file` names another settings file,
    /// whose folder is then used.
    ///
    /// # Errors
    /// No home folder.
    pub fn find(file: Option<&Path>) -> Result<Self, CliError> {
        if let Some(file) = file {
            let dir = match file.parent() {
                Some(dir) if dir != Path::new("") => dir.to_owned(),
                _ => PathBuf::from("."),
            };
            return Ok(Self {
                dir,
                file: file.to_owned(),
            });
        }
        let dir = match std::env::var_os(CONFIG_DIR_VARIABLE).filter(|dir| !dir.is_empty()) {
            Some(dir) => PathBuf::from(dir),
            None => std::env::home_dir()
                .filter(|home| !home.as_os_str().is_empty())
                .map(|home| home.join(".soma"))
                .ok_or_else(|| {
                    let text = format!("no home folder; set {CONFIG_DIR_VARIABLE} to a folder");
                    CliError::Invalid(text)
                })?,
        };
        Ok(Self {
            file: dir.join("client.toml"),
            dir,
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The settings file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the settings; makes them at the first use, which the second value tells.
    ///
    /// # Errors
    /// A file that cannot be read or written, or is no settings file.
    pub fn load(&self) -> Result<(ClientConfig, bool), CliError> {
        match std::fs::read_to_string(&self.file) {
            Ok(text) => {
                let config = toml::from_str(&text).map_err(|error| {
                    let fault = key_file::fault(&text, error.span(), error.message());
                    CliError::File {
                        path: self.file.clone(),
                        reason: format!("not client settings: {fault}"),
                    }
                })?;
                Ok((config, false))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let config = ClientConfig::first();
                self.save(&config)?;
                Ok((config, true))
            }
            Err(error) => Err(CliError::file(&self.file)(error)),
        }
    }

    /// Writes the settings: all or nothing.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, config: &ClientConfig) -> Result<(), CliError> {
        let text = toml::to_string_pretty(config).map_err(|error| CliError::File {
            path: self.file.clone(),
            reason: error.to_string(),
        })?;
        let unfinished = self
            .file
            .with_extension(format!("{}.unfinished", std::process::id()));
        let write = || {
            std::fs::create_dir_all(&self.dir)?;
            let mut file = std::fs::File::create(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&unfinished, &self.file)
        };
        write().map_err(CliError::file(&self.file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, ConfigDir) {
        let folder = tempfile::tempdir().unwrap();
        let dir = ConfigDir::find(Some(&folder.path().join("client.toml"))).unwrap();
        (folder, dir)
    }

    #[test]
    fn the_first_use_makes_a_localnet_environment() {
        let (_folder, dir) = folder();
        let (config, is_new) = dir.load().unwrap();
        assert!(is_new);
        assert_eq!(config.env(LOCALNET).unwrap().rpc, "http://127.0.0.1:9000");
        assert_eq!(dir.load().unwrap(), (config, false));
    }

    #[test]
    fn a_file_that_is_no_settings_file_is_left_alone() {
        let (_folder, dir) = folder();
        std::fs::write(dir.file(), "active_env = 5").unwrap();
        let error = dir.load().unwrap_err().to_string();
        assert!(error.contains("not client settings: line 1: "), "{error}");
        assert_eq!(
            std::fs::read_to_string(dir.file()).unwrap(),
            "active_env = 5"
        );
    }
}
