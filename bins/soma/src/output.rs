//! What commands print: text for people, JSON for scripts.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;
use soma_sdk::types::{Bps, Shannons};

/// The result of a command in both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// For people.
    pub text: String,
    /// For scripts: amounts in shannons.
    pub json: Value,
}

impl Output {
    /// A result.
    pub fn new(json: &impl Serialize, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            // Every type of this crate can be JSON.
            json: serde_json::to_value(json).unwrap_or_default(),
        }
    }

    /// Nothing to print.
    pub fn nothing() -> Self {
        Self {
            text: String::new(),
            json: Value::Null,
        }
    }

    /// The chosen form.
    pub fn render(&self, as_json: bool) -> String {
        match as_json {
            true if self.json.is_null() => String::new(),
            true => format!("{:#}", self.json),
            false => self.text.clone(),
        }
    }
}

/// Lines of `Label: value`.
#[derive(Clone, Debug, Default)]
pub struct Fields(String);

impl Fields {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    #[must_use]
    pub fn with(mut self, label: &str, value: impl std::fmt::Display) -> Self {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{label}: {value}");
        self
    }

    /// Adds a line when there is a value.
    #[must_use]
    pub fn maybe(self, label: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(label, value),
            None => self,
        }
    }

    /// The lines.
    pub fn text(self) -> String {
        self.0
    }
}

/// A table with aligned columns.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: &[String; N]| {
        let mut out = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let _ = write!(out, "{cell:width$}  ");
        }
        text.push_str(out.trim_end());
        text.push('\n');
    };
    line(&head.map(str::to_owned));
    rows.iter().for_each(line);
    text
}

/// A table, or a sentence when it has no rows.
pub fn table_or<const N: usize>(head: [&str; N], rows: &[[String; N]], empty: &str) -> String {
    match rows.is_empty() {
        true => empty.to_owned(),
        false => table(head, rows),
    }
}

/// Basis points as percent: `2.5 %`.
pub fn percent(bps: u16) -> String {
    let (whole, rest) = (bps / 100, bps % 100);
    let whole_bps = Bps::WHOLE.get();
    debug_assert!(bps <= whole_bps);
    match rest {
        0 => format!("{whole} %"),
        rest if rest % 10 == 0 => format!("{whole}.{} %", rest / 10),
        rest => format!("{whole}.{rest:02} %"),
    }
}

/// A change in shannons as SOMA with its sign.
pub fn signed_soma(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "+" };
    format!("{sign}{}", Shannons(amount.unsigned_abs()))
}

/// The name that JSON has for a value without fields.
pub fn name_of(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or("unknown").to_owned()
}

/// Milliseconds as days, hours, minutes and seconds: the two largest that are not zero.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1_000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    match shown.is_empty() {
        true => "0 s".to_owned(),
        false => shown.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_spaces() {
        let rows = [["a".into(), "1".into()], ["long".into(), "22".into()]];
        assert_eq!(table(["NAME", "N"], &rows), "NAME  N\na     1\nlong  22\n");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(0), "0 %");
        assert_eq!(percent(250), "2.5 %");
        assert_eq!(percent(1_005), "10.05 %");
        assert_eq!(signed_soma(-1_500_000_000), "-1.5 SOMA");
        assert_eq!(duration(0), "0 s");
        assert_eq!(duration(86_399_000), "23 h 59 min");
        assert_eq!(duration(3_600_000), "1 h");
    }
}
