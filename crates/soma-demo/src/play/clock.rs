//! Epochs, and waiting for the audit.

use std::time::Duration;

use soma_sdk::api::TargetView;
use soma_sdk::pages::collect;
use soma_sdk::types::ModelId;
use soma_sdk::types::time::Height;
use soma_sdk::{AuditFilter, Client, TargetFilter};
use tokio::time::Instant;

use super::{EPOCH, Game};
use crate::error::DemoError;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

impl Game<'_> {
    pub(super) async fn next_epoch(&self) -> Result<(), DemoError> {
        self.client.advance_epoch().await?;
        Ok(())
    }

    /// Open targets that the specialists alone are assigned to.
    pub(super) async fn open_targets(
        &self,
        models: &[ModelId],
    ) -> Result<Vec<TargetView>, DemoError> {
        let open = TargetFilter {
            status: Some("open".to_owned()),
            with_embedding: true,
            ..TargetFilter::default()
        };
        let client = &self.client;
        let mut targets = collect(None, async |page| client.targets(&open, &page).await).await?;
        targets.retain(|target| target.models.iter().all(|model| models.contains(model)));
        Ok(targets)
    }

    /// Waits until each validator has a verdict on everything that it audits.
    pub(super) async fn wait_for_audits(&self) -> Result<(), DemoError> {
        let deadline = Instant::now() + EPOCH / 2;
        let height = self.client.status().await?.height;
        for (number, validator) in (1..).zip(&self.validators) {
            loop {
                let open = open_audits(validator, height).await?;
                if open == Some(0) {
                    break;
                }
                if Instant::now() >= deadline {
                    let open = open.map_or("all".to_owned(), |count| count.to_string());
                    let text = format!(
                        "after half an epoch, validator {number} has no verdict on {open} audits"
                    );
                    return Err(DemoError::step("audit")(text));
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }
}

/// Audits without a verdict; none when the validator's node has not reached `height` yet.
async fn open_audits(validator: &Client, height: Height) -> Result<Option<usize>, DemoError> {
    if validator.status().await?.height < height {
        return Ok(None);
    }
    let all = AuditFilter::default();
    let audits = collect(None, async |page| validator.audits(&all, &page).await).await?;
    let is_open = |state: &str| matches!(state, "checking" | "reporting");
    let open = audits.iter().filter(|audit| is_open(&audit.state));
    Ok(Some(open.count()))
}
