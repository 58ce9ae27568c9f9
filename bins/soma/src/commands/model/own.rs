//! Transactions of a model's owner.

use std::path::Path;

use soma_blobs::BlobRef;
use soma_sdk::account::{created_model, raw_embedding};
use soma_sdk::types::{ModelId, Shannons, TransactionKind, WeightsKey};
use soma_sdk::{Client, CommitModel};

use super::check::{check_embedding, check_sealed, network_size};
use super::commits::{self, KeptCommit};
use super::reveals::{self, Due};
use crate::commands::published::confirm_published;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::{TransactionOptions, executed, process, process_with, sender, simulate};

/// A commission above which most would not stake, in basis points.
const HIGH_COMMISSION: u16 = 5_000;

/// The transaction that creates a model; with the network's minimum as its stake where none is said.
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
        context.say(&format!(
            "Commit to its weights in this epoch ({}) or the next, or half the stake is lost.",
            receipt.epoch
        ));
        let model = created_model(receipt);
        model
            .map(|model| ("Model", "model_id", model.to_string().into()))
            .into_iter()
            .collect()
    })
    .await
}

/// What `soma model commit` commits to.
pub(super) struct Commit<'a> {
    pub(super) model: ModelId,
    /// The sealed file.
    pub(super) file: &'a Path,
    pub(super) url: &'a str,
    pub(super) key: WeightsKey,
    pub(super) embedding: Vec<f32>,
}

/// Commits to a sealed file. It is opened on the way, so that a wrong key or wrong weights are found
/// now and not by the validators. What the reveal needs is kept before anything is sent.
pub(super) async fn process_commit(
    context: &Context,
    options: &TransactionOptions,
    commit: Commit<'_>,
) -> Result<Output, CliError> {
    let Commit {
        model, url, key, ..
    } = commit;
    let client = context.client()?;
    let size = network_size(&client).await?;
    check_embedding(&commit.embedding, size)?;
    let report = check_sealed(commit.file, key, size).await?;
    let transaction = CommitModel {
        model,
        url,
        checksum: report.ciphertext_checksum,
        size: report.sealed_len,
        plaintext_checksum: report.plaintext_checksum,
        key,
        embedding: &commit.embedding,
    };
    let kind = transaction.to_kind()?;
    let owner = sender(context, options)?;
    client
        .check_weights_are_new(&owner, Some(model), &report.plaintext_checksum)
        .await?;
    if !options.sends() {
        return process(context, options, kind).await;
    }
    client.check_reach(url)?;
    let blob = BlobRef {
        url: url.to_owned(),
        checksum: report.ciphertext_checksum,
        size: report.sealed_len,
    };
    confirm_published(context, &blob).await?;
    let status = client.status().await?;
    let view = client.model(&model, false).await?;
    if let Some(before) = view.pending.filter(|_| view.status == "active")
        && before.reveal_epoch > status.epoch
    {
        context.say(&format!(
            "This takes the place of the commit whose weights were to be revealed in epoch {}; they \
             cannot be revealed any more.",
            before.reveal_epoch
        ));
    }
    let secret_key = context.secret_key(owner)?;
    // One that the chain would refuse costs no fee, and is not kept.
    let asked = client.build(owner, kind.clone()).await?;
    simulate(context, &asked).await?;
    let mut kept = KeptCommit {
        chain_id: status.chain_id,
        owner,
        model,
        is_executed: false,
        reveal_epoch: status.epoch.next(),
        nonce: 0,
        expiry_height: 0,
        key,
        embedding: commit.embedding,
    };
    // Until the chain says what became of it, it is kept beside those before it.
    let sent = client.sign_and_execute_recorded(&secret_key, kind, |signed| {
        kept.nonce = signed.transaction.nonce;
        kept.expiry_height = signed.transaction.expiry_height;
        commits::keep(context, &kept)
    });
    let receipt = sent.await?;
    (kept.is_executed, kept.reveal_epoch) = (true, receipt.epoch.next());
    commits::keep(context, &kept)?;
    context.say(&format!(
        "It must be revealed in epoch {}, or half the stake of a new model is lost: {}",
        kept.reveal_epoch,
        Due::of_commit(context, &kept).command
    ));
    Ok(executed(&receipt, Vec::new()))
}

/// Reveals with what was given, or what [`process_commit`] kept.
pub(super) async fn process_reveal(
    context: &Context,
    options: &TransactionOptions,
    model: ModelId,
    given: Option<(WeightsKey, Vec<f32>)>,
) -> Result<Output, CliError> {
    let client = context.client()?;
    let (key, embedding) = match given {
        Some(given) => given,
        None => kept_for(context, &client, model).await?,
    };
    let kind = TransactionKind::RevealModel {
        model,
        key,
        embedding: raw_embedding(&embedding)?,
    };
    if !options.sends() {
        return process(context, options, kind).await;
    }
    // One that comes too early, or is another's to make, costs no fee.
    let sender = sender(context, options)?;
    let transaction = client.build(sender, kind.clone()).await?;
    simulate(context, &transaction).await?;
    let output = process(context, options, kind).await?;
    reveals::refresh(context, &client).await;
    Ok(output)
}

/// Key and embedding of the kept commit that waits for its reveal on the chain.
async fn kept_for(
    context: &Context,
    client: &Client,
    model: ModelId,
) -> Result<(WeightsKey, Vec<f32>), CliError> {
    let kept = commits::of_model(context, model);
    let text = if kept.is_empty() {
        format!("no commit to weights of model {model} is kept here")
    } else {
        let Some(pending) = client.model(&model, false).await?.pending else {
            return Err(CliError::Invalid(format!(
                "no commit of model {model} waits for its reveal; see `soma model info {model}`"
            )));
        };
        if let Some(commit) = kept.into_iter().find(|commit| commit.opens(&pending)) {
            return Ok((commit.key, commit.embedding));
        }
        format!("the commit of model {model} that waits for its reveal is not kept here")
    };
    let hint = "say --decryption-key and --embedding";
    Err(CliError::Usage(format!("{text}: {hint}")))
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
