//! Claiming everything that can be claimed.

use soma_api::{ReceiptView, TargetView};
use soma_types::{Address, Shannons, TargetId};

use crate::account::Account;
use crate::error::SdkError;
use crate::pages::{TargetFilter, collect};

/// Whose rewards to claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClaimWhich {
    /// Targets that this account filled.
    #[default]
    Submitted,
    /// Targets that this account filled, or that a model of it won.
    Own,
    /// All: who is neither submitter nor owner gets the claimer's share.
    Everybodys,
}

/// A claim that was not executed.
#[derive(Debug)]
pub struct FailedClaim {
    /// The target.
    pub target: TargetId,
    /// Why.
    pub error: SdkError,
}

/// What came of claiming.
#[derive(Debug, Default)]
pub struct ClaimReport {
    /// The claims, with their receipts.
    pub claimed: Vec<(TargetId, ReceiptView)>,
    /// Claims that failed; the others are not affected.
    pub failed: Vec<FailedClaim>,
}

impl ClaimReport {
    /// What `address` got by the claims in money, bonds included and fees taken off.
    pub fn received(&self, address: &Address) -> i128 {
        let changes = self
            .claimed
            .iter()
            .flat_map(|(_, receipt)| &receipt.balance_changes);
        changes
            .filter(|change| change.address == *address)
            .map(|change| i128::from(change.amount))
            .sum()
    }

    /// What the claims cost in fees.
    pub fn fees(&self) -> Shannons {
        let fees = self
            .claimed
            .iter()
            .map(|(_, receipt)| receipt.fee.total.0)
            .sum();
        Shannons(fees)
    }
}

impl Account {
    /// Claims every target that can be claimed now. A target that somebody else claims at the same
    /// moment is left out of the report.
    ///
    /// # Errors
    /// [`SdkError`] when the targets cannot be listed.
    pub async fn claim_all(&self, which: ClaimWhich) -> Result<ClaimReport, SdkError> {
        let filter = TargetFilter {
            status: Some("claimable".to_owned()),
            submitter: (which == ClaimWhich::Submitted).then(|| self.address()),
            ..TargetFilter::default()
        };
        let client = self.client();
        let targets = collect(None, async |page| client.targets(&filter, &page).await).await?;
        let mut report = ClaimReport::default();
        for target in targets.iter().filter(|target| self.wants(target, which)) {
            match self.claim_rewards(target.id).await {
                Ok(receipt) => report.claimed.push((target.id, receipt)),
                Err(error)
                    if matches!(error.name(), "TargetAlreadyClaimed" | "TargetNotFilled") =>
                {
                    tracing::debug!(target = %target.id, %error, "claimed by somebody else");
                }
                Err(error) => {
                    let target = target.id;
                    report.failed.push(FailedClaim { target, error });
                }
            }
        }
        Ok(report)
    }

    fn wants(&self, target: &TargetView, which: ClaimWhich) -> bool {
        let address = self.address();
        match which {
            ClaimWhich::Submitted | ClaimWhich::Everybodys => true,
            ClaimWhich::Own => target
                .fill
                .as_ref()
                .is_some_and(|fill| fill.submitter == address || fill.winning_owner == address),
        }
    }
}
