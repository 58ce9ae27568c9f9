//! Numbers of the audit.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Labels of a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CheckLabels {
    /// `submission` or `weights`.
    pub kind: &'static str,
    /// `honest`; what is wrong, by its name on chain; `undecided` or `own_trouble`.
    pub outcome: String,
}

/// Labels of what concerns one kind of audits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// `submission` or `weights`.
    pub kind: &'static str,
}

/// Counts of the audit. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct AuditMetrics {
    /// Checks by kind and outcome.
    pub checks: Family<CheckLabels, Counter>,
    /// Checks that will be tried again.
    pub retries: Family<KindLabels, Counter>,
    /// Reports sent.
    pub reports: Family<KindLabels, Counter>,
    /// Reports taken back.
    pub undone: Family<KindLabels, Counter>,
    /// Audits whose window ended without a verdict.
    pub expired: Family<KindLabels, Counter>,
    /// Audits that are not over.
    pub queue: Gauge,
    /// Audits that wait because of trouble of this validator's own.
    pub troubled: Gauge,
}

impl AuditMetrics {
    /// Counts that are shown in `registry`.
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let r = registry;
        r.register(
            "audit_checks",
            "Checks of submissions and weights, by kind and outcome",
            metrics.checks.clone(),
        );
        r.register(
            "audit_retries",
            "Checks without a verdict, to be tried again",
            metrics.retries.clone(),
        );
        r.register(
            "audit_reports",
            "Reports of frauds sent to the chain",
            metrics.reports.clone(),
        );
        r.register("audit_undone", "Reports taken back", metrics.undone.clone());
        r.register(
            "audit_expired",
            "Audits whose window ended without a verdict",
            metrics.expired.clone(),
        );
        r.register(
            "audit_queue",
            "Audits that are not over",
            metrics.queue.clone(),
        );
        r.register(
            "audit_troubled",
            "Audits that wait because of trouble of this validator's own",
            metrics.troubled.clone(),
        );
        metrics
    }

    pub(super) fn count(family: &Family<KindLabels, Counter>, kind: &'static str) {
        family.get_or_create(&KindLabels { kind }).inc();
    }

    pub(super) fn checked(&self, kind: &'static str, outcome: &str) {
        let outcome = outcome.to_owned();
        self.checks
            .get_or_create(&CheckLabels { kind, outcome })
            .inc();
    }
}
