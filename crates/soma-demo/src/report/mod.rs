//! The outcome for people: a text for the terminal, a page with plots.

mod html;
mod plots;
mod text;

pub use html::html;
pub use text::text;

use soma_types::Shannons;

/// A whole number of SOMA and three places.
fn soma(amount: Shannons) -> String {
    format!("{:.3}", amount.0 as f64 / 1e9)
}

/// The first characters of an address or id.
fn short(id: &impl ToString) -> String {
    let text = id.to_string();
    let head: String = text.chars().take(10).collect();
    format!("{head}…")
}
