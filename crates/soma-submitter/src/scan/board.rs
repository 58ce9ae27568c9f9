//! The open targets and the models assigned to them, as of one moment.

use std::collections::{BTreeMap, BTreeSet};

use soma_api::{TargetView, WeightsSource};
use soma_sdk::ModelVersion;
use soma_types::{Distance, Embedding, Epoch, ModelId, Shannons, TargetId};

/// A target that can be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTarget {
    /// Its id.
    pub id: TargetId,
    /// The epoch in which alone it can be filled.
    pub epoch: Epoch,
    /// The assigned models.
    pub models: Vec<ModelId>,
    /// Its direction.
    pub embedding: Embedding,
    /// Data must lie at most this far away.
    pub threshold: Distance,
    /// What a fill earns, all parties together.
    pub reward: Shannons,
}

impl OpenTarget {
    /// The target of a view with embedding; `None` when it is not open or has no direction.
    pub fn from_view(view: &TargetView) -> Option<Self> {
        let embedding = Embedding::from_f32(view.embedding.as_deref()?).ok()?;
        (view.status == "open").then(|| Self {
            id: view.id,
            epoch: view.epoch,
            models: view.models.clone(),
            embedding,
            threshold: Distance(view.distance_threshold_fixed),
            reward: view.reward,
        })
    }
}

/// Models that a candidate is scored with together, and the targets that ask for just these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The models, by id.
    pub models: Vec<ModelVersion>,
    /// The targets.
    pub targets: Vec<TargetId>,
}

/// The open targets and the models assigned to them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// The current epoch.
    pub epoch: Epoch,
    /// The open targets.
    pub targets: BTreeMap<TargetId, OpenTarget>,
    /// The weights of active models; one that is missing cannot win, and the audit leaves it out.
    pub models: BTreeMap<ModelId, WeightsSource>,
}

impl Board {
    /// The models whose scores decide over a target, by id. Empty when none of them can win.
    pub fn versions(&self, target: &OpenTarget) -> Vec<ModelVersion> {
        let ids: BTreeSet<&ModelId> = target.models.iter().collect();
        let versions = ids.into_iter().filter_map(|model| {
            let weights = self.models.get(model)?;
            let weights = weights.plaintext_checksum.unwrap_or(weights.checksum);
            let model = *model;
            Some(ModelVersion { model, weights })
        });
        versions.collect()
    }

    /// The distinct sets of models of the open targets, those with most targets first.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: BTreeMap<Vec<ModelVersion>, Vec<TargetId>> = BTreeMap::new();
        for target in self.targets.values() {
            let models = self.versions(target);
            if !models.is_empty() {
                groups.entry(models).or_default().push(target.id);
            }
        }
        let groups = groups.into_iter();
        let mut groups: Vec<Group> = groups
            .map(|(models, targets)| Group { models, targets })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.targets.len()));
        groups
    }

    /// All models of [`Board::groups`].
    pub fn all_versions(&self) -> BTreeSet<ModelVersion> {
        let groups = self.groups();
        groups.into_iter().flat_map(|group| group.models).collect()
    }

    /// Assigned models whose weights are not known here.
    pub fn unknown_models(&self, known: &BTreeSet<ModelId>) -> BTreeSet<ModelId> {
        let models = self.targets.values().flat_map(|target| &target.models);
        models
            .filter(|model| !known.contains(model))
            .copied()
            .collect()
    }
}
