//! The outcome as a page that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html as page};

use super::text::is_best;
use super::{plots, short, soma};
use crate::outcome::Outcome;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; margin: .5rem 0 } th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left } th { font-weight: 600 }
.best { background: #e2f3ea; font-weight: 600 } .ok { color: #007a4d } .fail { color: #b00020; font-weight: 600 }
svg { max-width: 100%; height: auto }
";

/// The page.
pub fn html(outcome: &Outcome) -> String {
    let verdict = match outcome.passed() {
        true => "Everything that had to hold does.",
        false => "Something that had to hold does not.",
    };
    let page = page! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "SOMA: a game played to the end" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "SOMA: a game played to the end" }
                p {
                    (outcome.models.len()) " models of size " (outcome.model_size)
                    " trained on real files, " (outcome.epochs) " epochs, " (outcome.blocks)
                    " blocks, " (format!("{:.0}", outcome.seconds)) " seconds. " (verdict)
                }
                (checks(outcome))
                (models(outcome))
                (submitters(outcome))
                (cheats(outcome))
                (supply(outcome))
            }
        }
    };
    page.into_string()
}

fn plot(svg: Result<String, Box<dyn std::error::Error>>) -> Markup {
    match svg {
        Ok(svg) => PreEscaped(svg),
        Err(error) => page! { p.fail { "no plot: " (error) } },
    }
}

fn checks(outcome: &Outcome) -> Markup {
    page! {
        h2 { "What had to hold" }
        table {
            @for check in &outcome.checks {
                tr {
                    td { (check.name) }
                    @if check.holds { td.ok { "holds" } } @else { td.fail { "does not hold" } }
                    td style="text-align:left" { (check.detail) }
                }
            }
        }
    }
}

fn models(outcome: &Outcome) -> Markup {
    let won: Vec<_> = outcome
        .models
        .iter()
        .map(|model| (model.domain.clone(), model.won as f64))
        .collect();
    page! {
        h2 { "Models" }
        (plot(plots::curves(outcome)))
        p { "Bits per byte on files that no model saw in training; the lowest of each column is marked." }
        table {
            tr {
                th { "trained on" }
                @for domain in &outcome.domains { th { (domain.name) } }
                th { "steps" } th { "seconds" } th { "won" } th { "owner earned" } th { "stake" }
            }
            @for model in &outcome.models {
                tr {
                    td { (model.domain) " " (short(&model.id)) }
                    @for (place, value) in model.bits_per_byte.iter().enumerate() {
                        td.best[is_best(outcome, place, *value)] { (format!("{value:.3}")) }
                    }
                    td { (model.steps) }
                    td { (format!("{:.0}", model.seconds)) }
                    td { (model.won) }
                    td { (soma(model.owner_earned)) }
                    td { (soma(model.stake)) }
                }
            }
        }
        h2 { "Targets won" }
        (plot(plots::bars(&won, "targets")))
    }
}

fn submitters(outcome: &Outcome) -> Markup {
    let earned: Vec<_> = outcome
        .submitters
        .iter()
        .map(|one| (one.domain.clone(), one.earned.0 as f64 / 1e9))
        .collect();
    page! {
        h2 { "Submitters" }
        table {
            tr {
                th { "files of" } th { "account" } th { "scored" } th { "filled" } th { "claimed" }
                th { "earned, SOMA" }
            }
            @for one in &outcome.submitters {
                tr {
                    td { (one.domain) } td { (short(&one.address)) } td { (one.scored) }
                    td { (one.filled) } td { (one.claimed) } td { (soma(one.earned)) }
                }
            }
        }
        (plot(plots::bars(&earned, "SOMA")))
        h2 { "Delegators" }
        table {
            tr { th { "staked with" } th { "account" } th { "staked" } th { "worth now" } }
            @for one in &outcome.delegators {
                tr {
                    td { (one.staked_with) } td { (short(&one.address)) }
                    td { (soma(one.staked)) } td { (soma(one.value)) }
                }
            }
        }
    }
}

fn cheats(outcome: &Outcome) -> Markup {
    page! {
        h2 { "Cheats" }
        table {
            tr { th { "what was tried" } th { "account" } th { "result" } th { "lost, SOMA" } }
            @for one in &outcome.cheats {
                tr {
                    td { (one.kind) } td { (short(&one.address)) }
                    @if one.caught { td.ok { (one.result) } } @else { td.fail { (one.result) } }
                    td { (soma(one.lost)) }
                }
            }
        }
    }
}

fn supply(outcome: &Outcome) -> Markup {
    page! {
        h2 { "Supply" }
        table {
            tr { th { "epoch" } th { "sum of all pools, SOMA" } th { "" } }
            @for one in &outcome.supply {
                tr {
                    td { (one.epoch) } td { (soma(one.total)) }
                    @if one.ok { td.ok { "complete" } } @else { td.fail { "wrong" } }
                }
            }
        }
    }
}
