//! Submissions, claims and reports.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use soma_sdk::SubmitData;
use soma_types::target::SubmissionFault;
use soma_types::{Loss, TransactionKind};

use super::{Called, Client, check_dim, checked, failed};
use crate::arguments::{embedding as check_embedding, parse, url as check_url};
use crate::bridge::{Reply, blocking};
use crate::errors::Failure;
use crate::keypair::Keypair;

#[pymethods]
impl Client {
    /// Seals a submission, and opens it at least one block later.
    #[expect(clippy::too_many_arguments, reason = "those of the transaction")]
    fn submit_data<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        target_id: &str,
        data: PyBackedBytes,
        data_url: String,
        model_id: &str,
        embedding: Vec<f32>,
        loss: f64,
    ) -> Called<'py> {
        let target = checked(py, parse("target_id", target_id))?;
        let model = checked(py, parse("model_id", model_id))?;
        checked(py, check_url("data_url", &data_url))?;
        checked(py, check_embedding("embedding", &embedding))?;
        if Loss::from_f64(loss).is_none() {
            let text = format!("{loss} is not a number from 0 to 2^20");
            return Err(Failure::argument("loss_score", text).raise(py));
        }
        let key = signer.key.clone();
        let scored = Arc::clone(&self.scored);
        self.call(py, move |sdk| async move {
            let size = data.len() as u64;
            let parameters = sdk.parameters().await;
            let parameters = parameters.map_err(|error| failed("SubmitData", error))?;
            check_dim(&embedding, &parameters)?;
            let max = parameters.max_submission_data_size;
            if size > max {
                let text = format!("has {size} bytes, more than the {max} that the network takes");
                return Err(Failure::argument("data", text));
            }
            let checksum = blocking(move || Ok(soma_crypto::checksum(&data[..]))).await?;
            let versions = scored.versions(&sdk, target, &checksum, model).await?;
            let submit = SubmitData {
                target,
                url: &data_url,
                checksum,
                size,
                model,
                embedding: &embedding,
                loss,
                scored_with: versions.as_deref(),
            };
            let receipt = sdk.account(key).submit_data(&submit).await;
            Reply::json(&receipt.map_err(|error| failed("SubmitData", error))?)
        })
    }

    /// Pays out a filled target.
    fn claim_rewards<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        target_id: &str,
    ) -> Called<'py> {
        let target = checked(py, parse("target_id", target_id))?;
        let kind = TransactionKind::ClaimRewards { target };
        self.execute(py, signer, "ClaimRewards", kind)
    }

    /// Asks every validator for a full audit of a submission, with a bond.
    fn challenge_submission<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        target_id: &str,
    ) -> Called<'py> {
        let target = checked(py, parse("target_id", target_id))?;
        let kind = TransactionKind::ChallengeSubmission { target };
        self.execute(py, signer, "ChallengeSubmission", kind)
    }

    /// Reports a submission, or takes the report back when there is no reason.
    #[pyo3(signature = (signer, target_id, reason = None))]
    fn report_submission<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        target_id: &str,
        reason: Option<&str>,
    ) -> Called<'py> {
        let target = checked(py, parse("target_id", target_id))?;
        let Some(reason) = reason else {
            let kind = TransactionKind::UndoReportSubmission { target };
            return self.execute(py, signer, "UndoReportSubmission", kind);
        };
        let reason: SubmissionFault = checked(py, super::validators::fault(reason))?;
        let kind = TransactionKind::ReportSubmission { target, reason };
        self.execute(py, signer, "ReportSubmission", kind)
    }
}
