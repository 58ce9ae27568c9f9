//! Reads of single values.

use std::fmt;

use soma_api::{
    Balance, BlockView, CertificateView, ChainInfo, EpochView, MempoolStatus, ModelView, ObjectId,
    ObjectType, ObjectView, ParametersView, Peers, ReceiptView, ScorecardView, Status, SupplyView,
    SystemView, TargetView, TransactionRecord, ValidatorView,
};
use soma_types::time::Height;
use soma_types::{Address, Digest, Epoch, Genesis, ModelId, Parameters, TargetId};

use crate::client::Client;
use crate::error::SdkError;
use crate::http::Query;
use crate::pages::include_embedding;

/// How a block is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockName {
    /// The newest.
    Latest,
    /// By height.
    Height(Height),
    /// By digest.
    Digest(Digest),
}

impl fmt::Display for BlockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Height(height) => height.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

macro_rules! plain_reads {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $kind:ty),*) -> $output:ty = $path:expr;)*) => {
        impl Client {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`SdkError`].
                pub async fn $name(&self $(, $arg: $kind)*) -> Result<$output, SdkError> {
                    let path = format!($path);
                    self.http().get(self.rpc(), &path, &Query::new()).await
                }
            )*
        }
    };
}

plain_reads! {
    /// How the node is: height, epoch, waiting transactions.
    status() -> Status = "/v1/status";
    /// Which chain the node is of.
    chain_info() -> ChainInfo = "/v1/chain";
    /// The document that the node's chain started from. Not checked: the digest of the genuine one
    /// is the chain's id.
    genesis() -> Genesis = "/v1/genesis";
    /// The protocol parameters by name.
    parameters_view() -> ParametersView = "/v1/parameters";
    /// How full the node's mempool is.
    mempool() -> MempoolStatus = "/v1/mempool";
    /// The nodes that the node is connected to.
    peers() -> Peers = "/v1/peers";
    /// The system state.
    system() -> SystemView = "/v1/system";
    /// Where all SOMA are now.
    supply() -> SupplyView = "/v1/supply";
    /// The supply certificate of an epoch that is over.
    supply_certificate(epoch: Epoch) -> SupplyView = "/v1/supply/{epoch}";
    /// The current epoch.
    current_epoch() -> EpochView = "/v1/epochs/current";
    /// An epoch.
    epoch(epoch: Epoch) -> EpochView = "/v1/epochs/{epoch}";
    /// Balance and nonce of an address; zeros for an unknown one.
    balance(address: &Address) -> Balance = "/v1/accounts/{address}/balance";
    /// A transaction and what it did; without a receipt while it waits.
    transaction(digest: &Digest) -> TransactionRecord = "/v1/transactions/{digest}";
    /// What a transaction did.
    receipt(digest: &Digest) -> ReceiptView = "/v1/transactions/{digest}/receipt";
    /// Why the submission on a target won, or did not: claim, weights as of the fill, audit.
    scorecard(target: &TargetId) -> ScorecardView = "/v1/targets/{target}/scorecard";
    /// A validator.
    validator(address: &Address) -> ValidatorView = "/v1/validators/{address}";
    /// The OpenAPI document of the node.
    openapi() -> serde_json::Value = "/v1/openapi.json";
}

impl Client {
    /// The protocol parameters.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn parameters(&self) -> Result<Parameters, SdkError> {
        let view = self.parameters_view().await?;
        view.to_parameters()
            .map_err(|error| SdkError::UnexpectedAnswer {
                service: self.rpc().service,
                url: self.rpc().url.clone(),
                reason: error.to_string(),
            })
    }

    /// A block, with its transactions and receipts on request.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn block(&self, name: BlockName, with_bodies: bool) -> Result<BlockView, SdkError> {
        let query = match with_bodies {
            true => vec![("include", "transactions,receipts".to_owned())],
            false => Query::new(),
        };
        let path = format!("/v1/blocks/{name}");
        self.http().get(self.rpc(), &path, &query).await
    }

    /// What proves a block final, as the node gives it. Not checked.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn certificate(&self, name: BlockName) -> Result<CertificateView, SdkError> {
        let path = format!("/v1/blocks/{name}/certificate");
        self.http().get(self.rpc(), &path, &Query::new()).await
    }

    /// An object by id. A validator shares its id with its coin: name the type to get it.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn object(
        &self,
        id: &ObjectId,
        kind: Option<ObjectType>,
    ) -> Result<ObjectView, SdkError> {
        let query = kind.map(|kind| ("type", kind.name().to_owned()));
        let query = query.into_iter().collect();
        let path = format!("/v1/objects/{id}");
        self.http().get(self.rpc(), &path, &query).await
    }

    /// A model.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn model(&self, id: &ModelId, with_embedding: bool) -> Result<ModelView, SdkError> {
        let query = include_embedding(with_embedding);
        let path = format!("/v1/models/{id}");
        self.http().get(self.rpc(), &path, &query).await
    }

    /// A target with its submission, reports and challenge.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn target(
        &self,
        id: &TargetId,
        with_embedding: bool,
    ) -> Result<TargetView, SdkError> {
        let query = include_embedding(with_embedding);
        let path = format!("/v1/targets/{id}");
        self.http().get(self.rpc(), &path, &query).await
    }

    /// True when the node says that it works.
    ///
    /// # Errors
    /// [`SdkError`] when it does not answer, or says that it stops.
    pub async fn health(&self) -> Result<bool, SdkError> {
        let text = self.http().get_text(self.rpc(), "/health").await?;
        Ok(text.trim() == "ok")
    }

    /// The node's numbers as OpenMetrics text.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn metrics(&self) -> Result<String, SdkError> {
        self.http().get_text(self.rpc(), "/metrics").await
    }
}
