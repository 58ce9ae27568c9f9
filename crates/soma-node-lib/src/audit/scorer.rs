//! Scoring services over HTTP: the next one is asked when one fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use soma_api::{CONTRACT_VERSION, ErrorBody, ScoreRequest, ScoreResponse, ScorerInfo};
use soma_audit::Failure;
use thiserror::Error;

use super::failure::of_weights;

/// Time to connect to a scorer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a scorer to say what it is.
const INFO_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there are no scores.
#[derive(Debug, Error)]
pub(super) enum NotScored {
    /// The weights of a model are at fault.
    #[error("{body}")]
    Weights {
        /// What is wrong.
        failure: Failure,
        /// Place of the model in the request.
        model: usize,
        /// As the scorer said it.
        body: ErrorBody,
    },
    /// No scorer could score: own trouble.
    #[error("no scorer could score: {0}")]
    Own(String),
}

/// Scoring services.
pub(super) struct Scorers {
    urls: Vec<String>,
    client: reqwest::Client,
    timeout: Duration,
    /// Nodes of this network open files and private addresses.
    local: bool,
    /// The one that worked last is asked first.
    first: AtomicUsize,
}

impl Scorers {
    pub(super) fn new(
        urls: &[String],
        timeout: Duration,
        local: bool,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT);
        Ok(Self {
            urls: urls
                .iter()
                .map(|url| url.trim_end_matches('/').to_owned())
                .collect(),
            client: client.build()?,
            timeout,
            local,
            first: AtomicUsize::new(0),
        })
    }

    /// The scores of `request`, in the order of its models. Embeddings must have `dim` numbers.
    pub(super) async fn score(
        &self,
        request: &ScoreRequest,
        dim: u64,
    ) -> Result<ScoreResponse, NotScored> {
        let first = self.first.load(Ordering::Relaxed);
        let mut troubles = Vec::new();
        for step in 0..self.urls.len() {
            let place = (first + step) % self.urls.len();
            let Some(url) = self.urls.get(place) else {
                break;
            };
            let text = match self.ask(url, request, dim).await {
                Err(NotScored::Own(text)) => text,
                answer => {
                    self.first.store(place, Ordering::Relaxed);
                    return answer;
                }
            };
            tracing::warn!(scorer = %url, trouble = %text, "a scorer did not score");
            troubles.push(format!("{url}: {text}"));
        }
        Err(NotScored::Own(troubles.join("; ")))
    }

    async fn ask(
        &self,
        url: &str,
        request: &ScoreRequest,
        dim: u64,
    ) -> Result<ScoreResponse, NotScored> {
        // A scorer for models of another size would call all weights invalid.
        let info = self.client.get(format!("{url}/v1/info"));
        let info = answer(info.timeout(INFO_TIMEOUT)).await;
        let info: ScorerInfo = info.map_err(|refusal| NotScored::Own(refusal.to_string()))?;
        let (known, theirs) = (CONTRACT_VERSION, info.contract_version);
        if theirs != known {
            return Err(NotScored::Own(format!(
                "it scores by version {theirs} of the data contract, this node audits by {known}; \
                 use releases that belong together"
            )));
        }
        if info.embedding_dim != dim {
            return Err(NotScored::Own(format!(
                "it scores with `{}` models, whose embeddings have {} numbers; the network's have {dim}",
                info.model_size, info.embedding_dim
            )));
        }
        let score = self.client.post(format!("{url}/v1/score")).json(request);
        let response = answer(score.timeout(self.timeout)).await;
        let response: ScoreResponse = response.map_err(|refusal| self.read(refusal, request))?;
        match response.models.len() == request.models.len() {
            true => Ok(response),
            false => Err(NotScored::Own(
                "it answered for another number of models".to_owned(),
            )),
        }
    }

    /// Whose fault a refusal is.
    fn read(&self, refusal: Refusal, request: &ScoreRequest) -> NotScored {
        let Refusal::Typed(body) = refusal else {
            return NotScored::Own(refusal.to_string());
        };
        let model = body.details.get("model").and_then(|place| place.as_u64());
        let model = model.and_then(|place| usize::try_from(place).ok());
        let at_fault = model.and_then(|model| Some((model, request.models.get(model)?)));
        let Some((model, weights)) = at_fault else {
            return NotScored::Own(body.to_string());
        };
        match of_weights(&body, &weights.url, self.local) {
            Failure::Own => NotScored::Own(body.to_string()),
            failure => NotScored::Weights {
                failure,
                model,
                body,
            },
        }
    }
}

/// Why a scorer gives no answer.
#[derive(Debug, Error)]
enum Refusal {
    /// As it said it.
    #[error("{0}")]
    Typed(ErrorBody),
    /// It could not be asked, or does not speak as a scorer.
    #[error("{0}")]
    Other(String),
}

async fn answer<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, Refusal> {
    let own = |error: reqwest::Error| Refusal::Other(shown(&error));
    let response = request.send().await.map_err(own)?;
    let status = response.status();
    if status.is_success() {
        return response.json().await.map_err(own);
    }
    match response.json::<ErrorBody>().await {
        Ok(body) => Err(Refusal::Typed(body)),
        Err(_) => Err(Refusal::Other(format!("it answered {status}"))),
    }
}

/// The error with its causes, which say most.
fn shown(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
