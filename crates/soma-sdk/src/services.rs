//! Faucet, admin routes, and waiting for epochs.

use std::time::Duration;

use serde_json::{Value, json};
use soma_api::{AdvanceEpochResponse, FaucetRequest, FaucetResponse};
use soma_types::{Address, Epoch};
use tokio::time::Instant;

use crate::client::Client;
use crate::error::SdkError;
use crate::http::{Query, Repeat};

/// The longest that the faucet and the admin routes may take beyond a plain request.
const SLOW: Duration = Duration::from_secs(30);

/// Where each service describes itself.
pub(crate) const OPENAPI: &str = "/v1/openapi.json";

/// Time between two looks at the epoch.
const EPOCH_POLL: Duration = Duration::from_millis(250);

impl Client {
    /// Asks the faucet for money; it is there when this returns.
    ///
    /// # Errors
    /// [`SdkError::NotConfigured`], or why there is none.
    pub async fn request_faucet(&self, address: Address) -> Result<FaucetResponse, SdkError> {
        let request = FaucetRequest { address };
        self.http()
            .post(self.faucet()?, "/v1/faucet", &request, Repeat::Never, SLOW)
            .await
    }

    /// True while the faucet answers.
    ///
    /// # Errors
    /// [`SdkError`] when it does not.
    pub async fn faucet_health(&self) -> Result<bool, SdkError> {
        let text = self.http().get_text(self.faucet()?, "/health").await?;
        Ok(text.trim() == "ok")
    }

    /// The OpenAPI description of the faucet.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn faucet_openapi(&self) -> Result<Value, SdkError> {
        let faucet = self.faucet()?;
        self.http().get(faucet, OPENAPI, &Query::new()).await
    }

    /// The OpenAPI description of the admin routes.
    ///
    /// # Errors
    /// [`SdkError`].
    pub async fn admin_openapi(&self) -> Result<Value, SdkError> {
        let admin = self.admin()?;
        self.http().get(admin, OPENAPI, &Query::new()).await
    }

    /// Ends the epoch of a localnet.
    ///
    /// # Errors
    /// [`SdkError::NotConfigured`], or why it does not end.
    pub async fn advance_epoch(&self) -> Result<AdvanceEpochResponse, SdkError> {
        let path = "/v1/admin/advance-epoch";
        let (admin, body) = (self.admin()?, json!({}));
        self.http()
            .post(admin, path, &body, Repeat::Never, SLOW)
            .await
    }

    /// Waits until the epoch is later than `current`.
    ///
    /// # Errors
    /// [`SdkError::EpochWait`] when it is not within `timeout`.
    pub async fn wait_for_epoch_after(
        &self,
        current: Epoch,
        timeout: Duration,
    ) -> Result<Epoch, SdkError> {
        let deadline = Instant::now() + timeout;
        loop {
            let epoch = self.status().await?.epoch;
            if epoch > current {
                return Ok(epoch);
            }
            if Instant::now() >= deadline {
                return Err(SdkError::EpochWait { after: timeout });
            }
            tokio::time::sleep(EPOCH_POLL).await;
        }
    }

    /// Waits until the current epoch is over; gives the next.
    ///
    /// # Errors
    /// [`SdkError::EpochWait`] when it does not end within `timeout`.
    pub async fn wait_for_next_epoch(&self, timeout: Duration) -> Result<Epoch, SdkError> {
        let current = self.status().await?.epoch;
        self.wait_for_epoch_after(current, timeout).await
    }
}
