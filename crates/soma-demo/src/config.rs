//! How the demo is played.

use std::path::PathBuf;

use soma_localnet::NodeProgram;
use soma_sdk::blobs::StoreConfig;

use crate::domains::DomainConfig;

/// How the demo is played.
#[derive(Clone, Debug)]
pub struct DemoConfig {
    /// The kinds of data; a specialist is trained for each. At least three, as many as models are
    /// assigned to a target.
    pub domains: Vec<DomainConfig>,
    /// Bytes of each kind to train on.
    pub domain_bytes: u64,
    /// Size of the models by name.
    pub model_size: String,
    /// Optimizer steps of each specialist.
    pub steps: u64,
    /// Chooses data, weights and order; the same seed plays with the same specialists.
    pub seed: u64,
    /// Epochs in which targets are filled.
    pub rounds: u64,
    /// Targets that each submitter fills in a round, at most.
    pub fills: u64,
    /// Validators, each of which audits.
    pub validators: usize,
    /// What runs the nodes of all but the first; in this process when absent.
    pub program: Option<NodeProgram>,
    /// Where blobs are put; default the network's own server.
    pub storage: Option<StoreConfig>,
    /// Where everything is kept; a temporary folder when absent.
    pub folder: Option<PathBuf>,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            domains: DomainConfig::defaults(),
            domain_bytes: 1_500_000,
            model_size: "mini".to_owned(),
            steps: 300,
            seed: 1,
            rounds: 2,
            fills: 5,
            validators: 1,
            program: None,
            storage: None,
            folder: None,
        }
    }
}

impl DemoConfig {
    /// Small models that learn little in seconds: for tests of the game itself.
    pub fn quick() -> Self {
        Self {
            domain_bytes: 200_000,
            model_size: "small".to_owned(),
            steps: 80,
            fills: 2,
            ..Self::default()
        }
    }
}
