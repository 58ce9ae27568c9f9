//! Structured logs to standard error, as text or as one JSON object a line.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Form of the log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for log collectors.
    Json,
}

/// Settings of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What to log, as in `RUST_LOG`, which wins over it: `info`, `soma_node=debug`. Default
    /// `info`.
    pub filter: String,
    /// Form of the lines. Default text.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// A filter that cannot be read.
#[derive(Debug, Error)]
#[error("log filter `{filter}`: {reason}; write levels such as `info` or `soma_node=debug`")]
pub struct InvalidFilter {
    filter: String,
    reason: String,
}

/// What consensus and its network say of every step, and GPU libraries of every feature; programs log
/// by themselves what matters of it.
const QUIET: &str = "arc_malachitebft=error,arc_malachitebft_network=off,\
                     arc_malachitebft_discovery=off,libp2p=error,cubecl_wgpu=warn";

/// Starts logging for the whole process. A second call changes nothing. Libraries that log every step of theirs are quiet
/// unless the filter names them.
///
/// # Errors
/// [`InvalidFilter`].
pub fn init(config: &LogConfig) -> Result<(), InvalidFilter> {
    let text = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let text = if text.is_empty() {
        &config.filter
    } else {
        &text
    };
    // What the text names comes later and wins.
    let filter = EnvFilter::try_new(format!("{QUIET},{text}")).map_err(|error| InvalidFilter {
        filter: text.clone(),
        reason: error.to_string(),
    })?;
    let builder = fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // An error means that the program has a subscriber already, which is then kept.
    let _ = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
