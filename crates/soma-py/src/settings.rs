//! The command line's settings: which networks this user knows.

use std::collections::HashMap;
use std::path::PathBuf;

use pyo3::prelude::*;
use serde::Deserialize;
use soma_crypto::key_file;

use crate::errors::Failure;

/// What is read of `client.toml`; the rest is the command line's own.
#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(default)]
    envs: Vec<Env>,
}

#[derive(Debug, Deserialize)]
struct Env {
    name: String,
    rpc: String,
    faucet: Option<String>,
    scorer: Option<String>,
    admin: Option<String>,
}

/// The settings file: in the folder that `SOMA_CONFIG_DIR` names, or in `~/.soma`.
fn file() -> Option<PathBuf> {
    let folder = std::env::var_os("SOMA_CONFIG_DIR").filter(|folder| !folder.is_empty());
    let folder = folder.map(PathBuf::from);
    let folder = folder.or_else(|| std::env::home_dir().map(|home| home.join(".soma")));
    folder.map(|folder| folder.join("client.toml"))
}

/// The URLs of the environment called `name`, by the client's argument; none when there are no
/// settings, or no such environment in them.
#[pyfunction]
pub(crate) fn network_settings(
    py: Python<'_>,
    name: &str,
) -> PyResult<Option<HashMap<&'static str, Option<String>>>> {
    let Some(file) = file() else { return Ok(None) };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file(&file, error).raise(py)),
    };
    let settings: Settings = toml::from_str(&text).map_err(|error| {
        let fault = key_file::fault(&text, error.span(), error.message());
        Failure::file(&file, format!("not client settings: {fault}")).raise(py)
    })?;
    let found = settings.envs.into_iter().find(|env| env.name == name);
    Ok(found.map(|env| {
        HashMap::from([
            ("rpc_url", Some(env.rpc)),
            ("faucet_url", env.faucet),
            ("scoring_url", env.scorer),
            ("admin_url", env.admin),
        ])
    }))
}
