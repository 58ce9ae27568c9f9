//! The outcome for people: a text for the terminal, a page with plots.

mod html;
mod plots;
mod text;

pub use html::html;
pub use text::text;

use soma_types::Shannons;

/// SOMA with three places, and with all of them where that would show nothing.
fn soma(amount: Shannons) -> String {
    let value = amount.0 as f64 / 1e9;
    match amount.0 {
        1..500_000 => format!("{value:.9}"),
        _ => format!("{value:.3}"),
    }
}

/// The first characters of an address or id.
fn short(id: &impl ToString) -> String {
    let text = id.to_string();
    let head: String = text.chars().take(10).collect();
    format!("{head}…")
}
