//! `soma tx`.

use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use soma_crypto::transaction::{sign, transaction_digest};
use soma_sdk::api::Base64;
use soma_sdk::types::{Digest, PublicKey, Signature, SignedTransaction, Transaction};

use crate::arguments::either;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};
use crate::transaction::{TransactionOptions, executed};

/// Show transactions, and send prepared ones
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct Tx {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<TxCommand>,
    /// Show this transaction, as `soma tx info`
    #[arg(value_name = "DIGEST")]
    pub digest: Option<Digest>,
}

either!(
    /// The transaction's digest. Also `--digest`
    DigestArgument, Digest, "DIGEST", "digest", required
);
either!(
    /// Base64 of an unsigned transaction, from `--serialize-unsigned`. Also `--tx-bytes`
    TxBytes, String, "TX_BYTES", "tx-bytes", required
);
either!(
    /// Base64 of a signed transaction, from `--serialize-signed`. Also `--signed-tx-bytes`
    SignedTxBytes, String, "SIGNED_TX_BYTES", "signed-tx-bytes", required
);

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum TxCommand {
    /// Show a transaction and what it did
    Info {
        /// Which.
        #[command(flatten)]
        digest: DigestArgument,
    },
    /// Sign an unsigned transaction with the sender's key and send it
    ExecuteSerialized {
        /// What.
        #[command(flatten)]
        bytes: TxBytes,
        /// Options of the transaction.
        #[command(flatten)]
        options: TransactionOptions,
    },
    /// Send an unsigned transaction with a signature made elsewhere
    ExecuteSigned {
        /// What.
        #[command(flatten)]
        bytes: TxBytes,
        /// The sender's public key and signature in hex, one after the other (97 bytes)
        #[arg(long, alias = "signature", value_name = "HEX", required = true)]
        signatures: String,
    },
    /// Send a signed transaction
    ExecuteCombinedSigned {
        /// What.
        #[command(flatten)]
        bytes: SignedTxBytes,
    },
}

impl Tx {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        match (self.command, self.digest) {
            (Some(TxCommand::Info { digest }), _) => info(context, digest.value()?).await,
            (Some(TxCommand::ExecuteSerialized { bytes, options }), _) => {
                execute_serialized(context, &bytes.value()?, &options).await
            }
            (Some(TxCommand::ExecuteSigned { bytes, signatures }), _) => {
                let transaction = decode(&bytes.value()?, "an unsigned transaction")?;
                let (public_key, signature) = read_signature(&signatures)?;
                let signed = SignedTransaction {
                    transaction,
                    public_key,
                    signature,
                };
                send(context, &signed).await
            }
            (Some(TxCommand::ExecuteCombinedSigned { bytes }), _) => {
                let signed = decode(&bytes.value()?, "a signed transaction")?;
                send(context, &signed).await
            }
            (None, Some(digest)) => info(context, digest).await,
            (None, None) => Err(CliError::Usage("DIGEST is missing".to_owned())),
        }
    }
}

async fn info(context: &Context, digest: Digest) -> Result<Output, CliError> {
    let record = context.client()?.transaction(&digest).await?;
    let transaction = &record.transaction;
    let head = Fields::new()
        .with("Kind", &transaction.kind)
        .with("Sender", transaction.sender)
        .with("Nonce", transaction.nonce);
    let rest = match &record.receipt {
        Some(receipt) => executed(receipt, Vec::new()).text,
        None => Fields::new()
            .with("Transaction", transaction.digest)
            .with("Status", "waiting for a block")
            .text(),
    };
    Ok(Output::new(&record, head.text() + &rest))
}

async fn execute_serialized(
    context: &Context,
    bytes: &str,
    options: &TransactionOptions,
) -> Result<Output, CliError> {
    let transaction: Transaction = decode(bytes, "an unsigned transaction")?;
    let sender = transaction.sender;
    let named = options.sender.as_ref();
    if named.is_some() && context.address(named)? != sender {
        let text = format!("the transaction is of {sender}, not of the given `--sender`");
        return Err(CliError::Usage(text));
    }
    if options.simulate {
        return crate::transaction::simulate(context, &transaction).await;
    }
    if options.tx_digest {
        return Ok(crate::transaction::digest(&transaction_digest(
            &transaction,
        )));
    }
    if options.serialize_unsigned {
        return Ok(crate::transaction::serialized(
            &Base64::encode(&transaction),
            false,
        ));
    }
    let signed = sign(transaction, &context.secret_key(sender)?);
    if options.serialize_signed {
        return Ok(crate::transaction::serialized(
            &Base64::encode(&signed),
            true,
        ));
    }
    send(context, &signed).await
}

async fn send(context: &Context, signed: &SignedTransaction) -> Result<Output, CliError> {
    let receipt = context.client()?.execute_signed(signed).await?;
    Ok(executed(&receipt, Vec::new()))
}

fn decode<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, CliError> {
    let bad = |reason: String| CliError::Invalid(format!("these bytes are not {what}: {reason}"));
    let bytes = soma_sdk::types::bounded::from_base64(text.trim()).map_err(bad)?;
    Base64(bytes)
        .decode(what)
        .map_err(|error| bad(error.reason))
}

/// Reads public key (33 bytes) and signature (64 bytes) in hex.
fn read_signature(text: &str) -> Result<(PublicKey, Signature), CliError> {
    let digits = text.trim().trim_start_matches("0x");
    let refuse = |reason: &str| CliError::Invalid(format!("bad `--signatures`: {reason}"));
    let (key, signature) = digits
        .split_at_checked(66)
        .ok_or_else(|| refuse("expected 97 bytes of hex: public key and signature"))?;
    let key = key
        .parse()
        .map_err(|error: soma_sdk::types::id::ParseIdError| refuse(&error.to_string()))?;
    let signature = signature
        .parse()
        .map_err(|error: soma_sdk::types::id::ParseIdError| refuse(&error.to_string()))?;
    Ok((key, signature))
}
