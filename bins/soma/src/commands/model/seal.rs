//! `soma model seal`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use soma_crypto::sealed::{self, SealReport, fresh_key};
use soma_sdk::types::WeightsKey;

use super::check::{check_weights, network_size};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Seal weights for `soma model commit`: encrypt them under a fresh key
#[derive(Clone, Debug, Args)]
pub struct Seal {
    /// The weights, as `soma train` saves them; of the size that the node says its network has
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// Where to put the sealed file, which must not be there yet
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Where to put the key, for you alone; default `OUTPUT.key`
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

impl Seal {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        check_weights(&self.weights, network_size(&context.client()?).await?).await?;
        let key_file = self.key_file.unwrap_or_else(|| {
            let mut name = self.output.clone().into_os_string();
            name.push(".key");
            name.into()
        });
        let key = fresh_key();
        // Without the key the sealed file is worth nothing: it is on disk first.
        write_key(&key_file, &key)?;
        let report = seal(&self.weights, &self.output, &key)?;
        let fields = Fields::new()
            .with("Sealed", self.output.display())
            .with("Key", key)
            .with("Kept in", key_file.display())
            .with("Size", format!("{} bytes", report.sealed_len))
            .with("Checksum", report.ciphertext_checksum)
            .with("Checksum of the weights", report.plaintext_checksum);
        let json = json!({
            "path": self.output,
            "decryption_key": key,
            "key_file": key_file,
            "size": report.sealed_len,
            "checksum": report.ciphertext_checksum,
            "plaintext_checksum": report.plaintext_checksum,
        });
        Ok(Output::new(&json, fields.text()))
    }
}

fn write_key(path: &Path, key: &WeightsKey) -> Result<(), CliError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(format!("{key}\n").as_bytes())?;
        file.sync_all()
    };
    write().map_err(CliError::file(path))
}

fn seal(from: &Path, to: &Path, key: &WeightsKey) -> Result<SealReport, CliError> {
    let reader = BufReader::new(File::open(from).map_err(CliError::file(from))?);
    let file = File::create_new(to).map_err(CliError::file(to))?;
    let mut writer = BufWriter::new(file);
    let report = sealed::seal(reader, &mut writer, key);
    let report = report.map_err(|error| CliError::File {
        path: from.to_owned(),
        reason: error.to_string(),
    })?;
    writer
        .flush()
        .and_then(|()| writer.get_ref().sync_all())
        .map_err(CliError::file(to))?;
    Ok(report)
}
