//! Submitting data.

use soma_sdk::SubmitData;

use super::Submit;
use crate::commands::model::read_embedding;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::transaction::executed;

/// Seals the submission and opens it one block later: two transactions, so it cannot be serialized
/// or tried as one.
pub(super) async fn submit(context: &Context, arguments: Submit) -> Result<Output, CliError> {
    let target = arguments.target.value()?;
    let path = &arguments.data_file;
    let data = std::fs::read(path).map_err(CliError::file(path))?;
    let embedding = read_embedding(&arguments.embedding)?;
    let submit = SubmitData {
        target,
        url: &arguments.data_url,
        checksum: soma_crypto::checksum(&data),
        size: data.len() as u64,
        model: arguments.model_id,
        embedding: &embedding,
        loss: arguments.loss_score,
    };
    let sender = context.address(arguments.sender.as_ref())?;
    let client = context.client()?;
    let account = client.account(context.secret_key(sender)?);
    let receipt = account.submit_data(&submit).await?;
    let claimable = receipt.epoch.plus(2);
    context.say(&format!(
        "Claim it from epoch {claimable} on with `soma target claim {target}`."
    ));
    let more = (
        "Claimable from epoch",
        "claimable_from",
        claimable.to_string(),
    );
    Ok(executed(&receipt, vec![more]))
}
