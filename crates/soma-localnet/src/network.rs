//! Starting and stopping all services in order.

use std::path::{Path, PathBuf};

use soma_blobs::{BlobError, FetchConfig};
use soma_node::localnet::{LocalnetError, NodeProcess, NodeProgram};
use soma_node::{Localnet, LocalnetConfig};
use soma_scoring::service::StartError;
use soma_scoring::{ModelConfig, ScoringService, ServiceConfig};
use soma_service::BindError;
use soma_types::Parameters;
use tempfile::TempDir;
use thiserror::Error;

use crate::blobs::Blobs;
use crate::config::{NetworkConfig, ScorerConfig, local, size_of_dim, wanted_size};
use crate::members::{Member, fail};

/// Parameter of the chain that the size of models decides.
const DIM: &str = "target_embedding_dim";

/// Why the network does not start, or why it stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Node, faucet or admin routes.
    #[error(transparent)]
    Localnet(#[from] LocalnetError),
    /// The scorer.
    #[error("scorer: {0}")]
    Scorer(#[from] StartError),
    /// The blob server's address.
    #[error("blob server: {0}")]
    Blobs(#[from] BindError),
    /// The blob server's folder cannot be made.
    #[error("blob server: cannot keep blobs in {}: {error}; choose another data folder", folder.display())]
    BlobFolder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The blob server's folder.
    #[error(transparent)]
    Folder(#[from] BlobError),
    /// The size of models is unknown.
    #[error(transparent)]
    Size(#[from] soma_scoring::ConfigError),
    /// The stored network has embeddings of a length that no size of models has.
    #[error(
        "the network's embeddings have {dim} numbers, which no size of models here has; start it without a scorer"
    )]
    NoSize {
        /// Numbers of an embedding.
        dim: u64,
    },
    /// The stored network has models of another size than asked for.
    #[error(
        "`model-size` is {stored} on the network in {}, not {asked}; start over with `--force-regenesis`, or leave it out", dir.display()
    )]
    Fixed {
        /// Its size.
        stored: String,
        /// The size asked for.
        asked: String,
        /// The data folder.
        dir: PathBuf,
    },
    /// A validator beside the first does not start, or did not end well.
    #[error("validator {number}: {reason}")]
    Validator {
        /// Which; the first is 1.
        number: usize,
        /// Why not.
        reason: String,
    },
    /// No folder for temporary files.
    #[error("cannot make a temporary folder: {0}")]
    Temporary(std::io::Error),
}

/// A running network.
pub struct Network {
    node: Localnet,
    members: Vec<Member>,
    model_size: String,
    scorer: Option<ScoringService>,
    blobs: Option<Blobs>,
    /// Where blobs lie when nothing is to be kept.
    _temporary: Option<TempDir>,
}

impl Network {
    /// Starts all services. Everything answers when this returns.
    ///
    /// # Errors
    /// [`NetworkError`]; what was started is stopped again.
    pub async fn start(mut config: NetworkConfig) -> Result<Self, NetworkError> {
        let (size, model) = decide_size(&mut config)?;
        let max_data = max_data(&config)?;
        let (folder, temporary) = match &config.node.data_dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let temporary = TempDir::new().map_err(NetworkError::Temporary)?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let blobs = match config.blobs {
            Some(address) => Some(Blobs::start(address, folder.join("blobs")).await?),
            None => None,
        };
        let scorer = match &config.scorer {
            Some(settings) => match start_scorer(settings, &size, model, &folder, max_data).await {
                Ok(scorer) => Some(scorer),
                Err(error) => {
                    stop(None, blobs).await;
                    return Err(error.into());
                }
            },
            None => None,
        };
        let node = &mut config.node.node;
        // Everything is on this machine, and the node has copies of what its owners lose.
        node.blobs.local = true;
        node.blobs.serve = true;
        if let Some(scorer) = &scorer {
            node.audit.scorer = vec![url(scorer)];
        }
        match start_nodes(config.node, config.program, &folder).await {
            Ok((node, members)) => Ok(Self {
                node,
                members,
                model_size: size,
                scorer,
                blobs,
                _temporary: temporary,
            }),
            Err(error) => {
                stop(scorer, blobs).await;
                Err(error)
            }
        }
    }

    /// Node of the first validator, faucet and admin routes.
    pub fn node(&self) -> &Localnet {
        &self.node
    }

    /// URLs of all validators' APIs, the first one's first.
    pub fn rpc_urls(&self) -> Vec<String> {
        let others = self
            .members
            .iter()
            .map(|member| member.rpc_url().to_owned());
        std::iter::once(self.node.rpc_url()).chain(others).collect()
    }

    /// Size of the network's models by name.
    pub fn model_size(&self) -> &str {
        &self.model_size
    }

    /// URL of the scorer.
    pub fn scorer_url(&self) -> Option<String> {
        self.scorer.as_ref().map(url)
    }

