//! Noticing that the node's own validator was slashed.

use std::sync::Arc;

use soma_types::{Address, Height};

use crate::application::Application;

/// What the node's validator was last seen to be slashed for.
#[derive(Debug, Default)]
pub(super) struct Slashed {
    height: Option<Height>,
}

impl Slashed {
    /// Says so in the log, once for each time.
    pub(super) async fn look(&mut self, application: &Arc<Application>, validator: Address) {
        let found = punished_at(Arc::clone(application), validator).await;
        let before = std::mem::replace(&mut self.height, found);
        if let Some(height) = found.filter(|_| found != before) {
            tracing::error!(
                height,
                %validator,
                "SLASHED: this validator was proven to have misbehaved. If another node runs with its \
                 consensus key, stop one of them now; if none does, the key may be in other hands: \
                 change it"
            );
        }
    }
}

/// The height of what `validator` was slashed for in this epoch.
async fn punished_at(application: Arc<Application>, validator: Address) -> Option<Height> {
    let read = move || application.chain().reader().validator(&validator);
    let found = tokio::task::spawn_blocking(read).await.ok()?.ok()??;
    found.misbehaved.then_some(found.punished_height)
}
