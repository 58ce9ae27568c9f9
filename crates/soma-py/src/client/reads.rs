//! What the node knows.

use pyo3::prelude::*;
use soma_api::{ObjectId, ObjectType};
use soma_sdk::{BlockName, ModelFilter, ObjectFilter, PageRequest, TargetFilter};
use soma_types::{Address, Checksum, Digest, Epoch, ModelId, TargetId};

use super::{Called, Client, checked};
use crate::arguments::parse;
use crate::bridge::Reply;
use crate::errors::Failure;

fn optional<T: std::str::FromStr<Err: std::fmt::Display>>(
    py: Python<'_>,
    name: &str,
    text: Option<&str>,
) -> PyResult<Option<T>> {
    text.map(|text| checked(py, parse(name, text))).transpose()
}

#[pymethods]
impl Client {
    /// Which chain the node is of.
    fn chain_info<'py>(&self, py: Python<'py>) -> Called<'py> {
        self.read(
            py,
            |sdk| async move { Reply::json(&sdk.chain_info().await?) },
        )
    }

    /// How the node is.
    fn status<'py>(&self, py: Python<'py>) -> Called<'py> {
        self.read(py, |sdk| async move { Reply::json(&sdk.status().await?) })
    }

    /// The protocol parameters.
    fn parameters<'py>(&self, py: Python<'py>) -> Called<'py> {
        self.read(py, |sdk| async move {
            Reply::json(&sdk.parameters_view().await?)
        })
    }

    /// The system state.
    fn system<'py>(&self, py: Python<'py>) -> Called<'py> {
        self.read(py, |sdk| async move { Reply::json(&sdk.system().await?) })
    }

    /// Where all SOMA are now.
    fn supply<'py>(&self, py: Python<'py>) -> Called<'py> {
        self.read(py, |sdk| async move { Reply::json(&sdk.supply().await?) })
    }

    /// An epoch, or the current one.
    #[pyo3(signature = (epoch = None))]
    fn epoch<'py>(&self, py: Python<'py>, epoch: Option<u64>) -> Called<'py> {
        self.read(py, move |sdk| async move {
            let view = match epoch {
                Some(epoch) => sdk.epoch(Epoch(epoch)).await,
                None => sdk.current_epoch().await,
            };
            Reply::json(&view?)
        })
    }

    /// Balance and nonce of an address.
    fn balance<'py>(&self, py: Python<'py>, address: &str) -> Called<'py> {
        let address: Address = checked(py, parse("address", address))?;
        self.read(py, move |sdk| async move {
            Reply::json(&sdk.balance(&address).await?)
        })
    }

    /// An object by id.
    #[pyo3(signature = (object_id, kind = None))]
    fn object<'py>(&self, py: Python<'py>, object_id: &str, kind: Option<&str>) -> Called<'py> {
        let id: ObjectId = checked(py, parse("object_id", object_id))?;
        let kind: Option<ObjectType> = optional(py, "object_type", kind)?;
        self.read(py, move |sdk| async move {
            Reply::json(&sdk.object(&id, kind).await?)
        })
    }

    /// One page of an address's objects.
    #[pyo3(signature = (owner, kind = None, limit = None, cursor = None))]
    fn objects<'py>(
        &self,
        py: Python<'py>,
        owner: &str,
        kind: Option<&str>,
        limit: Option<u64>,
        cursor: Option<String>,
    ) -> Called<'py> {
        let owner: Address = checked(py, parse("owner", owner))?;
        let kind: Option<ObjectType> = optional(py, "object_type", kind)?;
        self.read(py, move |sdk| async move {
            let page = PageRequest { limit, cursor };
            Reply::json(&sdk.objects(&owner, ObjectFilter { kind }, &page).await?)
        })
    }

    /// A model.
    #[pyo3(signature = (model_id, with_embedding = false))]
    fn model<'py>(&self, py: Python<'py>, model_id: &str, with_embedding: bool) -> Called<'py> {
        let id: ModelId = checked(py, parse("model_id", model_id))?;
        self.read(py, move |sdk| async move {
            Reply::json(&sdk.model(&id, with_embedding).await?)
        })
    }

    /// One page of models.
    #[pyo3(signature = (status = None, owner = None, with_embedding = false, limit = None, cursor = None))]
    fn models<'py>(
        &self,
        py: Python<'py>,
        status: Option<String>,
        owner: Option<&str>,
        with_embedding: bool,
        limit: Option<u64>,
        cursor: Option<String>,
    ) -> Called<'py> {
        let owner: Option<Address> = optional(py, "owner", owner)?;
        self.read(py, move |sdk| async move {
            let filter = ModelFilter {
                owner,
                status,
                with_embedding,
                ..ModelFilter::default()
            };
            let page = PageRequest { limit, cursor };
            Reply::json(&sdk.models(&filter, &page).await?)
        })
    }

    /// A target.
    #[pyo3(signature = (target_id, with_embedding = false))]
    fn target<'py>(&self, py: Python<'py>, target_id: &str, with_embedding: bool) -> Called<'py> {
        let id: TargetId = checked(py, parse("target_id", target_id))?;
        self.read(py, move |sdk| async move {
            Reply::json(&sdk.target(&id, with_embedding).await?)
        })
    }

    /// One page of targets.
    #[pyo3(signature = (status = None, epoch = None, submitter = None, with_embedding = false,
        limit = None, cursor = None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "one for each filter of the route"
    )]
    fn targets<'py>(
        &self,
        py: Python<'py>,
        status: Option<String>,
        epoch: Option<u64>,
        submitter: Option<&str>,
        with_embedding: bool,
        limit: Option<u64>,
        cursor: Option<String>,
    ) -> Called<'py> {
        let submitter: Option<Address> = optional(py, "submitter", submitter)?;
        self.read(py, move |sdk| async move {
            let filter = TargetFilter {
                status,
                epoch: epoch.map(Epoch),
                submitter,
                with_embedding,
            };
            let page = PageRequest { limit, cursor };
            Reply::json(&sdk.targets(&filter, &page).await?)
        })
    }

    /// One page of validators.
    #[pyo3(signature = (limit = None, cursor = None))]
    fn validators<'py>(
        &self,
        py: Python<'py>,
        limit: Option<u64>,
        cursor: Option<String>,
    ) -> Called<'py> {
        self.read(py, move |sdk| async move {
            let page = PageRequest { limit, cursor };
            Reply::json(&sdk.validators(&page).await?)
        })
    }

    /// A block with its transactions, or the newest; and what proves it final.
    #[pyo3(signature = (height = None))]
    fn block<'py>(&self, py: Python<'py>, height: Option<u64>) -> Called<'py> {
        self.read(py, move |sdk| async move {
            let name = height.map_or(BlockName::Latest, BlockName::Height);
            let block = sdk.block(name, false).await?;
            // The newest may be another one by now.
            let name = BlockName::Height(block.header.height);
            let certificate = sdk.certificate(name).await?;
            Reply::json(&serde_json::json!({ "block": block, "certificate": certificate }))
        })
    }

    /// What a transaction did.
    fn receipt<'py>(&self, py: Python<'py>, digest: &str) -> Called<'py> {
        // In Base58, too, as other networks print digests.
        let base58: Result<Checksum, Failure> = parse("digest", digest);
        let digest = match base58 {
            Ok(checksum) => Digest(checksum.0),
            Err(_) => checked(py, parse("digest", digest))?,
        };
        self.read(py, move |sdk| async move {
            match sdk.transaction(&digest).await?.receipt {
                Some(receipt) => Reply::json(&receipt),
                None => Err(Failure::named(
                    "NotExecuted",
                    format!("transaction {digest} waits to be executed; ask again later"),
                )),
            }
        })
    }
}
