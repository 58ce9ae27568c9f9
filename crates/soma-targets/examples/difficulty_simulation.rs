//! The difficulty controller against normally spread distances, as CSV for a plot.
//!
//! ```text
//! cargo run --example difficulty_simulation -- [DIM] [EPOCHS]
//! ```
//!
//! Two runs, one from the easiest threshold (2) and one from the hardest (1 − 6σ). The supply of
//! data is such that the goal is met at z = 2; the budget pays for twice the goal.

use std::io::Write;

use soma_targets::difficulty::{Difficulty, Parameters};
use soma_types::Distance;

const GOAL: u64 = 86_400;
/// Where hits meet the goal.
const BALANCED_Z: f64 = 2.0;

/// Chance that a normal number is above z.
fn tail(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

fn simulate(
    out: &mut impl Write,
    name: &str,
    start: Distance,
    dim: u64,
    epochs: u64,
) -> std::io::Result<()> {
    let parameters = Parameters {
        hits_goal: GOAL,
        dim,
        ema_decay_bps: 9_000,
    };
    let tries = GOAL as f64 / tail(BALANCED_Z);
    let mut difficulty = Difficulty {
        threshold: start,
        hits_average: None,
    };
    for epoch in 0..epochs {
        let threshold = difficulty.threshold.to_f64();
        let z = (1.0 - threshold) * (dim as f64).sqrt();
        let hits = ((tries * tail(z)) as u64).min(2 * GOAL);
        writeln!(out, "{name},{epoch},{threshold:.9},{z:.6},{hits},{GOAL}")?;
        difficulty = difficulty.next(hits, &parameters);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (dim, epochs) = (number(2_048)?.max(1), number(120)?);
    let hardest = (1.0 - 6.0 / (dim as f64).sqrt()).max(0.0);
    let hardest = Distance::from_f64(hardest).unwrap_or(Distance::MAX);
    let mut out = std::io::stdout().lock();
    writeln!(out, "start,epoch,threshold,z,hits,goal")?;
    simulate(&mut out, "easy", Distance::MAX, dim, epochs)?;
    simulate(&mut out, "hard", hardest, dim, epochs)?;
    Ok(())
}
