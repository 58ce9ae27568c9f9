//! `soma submit once`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use soma_sdk::types::TargetId;
use soma_submitter::{Control, Report, Submitter, SubmitterEvent};

use super::{SubmitterArguments, short};
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Output, table};

/// Who runs one pass wants to know that node or scorer are not there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Go through the data once, and submit what hits
#[derive(Clone, Debug, Args)]
pub struct Once {
    /// What to submit, and how.
    #[command(flatten)]
    pub arguments: SubmitterArguments,
    /// Fill only this target
    #[arg(long, alias = "target-id", value_name = "ID")]
    pub target: Option<TargetId>,
    /// Say what would be submitted, and submit nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl Once {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let account = self.arguments.account(context)?;
        let config = self.arguments.config(context, &account, self.dry_run);
        let mut config = config.await?;
        config.limits.once = true;
        config.limits.patience = Some(PATIENCE);
        config.limits.target = self.target;
        config.limits.dry_run = self.dry_run;
        let view = Arc::new(super::view::View::new(false));
        let (watched, is_quiet) = (Arc::clone(&view), context.options.json);
        let filled = Arc::new(Mutex::new(BTreeSet::new()));
        let filling = Arc::clone(&filled);
        let observer = move |event: &SubmitterEvent| {
            if let SubmitterEvent::Step { target, state, .. } = event
                && state == "opened"
            {
                let mut filled = filling.lock().unwrap_or_else(PoisonError::into_inner);
                filled.insert(*target);
            }
            if !is_quiet {
                watched.show(event);
            }
        };
        let submitter = Submitter::open(account, config, Control::default(), observer);
        let mut submitter = submitter.await?;
        let result = submitter.run().await;
        if !is_quiet {
            view.end();
        }
        let report = result?;
        match report.nothing() {
            Some(nothing) => Err(CliError::NothingSubmitted(nothing)),
            None => {
                let filled = filled.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(output(&submitter, &report, &filled))
            }
        }
    }
}

fn output(submitter: &Submitter, report: &Report, filled: &BTreeSet<TargetId>) -> Output {
    let entries = submitter.entries();
    let filled = entries.filter(|entry| filled.contains(&entry.target));
    let (mut rows, mut dry) = (Vec::new(), Vec::new());
    for planned in &report.planned {
        dry.push(json!({
            "target_id": planned.target,
            "path": planned.path,
            "checksum": planned.checksum,
            "model_id": planned.model,
            "loss": planned.loss,
            "distance": planned.distance.to_f64(),
            "threshold": planned.threshold.to_f64(),
            "bond": planned.bond,
            "reward": planned.reward,
        }));
        rows.push([
            format!("{}…", short(&planned.target.to_string())),
            planned.path.display().to_string(),
            planned.distance.to_string(),
            planned.bond.to_string(),
            format!("{} (dry run)", planned.reward),
        ]);
    }
    let mut submitted = Vec::new();
    for entry in filled {
        let opened = entry.state.opened();
        let bond = opened.map(|opened| opened.bond).unwrap_or_default();
        let claimable = opened
            .map(|opened| opened.epoch.plus(2))
            .unwrap_or_default();
        rows.push([
            format!("{}…", short(&entry.target.to_string())),
            entry.piece.path.display().to_string(),
            entry.distance.to_string(),
            bond.to_string(),
            format!("from epoch {claimable}"),
        ]);
        submitted.push(json!({
            "target_id": entry.target,
            "path": entry.piece.path,
            "offset": entry.piece.offset,
            "size": entry.piece.size,
            "checksum": entry.checksum,
            "model_id": entry.model,
            "loss": entry.loss,
            "distance": entry.distance.to_f64(),
            "bond": bond,
            "claimable_from": claimable,
        }));
    }
    let text = table(["TARGET", "DATA", "DISTANCE", "BOND", "REWARD"], &rows);
    let json = json!({
        "submitted": submitted,
        "planned": dry,
        "stats": report.stats,
    });
    Output::new(&json, text)
}
