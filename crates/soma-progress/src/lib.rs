//! Progress of long work: a bar on a terminal, plain lines elsewhere.
//!
//! # Place
//! For programs. Libraries tell what they do through callbacks; programs show it with this. All of it is
//! this one file, [`Progress`] first.
//!
//! # Example
//! ```
//! use soma_progress::Progress;
//!
//! let progress = Progress::new("files", Some(3));
//! for name in ["a", "b", "c"] {
//!     progress.message(name);
//!     progress.add(1);
//! }
//! progress.finish();
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows on standard error how far some work is.
#[derive(Debug)]
pub struct Progress(Form);

#[derive(Debug)]
enum Form {
    Hidden,
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

impl Progress {
    /// Work of `total` units, or of an unknown number of them.
    pub fn new(unit: &str, total: Option<u64>) -> Self {
        match std::io::stderr().is_terminal() {
            true => Self(Form::Bar(bar(unit, total))),
            false => Self(Form::Lines(Mutex::new(Lines::new(unit, total)))),
        }
    }

    /// Shows nothing: for programs that were asked to be quiet.
    pub fn hidden() -> Self {
        Self(Form::Hidden)
    }

    /// So many units more are done.
    pub fn add(&self, units: u64) {
        match &self.0 {
            Form::Hidden => {}
            Form::Bar(bar) => bar.inc(units),
            Form::Lines(lines) => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.done += units;
                lines.print_now_and_then();
            }
        }
    }

    /// So many units are done in all.
    pub fn set(&self, units: u64) {
        match &self.0 {
            Form::Hidden => {}
            Form::Bar(bar) => bar.set_position(units),
            Form::Lines(lines) => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.done = units;
                lines.print_now_and_then();
            }
        }
    }

    /// Units that were done before this work began: they count as done, not for its speed.
    pub fn already(&self, units: u64) {
        match &self.0 {
            Form::Hidden => {}
            Form::Bar(bar) => {
                bar.set_position(units);
                bar.reset_eta();
            }
            Form::Lines(lines) => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.done = units;
                lines.before = units;
            }
        }
    }

    /// What is being done.
    pub fn message(&self, text: impl Into<String>) {
        match &self.0 {
            Form::Hidden => {}
            Form::Bar(bar) => bar.set_message(text.into()),
            Form::Lines(lines) => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.message = text.into();
                lines.print_now_and_then();
            }
        }
    }

    /// A line of its own, which stays.
    pub fn say(&self, text: &str) {
        match &self.0 {
            Form::Hidden => {}
            Form::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Form::Lines(_) => eprintln!("{text}"),
        }
    }

    /// The work is over.
    pub fn finish(&self) {
        match &self.0 {
            Form::Hidden => {}
            Form::Bar(bar) => bar.finish_and_clear(),
            Form::Lines(lines) => {
                let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                eprintln!("{}", lines.text());
            }
        }
    }
}

fn bar(unit: &str, total: Option<u64>) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    let template = match total {
        Some(_) => format!(
            "{{elapsed_precise}} {{bar:30}} {{human_pos}}/{{human_len}} {unit}, {{eta}} left {{wide_msg}}"
        ),
        None => format!("{{elapsed_precise}} {{spinner}} {{human_pos}} {unit} {{wide_msg}}"),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Progress as lines, one every few seconds.
#[derive(Debug)]
struct Lines {
    unit: String,
    total: Option<u64>,
    done: u64,
    /// Units that were done before.
    before: u64,
    message: String,
    begin: Instant,
    printed: Instant,
}

impl Lines {
    fn new(unit: &str, total: Option<u64>) -> Self {
        let now = Instant::now();
        Self {
            unit: unit.to_owned(),
            total,
            done: 0,
            before: 0,
            message: String::new(),
            begin: now,
            printed: now,
        }
    }

    fn print_now_and_then(&mut self) {
        if self.printed.elapsed() >= LINE_EVERY {
            self.printed = Instant::now();
            eprintln!("{}", self.text());
        }
    }

    fn text(&self) -> String {
        self.text_after(self.begin.elapsed())
    }

    fn text_after(&self, elapsed: Duration) -> String {
        let mut text = match self.total {
            Some(total) => format!("{}/{total} {}", self.done, self.unit),
            None => format!("{} {}", self.done, self.unit),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, " after {} s", elapsed.as_secs());
        let here = self.done.saturating_sub(self.before);
        if let Some(left) = self.total.and_then(|total| total.checked_sub(self.done))
            && left > 0
            && here > 0
        {
            let seconds = elapsed.as_secs_f64() * left as f64 / here as f64;
            let _ = write!(text, ", {seconds:.0} s left");
        }
        if !self.message.is_empty() {
            let _ = write!(text, ": {}", self.message);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_and_how_long_the_rest_takes() {
        let mut lines = Lines::new("files", Some(10));
        let after = Duration::from_secs(20);
        assert_eq!(lines.text_after(after), "0/10 files after 20 s");
        lines.done = 5;
        assert_eq!(lines.text_after(after), "5/10 files after 20 s, 20 s left");
        // What was done before this run says nothing of its speed.
        lines.before = 4;
        lines.message = "here".to_owned();
        let text = "5/10 files after 20 s, 100 s left: here";
        assert_eq!(lines.text_after(after), text);
        lines.done = 10;
        lines.message.clear();
        assert_eq!(lines.text_after(after), "10/10 files after 20 s");
    }

    #[test]
    fn work_without_an_end_has_no_time_left() {
        let mut lines = Lines::new("blocks", None);
        lines.done = 7;
        let text = lines.text_after(Duration::from_secs(3));
        assert_eq!(text, "7 blocks after 3 s");
    }
}
