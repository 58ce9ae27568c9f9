//! What `soma submit` shows while it works: a bar on a terminal, plain lines elsewhere, JSON for
//! scripts.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use soma_progress::Progress;
use soma_submitter::run::Wanting;
use soma_submitter::{Report, Stats, Submitter, SubmitterEvent};

use super::short;

/// Shows what a submitter tells.
pub(super) struct View {
    as_json: bool,
    shown: Mutex<Shown>,
}

struct Shown {
    progress: Progress,
    stats: Stats,
    /// Candidates of the pass that were looked at.
    done: u64,
}

impl View {
    pub(super) fn new(as_json: bool) -> Self {
        Self {
            as_json,
            shown: Mutex::new(Shown {
                progress: Progress::hidden(),
                stats: Stats::default(),
                done: 0,
            }),
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // A panic while locked leaves what is shown as it was.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there already when a run begins.
    pub(super) fn begin(&self, submitter: &Submitter) {
        let entries = submitter.entries().count();
        self.shown().stats = submitter.stats();
        if entries > 0 {
            self.say(&format!("Going on with {entries} submissions of before."));
        }
    }

    /// A line for people.
    pub(super) fn say(&self, text: &str) {
        if !self.as_json {
            // Outside a pass there is no bar to keep clear of.
            eprintln!("{text}");
        }
    }

    pub(super) fn end(&self) {
        if !self.as_json {
            self.shown().progress.finish();
        }
    }

    /// Shows an event.
    pub(super) fn show(&self, event: &SubmitterEvent) {
        let mut shown = self.shown();
        shown.stats.add(event);
        if self.as_json {
            print_line(&json!(event));
            return;
        }
        match event {
            SubmitterEvent::PassBegan { candidates, .. } => {
                shown.progress.finish();
                shown.progress = Progress::new("candidates", Some(*candidates));
                shown.done = 0;
            }
            SubmitterEvent::Scanned { candidates, .. } | SubmitterEvent::Skipped { candidates } => {
                shown.done += candidates;
                shown.progress.set(shown.done);
            }
            SubmitterEvent::Unusable { .. } => {
                shown.done += 1;
                shown.progress.set(shown.done);
            }
            _ => {}
        }
        if let Some(line) = line(event) {
            match event {
                SubmitterEvent::PassBegan { .. } => eprintln!("{line}"),
                _ => shown.progress.say(&line),
            }
        }
        let text = sums(&shown.stats);
        shown.progress.message(text);
    }

    /// The sums of the run, as its last line.
    pub(super) fn print_report(&self, report: &Report) {
        match self.as_json {
            true => {
                let mut line = json!(report.stats);
                line["event"] = json!("ended");
                print_line(&line);
            }
            false => {
                let text = sums(&report.stats);
                print_text(&format!("{} scored, {text}.", report.stats.scanned));
            }
        }
    }
}

fn print_line(line: &serde_json::Value) {
    print_text(&line.to_string());
}

fn print_text(text: &str) {
    let mut out = std::io::stdout();
    // Who started this may have closed its output; submissions go on.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn sums(stats: &Stats) -> String {
    let mut text = format!(
        "{} hits, {} misses, {} filled, {} claimed, bonds {}, rewards {}",
        stats.hits, stats.misses, stats.filled, stats.claimed, stats.bonds_out, stats.rewards
    );
    if stats.lost_races > 0 {
        text.push_str(&format!(", {} races lost", stats.lost_races));
    }
    if let (0, Some(near)) = (stats.hits, stats.nearest) {
        let (distance, threshold) = (near.distance, near.threshold);
        text.push_str(&format!(", nearest {distance} of {threshold}"));
    }
    text
}

/// A line for people; none for what only moves the bar.
fn line(event: &SubmitterEvent) -> Option<String> {
    Some(match event {
        SubmitterEvent::Epoch {
            epoch,
            targets,
            model_sets,
        } => format!("Epoch {epoch}: {targets} open targets with {model_sets} sets of models."),
        SubmitterEvent::PassBegan {
            candidates,
            too_large,
        } => match too_large {
            0 => format!("{candidates} candidates."),
            _ => format!("{candidates} candidates; {too_large} files are too large."),
        },
        SubmitterEvent::Unusable { path, reason } => {
            format!("Cannot score {}: {reason}", path.display())
        }
        SubmitterEvent::Step {
            target,
            state,
            reward,
            lost,
            ..
        } => {
            let target = target.to_string();
            let target = short(&target);
            match (state.as_str(), lost, reward) {
                ("opened", _, _) => format!("Filled {target}…"),
                ("claimed", _, Some(reward)) => format!("Claimed {target}…: {reward}"),
                ("lost", Some(reason), _) => format!("Lost {target}…: {reason}"),
                _ => return None,
            }
        }
        SubmitterEvent::ClaimedOther { target, reward } => {
            format!("Claimed {}…: {reward}", short(&target.to_string()))
        }
        SubmitterEvent::Lapsed { target } => {
            let target = target.to_string();
            format!(
                "The commitment for {}… lapsed; sealing again.",
                short(&target)
            )
        }
        SubmitterEvent::WaitingForMoney(wanting) => format!("Waiting: {}", self::wanting(wanting)),
        SubmitterEvent::UnreadableModels { error } => {
            format!("Targets passed over, for their models cannot all be loaded: {error}")
        }
        SubmitterEvent::Retrying { what, error, .. } => format!("Trying again: {what}: {error}"),
        _ => return None,
    })
}

/// What people read of money that is not enough.
pub(super) fn wanting(wanting: &Wanting) -> String {
    let Wanting {
        needed, available, ..
    } = wanting;
    match wanting.at_max_bonds {
        true => format!("the next bond would exceed --max-bonds, which leaves {available}."),
        false => format!("the next submission needs {needed}, there are {available}."),
    }
}
