//! Epochs, and waiting for the audit.

use std::time::Duration;

use soma_sdk::api::TargetView;
use soma_sdk::pages::collect;
use soma_sdk::types::ModelId;
use soma_sdk::{AuditFilter, TargetFilter};
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

    /// Waits until the node has a verdict on everything that it audits.
    pub(super) async fn wait_for_audits(&self) -> Result<(), DemoError> {
        let deadline = Instant::now() + EPOCH / 2;
        loop {
            let client = &self.client;
            let all = AuditFilter::default();
            let audits = collect(None, async |page| client.audits(&all, &page).await).await?;
            let open = audits
                .iter()
                .filter(|audit| matches!(audit.state.as_str(), "checking" | "reporting"));
            let waiting = open.count();
            if waiting == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let text = format!("{waiting} audits have no verdict after half an epoch");
                return Err(DemoError::step("audit")(text));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
