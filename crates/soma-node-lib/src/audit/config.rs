//! Settings of the audit.

use serde::{Deserialize, Deserializer, Serialize};
use soma_audit::verdict::UNAVAILABLE_PART;

/// Settings of the audit. It runs when the node has a validator's key and a scorer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Scoring services such as `http://127.0.0.1:9124`: one, or a list of which the next is asked
    /// when one fails. Default none: then nothing is audited.
    #[serde(deserialize_with = "one_or_many")]
    pub scorer: Vec<String>,
    /// Part of the submissions that is audited, in basis points; challenged ones always are.
    /// Default 10,000: all.
    pub sample_bps: u16,
    /// Audits at the same time. Default 4.
    pub concurrency: usize,
    /// Pause before a check that gave no verdict is tried again, in milliseconds; doubles with
    /// each. Default 1,000.
    pub first_pause_ms: u64,
    /// The longest pause in milliseconds. Default 300,000.
    pub longest_pause_ms: u64,
    /// Time over which a blob must be missing before that is reported, in milliseconds. Default a
    /// tenth of an epoch, which is the network's rule: less is for tests only.
    pub unavailable_after_ms: Option<u64>,
    /// Time after which a report is checked once more, in milliseconds. Default a quarter of an
    /// epoch; never later than half of what is left of the audit window.
    pub recheck_after_ms: Option<u64>,
    /// Time for a scorer to answer, in milliseconds. Default 35 minutes.
    pub scorer_timeout_ms: u64,
    /// Epochs for which finished audits are kept. Default 30.
    pub keep_epochs: u64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            scorer: Vec::new(),
            sample_bps: 10_000,
            concurrency: 4,
            first_pause_ms: 1_000,
            longest_pause_ms: 300_000,
            unavailable_after_ms: None,
            recheck_after_ms: None,
            scorer_timeout_ms: 35 * 60_000,
            keep_epochs: 30,
        }
    }
}

impl AuditConfig {
    /// Time over which a blob must be missing, with epochs of `epoch_ms`, in milliseconds.
    pub(super) fn unavailable_after(&self, epoch_ms: u64) -> u64 {
        let rule = epoch_ms.div_ceil(UNAVAILABLE_PART);
        self.unavailable_after_ms.unwrap_or(rule)
    }

    /// Pause after `attempts` tries without a verdict, with epochs of `epoch_ms`, in milliseconds.
    /// Short enough that a missing blob is tried several times before it counts.
    pub(super) fn pause_ms(&self, attempts: u32, epoch_ms: u64) -> u64 {
        let doubled = 1_u64.checked_shl(attempts.saturating_sub(1).min(32));
        let pause = self.first_pause_ms.saturating_mul(doubled.unwrap_or(1));
        pause.min(self.longest_pause(epoch_ms)).max(1)
    }

    pub(super) fn longest_pause(&self, epoch_ms: u64) -> u64 {
        let several = self.unavailable_after(epoch_ms) / 4;
        self.longest_pause_ms.min(several).max(1)
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(url) => vec![url],
        OneOrMany::Many(urls) => urls,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_scorer_or_several_can_be_named() {
        let one: AuditConfig = toml::from_str("scorer = \"http://a\"").unwrap();
        assert_eq!(one.scorer, ["http://a"]);
        let two: AuditConfig = toml::from_str("scorer = [\"http://a\", \"http://b\"]").unwrap();
        assert_eq!(two.scorer, ["http://a", "http://b"]);
        let text = toml::to_string(&two).unwrap();
        assert_eq!(toml::from_str::<AuditConfig>(&text).unwrap(), two);
        assert!(toml::from_str::<AuditConfig>("scorers = []").is_err());
    }

    #[test]
    fn pauses_double_and_leave_time_for_several_tries() {
        let config = AuditConfig::default();
        let day = 86_400_000;
        assert_eq!(config.unavailable_after(day), day / 10);
        let pauses: Vec<u64> = [1, 2, 3, 9, 40]
            .map(|tries| config.pause_ms(tries, day))
            .into();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 256_000, 300_000]);
        assert_eq!(config.pause_ms(9, 20_000), 500);
        assert_eq!(config.pause_ms(0, 0), 1);
    }
}
