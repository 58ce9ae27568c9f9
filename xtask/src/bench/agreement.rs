//! Both sides must compute the same, within the tolerance of the golden values.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::Measure;
use super::side::Side;
use crate::command::workspace;

/// The golden values, which say how far results may differ.
const CASES: &str = "crates/soma-model/testdata/model-v1/medium/cases.json";

/// |x − y| ≤ absolute + relative · |y|.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Tolerance {
    absolute: f64,
    relative: f64,
}

impl Tolerance {
    /// That of the golden values.
    pub(crate) fn of_the_fixtures() -> Result<Self> {
        #[derive(Deserialize)]
        struct Cases {
            tolerance: Tolerance,
        }
        let path = workspace().join(CASES);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let cases: Cases = serde_json::from_str(&text)?;
        Ok(cases.tolerance)
    }

    /// Largest differences of logits and loss for the input in `folder`.
    ///
    /// # Errors
    /// When one is beyond the tolerance, or not a number.
    pub(crate) fn compare(
        self,
        name: &str,
        folder: &Path,
        ours: &mut Side,
        peer: &mut Side,
    ) -> Result<Vec<Measure>> {
        let files = [folder.join("ours.f32"), folder.join("peer.f32")];
        let ask = |side: &mut Side, file: &Path| side.number(&format!("check {}", file.display()));
        let losses = (ask(ours, &files[0])?, ask(peer, &files[1])?);
        let logits = (numbers(&files[0])?, numbers(&files[1])?);
        let (mine, theirs) = (logits.0.len(), logits.1.len());
        ensure!(
            mine == theirs && mine > 0,
            "{mine} logits, the peer has {theirs}"
        );
        let logits = self.difference(logits.0.into_iter().zip(logits.1));
        let losses = self.difference([losses].into_iter());
        ["logits", "loss"]
            .into_iter()
            .zip([logits, losses])
            .map(|(what, difference)| {
                let difference = difference
                    .with_context(|| format!("{what} of {name} differ from the peer's"))?;
                Ok(self.row(&format!("{what}_{name}"), difference))
            })
            .collect()
    }

    /// A measure of a difference, in millionths.
    pub(crate) fn row(self, name: &str, difference: f64) -> Measure {
        let Self { absolute, relative } = self;
        Measure {
            measure: format!(
                "{name}: largest difference from the peer's; goal: at most {absolute} and \
                 {relative} of the value"
            ),
            ratio: None,
            ours: difference * 1e6,
            peer: None,
            unit: "millionths",
        }
    }

    /// The largest difference of pairs.
    pub(crate) fn difference(self, pairs: impl Iterator<Item = (f64, f64)>) -> Result<f64> {
        let mut largest = 0.0f64;
        for (at, (ours, peer)) in pairs.enumerate() {
            let difference = (ours - peer).abs();
            // Not a number is no agreement.
            ensure!(
                difference <= self.absolute + self.relative * peer.abs(),
                "value {at} is {ours}, the peer's {peer}"
            );
            largest = largest.max(difference);
        }
        Ok(largest)
    }
}

fn numbers(path: &Path) -> Result<Vec<f64>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (numbers, rest) = bytes.as_chunks();
    ensure!(rest.is_empty(), "{} is cut", path.display());
    Ok(numbers
        .iter()
        .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_tolerance_and_nan_do_not_agree() {
        let tolerance = Tolerance::of_the_fixtures().unwrap();
        let difference = |ours, peer| tolerance.difference([(1.0, 1.0), (ours, peer)].into_iter());
        assert!((difference(2.0, 2.0001).unwrap() - 1e-4).abs() < 1e-9);
        assert!(difference(2.0, 2.01).is_err());
        assert!(difference(f64::NAN, 2.0).is_err());
        assert!(difference(2.0, f64::NAN).is_err());
    }
}
