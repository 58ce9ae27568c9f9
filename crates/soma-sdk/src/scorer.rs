//! The scorer: what models say of data.

use std::time::Duration;

use soma_api::{
    BatchScoreRequest, BatchScoreResponse, ErrorCode, ScoreRequest, ScoreResponse, ScorerInfo,
};
use tokio::time::Instant;

use crate::client::Client;
use crate::error::SdkError;
use crate::http::{Query, Repeat};

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
}
