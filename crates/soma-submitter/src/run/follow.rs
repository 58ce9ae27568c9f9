//! Following the chain: events tell that something changed.

use soma_api::EventView;
use soma_sdk::{Client, EventRequest};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::backoff::Backoff;

/// How often something changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Targets or the epoch.
    pub(super) targets: u64,
    /// Models.
    pub(super) models: u64,
}

/// A task that follows the events of the node, and ends when this is dropped.
pub(super) struct Follower {
    pub(super) changes: watch::Receiver<Changes>,
    task: JoinHandle<()>,
}

const TYPES: [&str; 7] = [
    "target_drawn",
    "target_filled",
    "fraud_proven",
    "submission_voided",
    "model_revealed",
    "model_deactivated",
    "epoch_changed",
];

impl Follower {
    pub(super) fn start(client: Client) -> Self {
        let (sender, changes) = watch::channel(Changes::default());
        let task = tokio::spawn(follow(client, sender));
        Self { changes, task }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Without a stream the submitter still looks now and then, so every failure is only waited out.
async fn follow(client: Client, changes: watch::Sender<Changes>) {
    let mut backoff = Backoff::default();
    loop {
        let request = EventRequest {
            types: TYPES.map(str::to_owned).to_vec(),
            ..EventRequest::default()
        };
        match client.events(request).await {
            Ok(mut stream) => {
                // What happened between two streams is not told.
                changes.send_modify(|changes| {
                    changes.targets += 1;
                    changes.models += 1;
                });
                while let Ok(message) = stream.next().await {
                    backoff.reset();
                    changes.send_modify(|changes| match message.event {
                        EventView::ModelRevealed { .. } | EventView::ModelDeactivated { .. } => {
                            changes.models += 1;
                        }
                        _ => changes.targets += 1,
                    });
                }
            }
            Err(error) => tracing::debug!(%error, "no event stream"),
        }
        tokio::time::sleep(backoff.next()).await;
    }
}