    /// URL of the blob server.
    pub fn blobs_url(&self) -> Option<String> {
        let blobs = self.blobs.as_ref();
        blobs.map(|blobs| format!("http://{}", blobs.address))
    }

    /// How a validator beside the first ended by itself, if one did.
    pub fn ended(&self) -> Option<NetworkError> {
        self.members.iter().find_map(Member::ended)
    }

    /// Ends everything, the node first.
    ///
    /// # Errors
    /// What went wrong at the node's end.
    pub async fn shutdown(self) -> Result<(), NetworkError> {
        let ended = stop_nodes(self.node, self.members).await;
        stop(self.scorer, self.blobs).await;
        ended
    }
}

/// Starts the first validator's node with its services, then the others.
async fn start_nodes(
    config: LocalnetConfig,
    program: Option<NodeProgram>,
    folder: &Path,
) -> Result<(Localnet, Vec<Member>), NetworkError> {
    let shared = config.node.clone();
    let on_disk = config.data_dir.is_some();
    let node = Localnet::start(config).await?;
    let mut members = Vec::new();
    let keys = node.keys().validators.clone();
    for (index, account) in keys.iter().enumerate().skip(1) {
        let mut config = shared.clone();
        node.addresses().connect(index, &mut config);
        let folder = folder.join("validators").join((index + 1).to_string());
        let genesis = node.application().chain().genesis().clone();
        let number = index + 1;
        let started = match &program {
            None => {
                config.data_dir = on_disk.then_some(folder);
                config.rpc.address = local(0);
                let key = account.secret_key.clone();
                Member::start_here(number, genesis, config, key).await
            }
            Some(program) => {
                config.rpc.address = local(0);
                let (program, key) = (program.clone(), Some(&account.secret_key));
                match NodeProcess::prepare(program, folder, &genesis, config, key) {
                    Ok(process) => Member::start_process(number, process, on_disk).await,
                    Err(error) => Err(fail(number, &error)),
                }
            }
        };
        match started {
            Ok(member) => members.push(member),
            Err(error) => {
                // Why it did not start matters more.
                let _ = stop_nodes(node, members).await;
                return Err(error);
            }
        }
    }
    // One that ended while later ones started.
    match members.iter().find_map(Member::ended) {
        Some(error) => Err(stop_nodes(node, members).await.err().unwrap_or(error)),
        None => Ok((node, members)),
    }
}

/// Ends all nodes, the first with its services last.
async fn stop_nodes(node: Localnet, members: Vec<Member>) -> Result<(), NetworkError> {
    let mut result = Ok(());
    for member in members {
        result = result.and(member.shutdown().await);
    }
    node.shutdown().await?;
    result
}

fn url(scorer: &ScoringService) -> String {
    format!("http://{}", scorer.address())
}

async fn stop(scorer: Option<ScoringService>, blobs: Option<Blobs>) {
    if let Some(scorer) = scorer {
        scorer.shutdown().await;
    }
    if let Some(blobs) = blobs {
        blobs.shutdown().await;
    }
}

/// The size of models: that of the genesis that is there, or the one asked for.
fn decide_size(config: &mut NetworkConfig) -> Result<(String, ModelConfig), NetworkError> {
    let stored = config.node.stored_genesis()?;
    if let Some((genesis, dir)) = stored {
        let dim = genesis.parameters.get(DIM).copied();
        let dim = dim.unwrap_or(Parameters::v1().target_embedding_dim);
        let (name, model) = size_of_dim(dim).ok_or(NetworkError::NoSize { dim })?;
        return match &config.model_size {
            Some(asked) if asked != name => Err(NetworkError::Fixed {
                stored: name.to_owned(),
                asked: asked.clone(),
                dir,
            }),
            _ => Ok((name.to_owned(), model)),
        };
    }
    let size = wanted_size(config).to_owned();
    let model = ModelConfig::preset(&size)?;
    let dim = u64::try_from(model.embedding_dim).unwrap_or(u64::MAX);
    config.node.parameters.insert(DIM.to_owned(), dim);
    Ok((size, model))
}

/// The largest data that submissions of the network may have.
fn max_data(config: &NetworkConfig) -> Result<u64, NetworkError> {
    let name = "max_submission_data_size";
    let stored = config.node.stored_genesis()?;
    let own = stored
        .as_ref()
        .map_or(&config.node.parameters, |(genesis, _)| &genesis.parameters);
    let own = own.get(name).copied();
    Ok(own.unwrap_or(Parameters::v1().max_submission_data_size))
}

async fn start_scorer(
    settings: &ScorerConfig,
    size: &str,
    model: ModelConfig,
    folder: &Path,
    max_data: u64,
) -> Result<ScoringService, StartError> {
    let mut config = ServiceConfig::new(size, model, settings.device, folder.join("scoring"));
    config.listen = settings.address;
    config.set_max_data_bytes(max_data);
    // Everything is on this machine.
    config.fetch = FetchConfig::local();
    ScoringService::start(config).await
}
