//! Reading the open targets and their models from the node, as little as is needed.

use std::collections::BTreeSet;

use soma_api::{TargetView, WeightsSource};
use soma_sdk::pages::collect;
use soma_sdk::{Client, SdkError, TargetFilter};
use soma_types::{ModelId, TargetId};

use crate::scan::{Board, OpenTarget};

/// More new targets than this are read as a list, not one by one.
const FEW: usize = 8;

/// Reads boards, and remembers what of them stays the same.
#[derive(Debug)]
pub(super) struct Refresher {
    /// Only this target.
    only: Option<TargetId>,
    /// Models that were asked for in this epoch.
    known_models: BTreeSet<ModelId>,
}

impl Refresher {
    pub(super) fn new(only: Option<TargetId>) -> Self {
        Self {
            only,
            known_models: BTreeSet::new(),
        }
    }

    /// The next board after `before`. Models are asked for once an epoch, and when they are stale.
    pub(super) async fn read(
        &mut self,
        client: &Client,
        before: &Board,
        are_models_stale: bool,
    ) -> Result<Board, SdkError> {
        let epoch = client.status().await?.epoch;
        let mut board = Board {
            epoch,
            ..Board::default()
        };
        let open = match &self.only {
            Some(id) => vec![client.target(id, false).await?],
            None => list(client, false).await?,
        };
        let is_current = |view: &&TargetView| view.status == "open" && view.epoch == epoch;
        let open: Vec<&TargetView> = open.iter().filter(is_current).collect();
        let new = open
            .iter()
            .filter(|view| !before.targets.contains_key(&view.id));
        let new: Vec<TargetId> = new.map(|view| view.id).collect();
        for view in &open {
            if let Some(known) = before.targets.get(&view.id) {
                board.targets.insert(known.id, known.clone());
            }
        }
        for view in read_new(client, &new).await? {
            // One that was filled meanwhile is not open any more.
            if let Some(target) = OpenTarget::from_view(&view) {
                board.targets.insert(target.id, target);
            }
        }
        let mut known = BTreeSet::new();
        if !are_models_stale && epoch == before.epoch {
            known.clone_from(&self.known_models);
            board.models.clone_from(&before.models);
        }
        for model in board.unknown_models(&known) {
            let view = client.model(&model, false).await?;
            known.insert(model);
            if let (Some(weights), "active") = (&view.weights, view.status.as_str()) {
                board.models.insert(model, WeightsSource::from(weights));
            }
        }
        self.known_models = known;
        Ok(board)
    }
}

async fn list(client: &Client, with_embedding: bool) -> Result<Vec<TargetView>, SdkError> {
    let filter = TargetFilter {
        status: Some("open".to_owned()),
        with_embedding,
        ..TargetFilter::default()
    };
    collect(None, async |page| client.targets(&filter, &page).await).await
}

/// Targets with their embeddings, which are large.
async fn read_new(client: &Client, new: &[TargetId]) -> Result<Vec<TargetView>, SdkError> {
    if new.len() > FEW {
        let mut all = list(client, true).await?;
        all.retain(|view| new.contains(&view.id));
        return Ok(all);
    }
    let mut views = Vec::new();
    for id in new {
        views.push(client.target(id, true).await?);
    }
    Ok(views)
}
