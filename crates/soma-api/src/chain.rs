//! What a client asks first: status, chain, parameters, waiting transactions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use soma_types::parameters::ParameterError;
use soma_types::{Address, ChainId, Digest, Epoch, Parameters, TimestampMs};

use soma_types::time::Height;

/// How the node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// Name of the chain, such as `localnet`.
    pub chain: String,
    /// The chain.
    pub chain_id: ChainId,
    /// Height of the newest block; 0 before the first.
    pub height: Height,
    /// Its digest.
    pub digest: Digest,
    /// Its time.
    pub time_ms: TimestampMs,
    /// The current epoch.
    pub epoch: Epoch,
    /// When the current epoch began.
    pub epoch_start_ms: TimestampMs,
    /// When it ends at the earliest, unless it is forced to.
    pub epoch_end_ms: TimestampMs,
    /// The oldest block that the node still has.
    pub lowest_height: Height,
    /// Version of the protocol parameters.
    pub protocol_version: u64,
    /// Version of the node's software.
    pub server_version: String,
    /// Time since the node started, in milliseconds.
    pub uptime_ms: u64,
    /// Waiting transactions.
    pub mempool: MempoolStatus,
    /// Its part in consensus.
    pub consensus: ConsensusStatus,
    /// One sentence on what the node does or waits for.
    pub activity: String,
}

/// A node's part in consensus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsensusStatus {
    /// The validator that the node is; none for one that only follows.
    pub validator: Option<Address>,
    /// True while that validator is in the committee.
    pub is_voting: bool,
    /// The height that is being decided.
    pub height: Height,
    /// Its round; above 0 when proposals came late or not at all.
    pub round: u32,
    /// Peers that the node is connected to.
    pub peers: u64,
}

/// A peer of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerView {
    /// Its id on the network.
    pub id: String,
    /// Its name, as it says.
    pub name: String,
    /// Where it is connected, as a multiaddress.
    pub address: String,
    /// The committee member that it has proven to be.
    pub validator: Option<String>,
}

/// A peer that a node does not hear, because of what it sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BannedPeerView {
    /// Its id on the network.
    pub id: String,
    /// The fault that was one too many: `undecodable`, `signature`, `stream`, `block`,
    /// `transaction` or `flood`.
    pub fault: String,
    /// Milliseconds until it may connect again.
    pub left_ms: u64,
}

/// The peers of a node, in order of id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Peers {
    /// Each.
    pub peers: Vec<PeerView>,
    /// Those that are banned now.
    #[serde(default)]
    pub banned: Vec<BannedPeerView>,
}

/// Waiting transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MempoolStatus {
    /// How many wait.
    pub transactions: u64,
    /// How many of them could be in the next block: no gap in their sender's nonces.
    pub ready: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many senders they have.
    pub senders: u64,
    /// The most that may wait.
    pub max_transactions: u64,
    /// The most bytes that may wait.
    pub max_bytes: u64,
}

/// Which chain this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChainInfo {
    /// Name of the chain, such as `localnet`.
    pub chain: String,
    /// Digest of the genesis document: what transactions are signed for.
    pub chain_id: ChainId,
    /// Start of epoch 0.
    pub genesis_time_ms: TimestampMs,
    /// Version of the protocol parameters.
    pub protocol_version: u64,
    /// Version of the node's software.
    pub server_version: String,
    /// Version of this API.
    pub api_version: String,
    /// Whether epochs may be ended by hand.
    pub allow_forced_epochs: bool,
}

/// The protocol parameters in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParametersView {
    /// Their version.
    pub protocol_version: u64,
    /// Value of each by name. All are integers; units are in the names.
    pub parameters: BTreeMap<String, u64>,
}

impl ParametersView {
    /// The view of `parameters`.
    pub fn new(protocol_version: u64, parameters: &Parameters) -> Self {
        let parameters = Parameters::NAMES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), parameters.get(name)?)))
            .collect();
        Self {
            protocol_version,
            parameters,
        }
    }

    /// The parameters. Names that this build does not know are left out; what the node does not
    /// send keeps the value of version 1.
    ///
    /// # Errors
    /// [`ParameterError`] for values that no network can have.
    pub fn to_parameters(&self) -> Result<Parameters, ParameterError> {
        let mut parameters = Parameters::v1();
        for (name, value) in &self.parameters {
            match parameters.set(name, *value) {
                Ok(()) | Err(ParameterError::UnknownName(_)) => {}
                Err(error) => return Err(error),
            }
        }
        parameters.check()?;
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_the_trip() {
        let mut parameters = Parameters::v1();
        parameters.target_embedding_dim = 16;
        let view = ParametersView::new(1, &parameters);
        let json = serde_json::to_string(&view).unwrap();
        let read: ParametersView = serde_json::from_str(&json).unwrap();
        assert_eq!(read.to_parameters().unwrap(), parameters);
    }
}
