//! `soma start scoring`.

use std::io::Write;

use clap::Args;
use soma_scoring::arguments::ScoringArguments;

use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;

/// Run a scoring service, until Ctrl-C
#[derive(Clone, Debug, Args)]
pub struct Scoring {
    /// Its settings.
    #[command(flatten)]
    pub arguments: ScoringArguments,
}

impl Scoring {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let folder = context.dir.dir().join("scoring");
        let json = context.options.json;
        let run = self.arguments.run(Some(folder), |service| {
            let info = service.info();
            let text = if json {
                let url = format!("http://{}", service.address());
                serde_json::json!({ "url": url, "info": info }).to_string()
            } else {
                format!(
                    "Scorer is ready: http://{}\n  Device: {} ({})\n  Models: {}, {} numbers in \
                     an embedding\nPress Ctrl-C to stop.",
                    service.address(),
                    info.device,
                    info.device_name,
                    info.model_size,
                    info.embedding_dim,
                )
            };
            let mut out = std::io::stdout();
            // Who started this may have closed its output; the service runs on.
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        });
        run.await?;
        Ok(Output::nothing())
    }
}
