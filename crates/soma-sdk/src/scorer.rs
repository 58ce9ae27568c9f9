//! The scorer: what models say of data.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use soma_api::{
    BatchScoreRequest, BatchScoreResponse, DownloadView, ErrorCode, ScoreRequest, ScoreResponse,
    ScorerInfo,
};
use tokio::time::Instant;

use crate::client::Client;
use crate::config::Service;
use crate::error::SdkError;
use crate::http::{Query, Repeat};
use crate::services::OPENAPI;
use crate::sse::{Frame, Parser};

/// Pause before a busy scorer is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

impl Client {
    /// Scores one piece of data against one or many models. A scorer that is busy is asked again
    /// until the deadline of scoring.
    ///
    /// # Errors
    /// [`SdkError::NotConfigured`]; [`SdkError::Api`] with a code that tells data, weights and the
    /// scorer's own trouble apart.
    pub async fn score(&self, request: &ScoreRequest) -> Result<ScoreResponse, SdkError> {
        self.ask_scorer("/v1/score", request).await
    }

    /// Scores many pieces of data against the same models. A piece that cannot be scored has its
    /// error in the answer.
    ///
    /// # Errors
    /// As [`Client::score`].
    pub async fn score_batch(
        &self,
        request: &BatchScoreRequest,
    ) -> Result<BatchScoreResponse, SdkError> {
        self.ask_scorer("/v1/score/batch", request).await
    }

    async fn ask_scorer<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        request: &(impl serde::Serialize + ?Sized),
    ) -> Result<T, SdkError> {
        let scorer = self.scorer()?;
        let deadline = Instant::now() + self.shared.settings.scoring_timeout;
        loop {
            // Scoring changes nothing, so it can be asked for again.
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.http();
            let answer = answer.post(scorer, path, request, Repeat::Harmless, left);
            match answer.await {
                Err(error) if error.api_code() == Some(ErrorCode::Busy) && left > BUSY_PAUSE => {
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    /// What the scorer is: device, size of its models, cache.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn scorer_info(&self) -> Result<ScorerInfo, SdkError> {
        let scorer = self.scorer()?;
        self.http().get(scorer, "/v1/info", &Query::new()).await
    }

    /// True when the scorer says that it can score.
    ///
    /// # Errors
    /// [`SdkError`] when it does not answer, or says why it cannot.
    pub async fn scorer_health(&self) -> Result<bool, SdkError> {
        let text = self.http().get_text(self.scorer()?, "/health").await?;
        Ok(text.trim() == "ok")
    }

    /// The scorer's metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn scorer_metrics(&self) -> Result<String, SdkError> {
        self.http().get_text(self.scorer()?, "/metrics").await
    }

    /// The OpenAPI description of the scorer.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn scorer_openapi(&self) -> Result<Value, SdkError> {
        let scorer = self.scorer()?;
        self.http().get(scorer, OPENAPI, &Query::new()).await
    }

    /// Progress of the scorer's downloads from now on.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn scorer_downloads(&self) -> Result<DownloadStream, SdkError> {
        let (scorer, none) = (self.scorer()?, Query::new());
        let response = self.http().open(scorer, "/v1/downloads", &none, None);
        Ok(DownloadStream {
            response: response.await?,
            parser: Parser::default(),
            frames: VecDeque::new(),
            url: scorer.url.clone(),
        })
    }
}

/// Progress of a scorer's downloads.
#[derive(Debug)]
pub struct DownloadStream {
    response: Response,
    parser: Parser,
    frames: VecDeque<Frame>,
    url: String,
}

impl DownloadStream {
    /// How far a download is; none once the stream has ended. Waits for as long as it takes.
    ///
    /// # Errors
    /// [`SdkError::Transport`] when the connection breaks; [`SdkError::UnexpectedAnswer`].
    pub async fn next(&mut self) -> Result<Option<DownloadView>, SdkError> {
        let service = Service::Scoring;
        let lost = |reason: String| SdkError::Transport {
            service,
            url: self.url.clone(),
            reason,
            sent: true,
        };
        loop {
            if let Some(frame) = self.frames.pop_front() {
                let view = serde_json::from_str(&frame.data);
                return view.map(Some).map_err(|error| SdkError::UnexpectedAnswer {
                    service,
                    url: self.url.clone(),
                    reason: error.to_string(),
                });
            }
            let chunk = self.response.chunk().await;
            let Some(chunk) = chunk.map_err(|error| lost(error.to_string()))? else {
                return Ok(None);
            };
            self.parser
                .push(&chunk, &mut self.frames)
                .map_err(|_| lost("an event of the stream does not end".to_owned()))?;
        }
    }
}
