//! Settings files of nodes that commands write.

use std::path::Path;

use soma_node::NodeConfig;

use crate::error::CliError;

const HEAD: &str = "\
# Settings of a SOMA node. What is not named here has its default; every option is explained by
# `soma start validator --print-config`.

";

/// More connections from one address than nodes elsewhere should allow.
const CONNECTIONS: usize = 256;

/// Writes the settings that differ from the defaults, in the place of an older file.
pub(super) fn write(path: &Path, config: &NodeConfig) -> Result<(), CliError> {
    let text = config.differing_toml().map_err(|error| CliError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    std::fs::write(path, format!("{HEAD}{text}")).map_err(CliError::file(path))
}

/// The same, where there is no file yet; says whether there was none.
pub(super) fn write_new(path: &Path, config: &NodeConfig) -> Result<bool, CliError> {
    if path.exists() {
        return Ok(false);
    }
    write(path, config)?;
    Ok(true)
}

/// What nodes need that are all on one machine.
pub(super) fn only_this_machine(config: &mut NodeConfig) {
    config.consensus.max_connections_per_ip = CONNECTIONS;
    config.blobs.local = true;
}
