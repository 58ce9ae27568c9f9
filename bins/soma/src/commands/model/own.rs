//! Transactions of a model's owner.

use std::fs::File;
use std::path::Path;

use soma_crypto::sealed;
use soma_sdk::account::created_model;
use soma_sdk::types::{ModelId, Shannons, TransactionKind, WeightsKey};
use soma_sdk::{Client, CommitModel};

use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{TransactionOptions, process_with};

/// A commission above which most would not stake, in basis points.
const HIGH_COMMISSION: u16 = 5_000;

pub(super) async fn create(
    client: &Client,
    stake: Option<Shannons>,
    commission_bps: u16,
    architecture_version: Option<u64>,
) -> Result<TransactionKind, CliError> {
    let parameters = client.parameters().await?;
    Ok(TransactionKind::CreateModel {
        architecture_version: architecture_version.unwrap_or(parameters.model_architecture_version),
        stake: stake.unwrap_or(Shannons(parameters.model_min_stake)),
        commission_bps,
    })
}

pub(super) async fn process_create(
    context: &Context,
    options: &TransactionOptions,
    kind: TransactionKind,
) -> Result<Output, CliError> {
    if let TransactionKind::CreateModel { commission_bps, .. } = kind
        && commission_bps > HIGH_COMMISSION
    {
        context.say("Warning: a commission above 50 % leaves little to those who stake.");
    }
    process_with(context, options, kind, |receipt| {
        let model = created_model(receipt);
        model
            .map(|model| ("Model", "model_id", model.to_string()))
            .into_iter()
            .collect()
    })
    .await
}

/// Commits to a sealed file. It is opened on the way, so that a wrong key is found now and not by
/// the validators.
pub(super) fn commit(
    model: ModelId,
    file: &Path,
    url: &str,
    key: WeightsKey,
    embedding: &[f32],
) -> Result<TransactionKind, CliError> {
    let sealed = File::open(file).map_err(CliError::file(file))?;
    let report = sealed::open(std::io::BufReader::new(sealed), std::io::sink(), &key);
    let report = report.map_err(|error| CliError::File {
        path: file.to_owned(),
        reason: error.to_string(),
    })?;
    let commit = CommitModel {
        model,
        url,
        checksum: report.ciphertext_checksum,
        size: report.sealed_len,
        plaintext_checksum: report.plaintext_checksum,
        key,
        embedding,
    };
    Ok(commit.to_kind()?)
}

/// Reads numbers separated by commas or white space, from the text or from `@FILE`. A JSON list is
/// one too.
pub(in crate::commands) fn read_embedding(text: &str) -> Result<Vec<f32>, CliError> {
    let content = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(CliError::file(path))?,
        None => text.to_owned(),
    };
    let content = content.trim().trim_start_matches('[').trim_end_matches(']');
    let words = content.split(|c: char| c == ',' || c.is_whitespace());
    let numbers: Result<Vec<f32>, CliError> = words
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.parse().map_err(|_| {
                let word: String = word.chars().take(40).collect();
                CliError::Usage(format!("bad embedding: `{word}` is not a number"))
            })
        })
        .collect();
    let numbers = numbers?;
    match numbers.is_empty() {
        true => Err(CliError::Usage("the embedding has no numbers".to_owned())),
        false => Ok(numbers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedding_is_read_in_the_usual_forms() {
        for text in ["1,-2.5,3e0", "[1, -2.5, 3]", "1 -2.5\n3"] {
            assert_eq!(read_embedding(text).unwrap(), [1.0, -2.5, 3.0], "{text}");
        }
        for text in ["", "1,x", "@/no/such/file"] {
            assert!(read_embedding(text).is_err(), "{text}");
        }
    }
}
