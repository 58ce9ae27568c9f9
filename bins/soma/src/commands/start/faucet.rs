//! `soma start faucet`.

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use serde_json::json;
use soma_crypto::keystore::KeyIdentity;
use soma_node::faucet::{Faucet, FaucetConfig, Paid, Purse, PurseError};
use soma_sdk::api::ErrorCode;
use soma_sdk::types::{Address, Shannons};
use soma_sdk::{Account, SdkError};
use soma_service::{ApiError, RateConfig};

use super::{log, serve};
use crate::context::{Context, client_of};
use crate::error::CliError;
use crate::output::Output;

/// Give a little money of one of your accounts to whoever asks, until Ctrl-C
#[derive(Clone, Debug, Args)]
pub struct StartFaucet {
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9_123)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// What each request is given, in SOMA
    #[arg(long, value_name = "AMOUNT", default_value = "2")]
    pub amount: Shannons,
    /// Requests a minute for one account
    #[arg(long, value_name = "COUNT", default_value_t = 30)]
    pub per_minute: u32,
    /// The account that pays; default the active one
    #[arg(long, value_name = "ADDRESS")]
    pub sender: Option<KeyIdentity>,
    /// What to log, such as `warn` or `info`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log_level: String,
}

impl StartFaucet {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        log(&self.log_level)?;
        let address = context.address(self.sender.as_ref())?;
        let client = client_of(&context.env()?)?;
        // A node that is not there, or a key without money, is said now and not to those who ask.
        let balance = client.balance(&address).await?.balance;
        if balance <= self.amount {
            context.say(&format!(
                "Warning: {address} has {balance}, less than one payment and its fee."
            ));
        }
        let account = client.account(context.secret_key(address)?);
        let at = SocketAddr::new(self.host, self.port);
        let config = FaucetConfig {
            address: at,
            amount: self.amount,
            rate_by_address: RateConfig {
                per_minute: self.per_minute,
                burst: self.per_minute,
            },
            ..FaucetConfig::default()
        };
        let serve_config = config.serve.clone();
        let router = Faucet::new(Wallet(account), config).router();
        let ready = |at| {
            let url = format!("http://{at}");
            match context.options.json {
                true => println!("{}", json!({ "url": url, "address": address })),
                false => println!(
                    "Faucet is ready: {url}, pays {} from {address}\nPress Ctrl-C to stop.",
                    self.amount
                ),
            }
        };
        serve(at, serve_config, router, ready).await?;
        Ok(Output::nothing())
    }
}

/// An account of the wallet, used through the environment's node.
struct Wallet(Account);

impl Purse for Wallet {
    fn address(&self) -> Address {
        self.0.address()
    }

    fn pay(
        &self,
        recipient: Address,
        amount: Shannons,
    ) -> futures::future::BoxFuture<'_, Result<Paid, PurseError>> {
        Box::pin(async move {
            match self.0.transfer(recipient, amount).await {
                Ok(receipt) => Ok(Paid {
                    transaction: receipt.transaction,
                    height: receipt.height,
                }),
                Err(error) => Err(self.refused(error).await),
            }
        })
    }
}

impl Wallet {
    async fn refused(&self, error: SdkError) -> PurseError {
        if matches!(error.name(), "InsufficientGas" | "InsufficientCoinBalance")
            && let Ok(left) = self.0.balance().await
        {
            return PurseError::Empty(left);
        }
        let code = match &error {
            SdkError::NotExecuted { .. } | SdkError::Timeout { .. } => ErrorCode::Timeout,
            _ => error.api_code().unwrap_or(ErrorCode::Unavailable),
        };
        PurseError::Failed(ApiError::new(code, error.to_string()))
    }
}
