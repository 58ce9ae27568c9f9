//! The outcome as text.

use std::fmt::Write as _;

use super::{short, soma};
use crate::outcome::Outcome;

/// The outcome as tables.
pub fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    models(&mut text, outcome);
    bits_per_byte(&mut text, outcome);
    let rows: Vec<[String; 6]> = outcome
        .submitters
        .iter()
        .map(|one| {
            [
                one.domain.clone(),
                short(&one.address),
                one.scored.to_string(),
                one.filled.to_string(),
                one.claimed.to_string(),
                soma(one.earned),
            ]
        })
        .collect();
    let head = [
        "SUBMITTER",
        "ACCOUNT",
        "SCORED",
        "FILLED",
        "CLAIMED",
        "EARNED",
    ];
    table(&mut text, "Submitters", head, &rows);
    let rows: Vec<[String; 4]> = outcome
        .delegators
        .iter()
        .map(|one| {
            [
                one.staked_with.clone(),
                short(&one.address),
                soma(one.staked),
                soma(one.value),
            ]
        })
        .collect();
    let head = ["STAKED WITH", "ACCOUNT", "STAKED", "WORTH NOW"];
    table(&mut text, "Delegators", head, &rows);
    let rows: Vec<[String; 4]> = outcome
        .cheats
        .iter()
        .map(|one| {
            [
                one.kind.clone(),
                short(&one.address),
                one.result.clone(),
                soma(one.lost),
            ]
        })
        .collect();
    let head = ["CHEAT", "ACCOUNT", "RESULT", "LOST"];
    table(&mut text, "Cheats", head, &rows);
    ending(&mut text, outcome);
    text
}

fn models(text: &mut String, outcome: &Outcome) {
    let rows: Vec<[String; 8]> = outcome
        .models
        .iter()
        .map(|model| {
            [
                model.domain.clone(),
                short(&model.id),
                model.steps.to_string(),
                model.tokens.to_string(),
                format!("{:.0}", model.seconds),
                model.won.to_string(),
                soma(model.owner_earned),
                soma(model.stake),
            ]
        })
        .collect();
    let head = [
        "DOMAIN", "MODEL", "STEPS", "TOKENS", "SECONDS", "WON", "EARNED", "STAKE",
    ];
    table(text, "Models", head, &rows);
}

fn bits_per_byte(text: &mut String, outcome: &Outcome) {
    let names = outcome.domains.iter().map(|domain| domain.name.as_str());
    let _ = writeln!(
        text,
        "Bits per byte on held-out files (the lowest of each column has a *)"
    );
    let mut line = format!("  {:<12}", "MODEL");
    for name in names {
        let _ = write!(line, "{name:>12}");
    }
    let _ = writeln!(text, "{line}");
    for model in &outcome.models {
        let mut line = format!("  {:<12}", model.domain);
        for (place, value) in model.bits_per_byte.iter().enumerate() {
            let mark = if is_best(outcome, place, *value) {
                "*"
            } else {
                " "
            };
            let _ = write!(line, "{:>12}", format!("{value:.3}{mark}"));
        }
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text);
}

pub(super) fn is_best(outcome: &Outcome, place: usize, value: f64) -> bool {
    let column = outcome
        .models
        .iter()
        .filter_map(|model| model.bits_per_byte.get(place));
    column.copied().all(|other| value <= other)
}

fn ending(text: &mut String, outcome: &Outcome) {
    let targets = &outcome.targets;
    let _ = writeln!(
        text,
        "{} epochs, {} blocks; targets: {} filled, {} claimed, {} fraud, {} void, {} expired",
        outcome.epochs,
        outcome.blocks,
        targets.filled,
        targets.claimed,
        targets.fraud,
        targets.void,
        targets.expired
    );
    let _ = writeln!(
        text,
        "{:.0} s in all, {:.0} s of them training; at most {} MB of memory\n",
        outcome.seconds,
        outcome.training_seconds,
        outcome.peak_memory_bytes / 1_000_000
    );
    for check in &outcome.checks {
        let mark = if check.holds { "ok  " } else { "FAIL" };
        let _ = writeln!(text, "{mark} {}: {}", check.name, check.detail);
    }
}

fn table<const N: usize>(text: &mut String, title: &str, head: [&str; N], rows: &[[String; N]]) {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let _ = writeln!(text, "{title}");
    let mut line = |cells: [&str; N]| {
        let mut out = String::from("  ");
        for (cell, width) in cells.iter().zip(widths) {
            let _ = write!(out, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", out.trim_end());
    };
    line(head);
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
    let _ = writeln!(text);
}
