//! The soak: a long random game.

use anyhow::{Result, ensure};
use clap::Args;

use soma_progress::Progress;
use soma_tests::game::Game;

/// How long to play.
#[derive(Args)]
pub(crate) struct Soak {
    /// Transactions to play.
    #[arg(long, default_value_t = 1_000_000)]
    ops: u64,
    /// Seed of the first game; each game is a new world.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Transactions in a game.
    #[arg(long, default_value_t = 20_000)]
    ops_per_game: u64,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Soak {
    /// Plays, and fails when a rule is broken.
    pub(crate) fn run(self) -> Result<()> {
        ensure!(self.ops_per_game > 0, "--ops-per-game must be at least 1");
        let progress = Progress::new("operations", Some(self.ops));
        let (mut played, mut blocks, mut epochs, mut seed) = (0, 0, 0, self.seed);
        while played < self.ops {
            let mut game = Game::new(seed);
            let end = self.ops_per_game.min(self.ops - played);
            while game.tally().operations < end {
                let before = game.tally().operations;
                game.play_block();
                progress.add(game.tally().operations - before);
            }
            game.check_recount();
            let tally = game.tally();
            played += tally.operations;
            blocks += tally.blocks;
            epochs += tally.epochs;
            seed += 1;
        }
        progress.finish();
        match self.json {
            true => println!(
                "{}",
                serde_json::json!({
                    "operations": played, "blocks": blocks, "epochs": epochs,
                    "games": seed - self.seed, "passed": true,
                })
            ),
            false => println!("passed: {played} operations, {blocks} blocks, {epochs} epochs"),
        }
        Ok(())
    }
}
