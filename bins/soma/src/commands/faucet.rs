//! `soma faucet`.

use clap::Args;

use crate::arguments::OptionalAddress;
use crate::context::{Context, client_of};
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Ask the faucet for SOMA
#[derive(Clone, Debug, Args)]
pub struct Faucet {
    /// Who gets it.
    #[command(flatten)]
    pub address: OptionalAddress,
    /// URL of the faucet; default the environment's
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

impl Faucet {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let address = context.address(self.address.value().as_ref())?;
        let mut env = context.env()?;
        if let Some(url) = self.url {
            env.faucet = Some(url);
        }
        let sent = client_of(&env)?.request_faucet(address).await?;
        let fields = Fields::new()
            .with("Address", sent.address)
            .with("Transaction", sent.transaction)
            .with("Received", sent.amount);
        Ok(Output::new(&sent, fields.text()))
    }
}
