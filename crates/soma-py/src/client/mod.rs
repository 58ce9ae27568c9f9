//! The client: calls of `soma-sdk` as futures of asyncio.
//!
//! Every method checks its arguments at once and gives a future. `reads` ask the node; `writes`,
//! `submissions` and `validators` sign and send; `services` are scorer, faucet, admin, downloads.

mod reads;
mod scored;
mod services;
mod submissions;
mod validators;
mod writes;

use std::future::Future;
use std::sync::Arc;

use pyo3::prelude::*;
use soma_sdk::SdkError;
use soma_types::{Parameters, TransactionKind};
use tokio::sync::Semaphore;

use self::scored::Scored;

use crate::bridge::{Reply, start};
use crate::errors::Failure;
use crate::keypair::Keypair;

/// Requests to the node at a time. More wait here, where that costs nothing.
const REQUESTS_AT_A_TIME: usize = 64;

/// A client of one network, for any number of calls at a time.
#[pyclass(frozen, module = "soma_sdk._native")]
pub(crate) struct Client {
    sdk: soma_sdk::Client,
    requests: Arc<Semaphore>,
    scored: Arc<Scored>,
    /// Its connections live in this process only.
    process: u32,
}

/// The future of a call.
type Called<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl Client {
    #[new]
    fn new(
        py: Python<'_>,
        rpc_url: String,
        faucet_url: Option<String>,
        scoring_url: Option<String>,
        admin_url: Option<String>,
    ) -> PyResult<Self> {
        let mut builder = soma_sdk::Client::builder().rpc_url(rpc_url);
        if let Some(url) = faucet_url {
            builder = builder.faucet_url(url);
        }
        if let Some(url) = scoring_url {
            builder = builder.scoring_url(url);
        }
        if let Some(url) = admin_url {
            builder = builder.admin_url(url);
        }
        let sdk = builder.build().map_err(|error| match error {
            SdkError::InvalidUrl { service, .. } => {
                let name = match service {
                    soma_sdk::Service::Rpc => "rpc_url",
                    soma_sdk::Service::Faucet => "faucet_url",
                    soma_sdk::Service::Scoring => "scoring_url",
                    soma_sdk::Service::Admin => "admin_url",
                };
                Failure::argument(name, error).raise(py)
            }
            error => Failure::from(error).raise(py),
        })?;
        Ok(Self {
            sdk,
            requests: Arc::new(Semaphore::new(REQUESTS_AT_A_TIME)),
            scored: Arc::new(Scored::new()),
            process: std::process::id(),
        })
    }
}

impl Client {
    /// Starts a call; calls in all numbers may run.
    fn call<'py, W>(&self, py: Python<'py>, work: impl FnOnce(soma_sdk::Client) -> W) -> Called<'py>
    where
        W: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        if self.process != std::process::id() {
            let text = "this client was made in another process; after a fork make a new one";
            return Err(Failure::named("ForkedProcess", text).raise(py));
        }
        start(py, work(self.sdk.clone()))
    }

    /// Starts a call that asks the node; only so many run at a time.
    fn read<'py, W>(&self, py: Python<'py>, work: impl FnOnce(soma_sdk::Client) -> W) -> Called<'py>
    where
        W: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        let requests = Arc::clone(&self.requests);
        self.call(py, |sdk| {
            let work = work(sdk);
            async move {
                // Never closed.
                let _turn = requests.acquire_owned().await;
                work.await
            }
        })
    }

    /// Signs and sends `kind`, and waits for its block.
    fn execute<'py>(
        &self,
        py: Python<'py>,
        signer: &Keypair,
        label: &'static str,
        kind: TransactionKind,
    ) -> Called<'py> {
        let key = signer.key.clone();
        self.call(py, |sdk| async move {
            let receipt = sdk.sign_and_execute(&key, kind).await;
            Reply::json(&receipt.map_err(|error| failed(label, error))?)
        })
    }
}

/// A transaction called `label` that failed.
fn failed(label: &'static str, error: SdkError) -> Failure {
    let error = Box::new(error);
    Failure::Transaction { label, error }
}

/// Checks that an embedding has as many numbers as those of the network. The chain would say so for
/// a fee.
fn check_dim(embedding: &[f32], network: &Parameters) -> Result<(), Failure> {
    let (got, dim) = (embedding.len(), network.target_embedding_dim);
    match got as u64 == dim {
        true => Ok(()),
        false => {
            let text = format!("has {got} numbers, this network's have {dim}");
            Err(Failure::argument("embedding", text))
        }
    }
}

/// Raises what is wrong with an argument.
fn checked<T>(py: Python<'_>, value: Result<T, Failure>) -> PyResult<T> {
    value.map_err(|failure| failure.raise(py))
}
