//! What a node has beside chain, mempool and API: blobs, snapshots and audit.

use std::sync::Arc;

use soma_consensus::Observer;
use soma_crypto::SecretKey;

use super::{NodeConfig, NodeError};
use crate::application::Application;
use crate::audit::{Audit, AuditReader};
use crate::blobs::Blobs;
use crate::rpc::Served;
use crate::snapshots::Snapshots;

/// Blobs, snapshots and audit, where the settings ask for them.
pub(super) struct Parts {
    pub(super) audit: Option<Audit>,
    reader: Option<AuditReader>,
    blobs: Option<Blobs>,
    pub(super) snapshots: Option<Snapshots>,
}

impl Parts {
    /// Opens what `config` asks for. The audit runs with a validator's key and a scorer.
    pub(super) async fn open(
        application: &Arc<Application>,
        config: &NodeConfig,
        key: Option<SecretKey>,
    ) -> Result<Self, NodeError> {
        let has_scorer = !config.audit.scorer.is_empty();
        if has_scorer && key.is_none() {
            tracing::warn!("a scorer is set, but no validator key: this node audits nothing");
        }
        if let Some(key) = key.as_ref().filter(|_| !has_scorer) {
            tracing::error!(
                validator = %key.address(),
                "NO AUDIT: this node has a validator's account key but no scorer, so it audits nothing \
                 and reports no fraud; name a scoring service with --scorer or `audit.scorer`"
            );
        }
        let key = key.filter(|_| has_scorer);
        let (application, config) = (Arc::clone(application), config.clone());
        let open = move || Self::open_now(application, &config, key);
        tokio::task::spawn_blocking(open)
            .await
            .map_err(|_| NodeError::Panicked)?
    }

    fn open_now(
        application: Arc<Application>,
        config: &NodeConfig,
        key: Option<SecretKey>,
    ) -> Result<Self, NodeError> {
        let data_dir = config.data_dir.as_deref();
        let blobs = match key.is_some() || config.blobs.serve {
            true => Some(Blobs::open(&config.blobs, data_dir)?),
            false => None,
        };
        let chain = application.chain().chain_id();
        let snapshots = data_dir.filter(|_| config.snapshots.enabled);
        let snapshots = snapshots.map(|dir| Snapshots::open(config.snapshots, dir, chain));
        let snapshots = snapshots.transpose().map_err(NodeError::Snapshots)?;
        let audit = match (key, &blobs) {
            (Some(key), Some(blobs)) => {
                let journal = Audit::open_journal(data_dir, chain)?;
                let (blobs, config) = (blobs.clone(), config.audit.clone());
                Some(Audit::new(application, journal, blobs, key, config)?)
            }
            _ => None,
        };
        Ok(Self {
            reader: audit.as_ref().map(Audit::reader),
            audit,
            blobs,
            snapshots,
        })
    }

    /// What the API shows of them.
    pub(super) fn served(&self, network: Observer) -> Served {
        Served {
            audit: self.reader.clone(),
            blobs: self.blobs.clone().filter(Blobs::serves),
            snapshots: self.snapshots.clone(),
            network: Some(network),
        }
    }
}
