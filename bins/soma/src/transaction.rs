//! What every command that signs has in common.

use clap::Args;
use serde_json::{Value, json};
use soma_crypto::keystore::KeyIdentity;
use soma_crypto::transaction::{sign, transaction_digest};
use soma_sdk::api::{Base64, ObjectRefView, ReceiptView};
use soma_sdk::types::{Address, Digest, Transaction, TransactionKind};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output, signed_soma};

/// Options of every command that sends a transaction.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Transaction options")]
pub struct TransactionOptions {
    /// Try it on the newest state without sending it
    #[arg(long, group = "instead")]
    pub simulate: bool,
    /// Print the unsigned transaction as Base64 and do not send it
    #[arg(long, alias = "serialize-unsigned-transaction", group = "instead")]
    pub serialize_unsigned: bool,
    /// Print the signed transaction as Base64 and do not send it
    #[arg(long, alias = "serialize-signed-transaction", group = "instead")]
    pub serialize_signed: bool,
    /// Print the digest and do not send it
    #[arg(long, group = "instead")]
    pub tx_digest: bool,
    /// Act as this account; default the active one
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<KeyIdentity>,
    /// The coin to use: an account has one, whose id is its address
    #[arg(long, aliases = ["coins", "gas"], value_name = "COIN_ID", num_args = 1.., hide = true)]
    pub coin: Vec<Address>,
}

impl TransactionOptions {
    /// True when the transaction will be sent.
    pub fn sends(&self) -> bool {
        !(self.simulate || self.serialize_unsigned || self.serialize_signed || self.tx_digest)
    }
}

/// Sends a transaction and waits for its receipt, or does with it what the options say.
///
/// # Errors
/// [`CliError`]; a transaction that failed on chain, or would fail, is one.
pub async fn process(
    context: &Context,
    options: &TransactionOptions,
    kind: TransactionKind,
) -> Result<Output, CliError> {
    process_with(context, options, kind, |_| Vec::new()).await
}

/// As [`process`], with more lines for a transaction that was executed: label, JSON name, value.
///
/// # Errors
/// As [`process`].
pub async fn process_with(
    context: &Context,
    options: &TransactionOptions,
    kind: TransactionKind,
    more: impl FnOnce(&ReceiptView) -> Vec<More>,
) -> Result<Output, CliError> {
    let sender = sender(context, options)?;
    let client = context.client()?;
    if options.sends() {
        let key = context.secret_key(sender)?;
        let receipt = client.sign_and_execute(&key, kind).await?;
        let more = more(&receipt);
        return Ok(executed(&receipt, more));
    }
    let transaction = client.build(sender, kind).await?;
    if options.simulate {
        return simulate(context, &transaction).await;
    }
    if options.tx_digest {
        return Ok(digest(&transaction_digest(&transaction)));
    }
    let bytes = match options.serialize_signed {
        true => Base64::encode(&sign(transaction, &context.secret_key(sender)?)),
        false => Base64::encode(&transaction),
    };
    Ok(serialized(&bytes, options.serialize_signed))
}

/// The account that acts, as the options say.
///
/// # Errors
/// None is named or active, or a coin is named that is not its own.
pub(crate) fn sender(context: &Context, options: &TransactionOptions) -> Result<Address, CliError> {
    let sender = context.address(options.sender.as_ref())?;
    match options.coin.iter().find(|coin| **coin != sender) {
        Some(other) => Err(CliError::Usage(format!(
            "{other} is not the coin of {sender}: an account's balance is one coin, and its id is the address"
        ))),
        None => Ok(sender),
    }
}

/// What `--simulate` prints.
pub(crate) async fn simulate(
    context: &Context,
    transaction: &Transaction,
) -> Result<Output, CliError> {
    let receipt = context.client()?.simulate(transaction).await?;
    match receipt.is_success() {
        true => Ok(simulated(&receipt)),
        false => Err(would_fail(receipt)),
    }
}

/// What `--tx-digest` prints.
pub(crate) fn digest(digest: &Digest) -> Output {
    Output::new(&json!({ "digest": digest }), digest.to_string())
}

/// What the `--serialize` options print.
pub(crate) fn serialized(bytes: &Base64, is_signed: bool) -> Output {
    let name = match is_signed {
        true => "signed_tx_bytes",
        false => "tx_bytes",
    };
    let value = serde_json::to_value(bytes).unwrap_or_default();
    let text = value.as_str().unwrap_or_default().to_owned();
    Output::new(&json!({ name: value }), text)
}

/// A simulation that fails is an error by the same name as the transaction would be.
fn would_fail(receipt: ReceiptView) -> CliError {
    let (code, message) = match receipt.error {
        Some(error) => (error.code, error.message),
        None => ("Unknown".to_owned(), "the node gave no reason".to_owned()),
    };
    CliError::WouldFail { code, message }
}

fn simulated(receipt: &ReceiptView) -> Output {
    let mut output = executed(receipt, Vec::new());
    if let Value::Object(fields) = &mut output.json {
        // It is in no block.
        for name in ["height", "index"] {
            fields.remove(name);
        }
        fields.insert("simulated".to_owned(), true.into());
    }
    let fields = Fields::new()
        .with("Simulated", "nothing was sent")
        .with("Status", "success");
    output.text = effects(fields, receipt).text();
    output
}

/// What is printed of a transaction besides its receipt: its label, its name in JSON, and its value.
pub type More = (&'static str, &'static str, Value);

/// What an executed transaction prints.
pub fn executed(receipt: &ReceiptView, more: Vec<More>) -> Output {
    let mut output = Output::new(receipt, "");
    let mut fields = Fields::new().with("Transaction", receipt.transaction);
    fields = match &receipt.error {
        None => fields.with("Status", "success"),
        Some(error) => fields.with(
            "Status",
            format!("failure: {}: {}", error.code, error.message),
        ),
    };
    fields = fields.with(
        "Block",
        format!("{} (epoch {})", receipt.height, receipt.epoch),
    );
    fields = effects(fields, receipt);
    if let Value::Object(json) = &mut output.json {
        if let Some(digest) = json.remove("transaction") {
            json.insert("digest".to_owned(), digest);
        }
        for (label, name, value) in more {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            fields = fields.with(label, text);
            json.insert(name.to_owned(), value);
        }
    }
    output.text = fields.text();
    output
}

fn effects(mut fields: Fields, receipt: &ReceiptView) -> Fields {
    fields = fields.with("Fee", receipt.fee.total);
    let lists = [
        ("Created", &receipt.created),
        ("Changed", &receipt.mutated),
        ("Removed", &receipt.deleted),
    ];
    for (label, list) in lists {
        for ObjectRefView { kind, id } in list {
            fields = fields.with(label, format!("{} {id}", kind.name()));
        }
    }
    for change in &receipt.balance_changes {
        let change = format!("{} {}", change.address, signed_soma(change.amount));
        fields = fields.with("Balance", change);
    }
    fields
}
