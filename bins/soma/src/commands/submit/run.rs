//! `soma submit run`.

use std::sync::Arc;

use clap::Args;
use soma_sdk::types::Epoch;
use soma_service::stop_signal;
use soma_submitter::{Control, Submitter};

use super::SubmitterArguments;
use super::view::View;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;

/// Score, submit and claim over the epochs, until Ctrl-C
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// What to submit, and how.
    #[command(flatten)]
    pub arguments: SubmitterArguments,
    /// End when this epoch has begun and its rewards are claimed
    #[arg(long, value_name = "EPOCH")]
    pub until_epoch: Option<Epoch>,
    /// End after so many targets were filled
    #[arg(long, value_name = "COUNT")]
    pub hits: Option<u64>,
}

impl Run {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let account = self.arguments.account(context)?;
        let mut config = self.arguments.config(context, &account, false).await?;
        config.limits.until_epoch = self.until_epoch;
        config.limits.hits = self.hits;
        let control = Control::default();
        let view = Arc::new(View::new(context.options.json));
        let watched = Arc::clone(&view);
        let observer = move |event: &_| watched.show(event);
        let submitter = Submitter::open(account, config, control.clone(), observer);
        let mut submitter = submitter.await?;
        view.begin(&submitter);
        let signals = tokio::spawn(obey_signals(control, Arc::clone(&view)));
        let result = submitter.run().await;
        signals.abort();
        view.end();
        let report = result?;
        if let Some(wanting) = report.wanting {
            context.say(&super::view::wanting(&wanting));
        }
        view.print_report(&report);
        Ok(Output::nothing())
    }
}

/// The first signal lets what is sealed be opened, the second ends at once.
async fn obey_signals(control: Control, view: Arc<View>) {
    stop_signal().await;
    view.say(
        "Stopping: what is sealed is opened first. Ctrl-C again stops at once; nothing is lost.",
    );
    control.stop();
    stop_signal().await;
    control.halt();
}
