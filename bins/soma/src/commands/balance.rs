//! `soma balance`.

use clap::Args;
use serde_json::json;

use crate::arguments::OptionalAddress;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{Fields, Output};

/// Show the balance of an address
#[derive(Clone, Debug, Args)]
pub struct Balance {
    /// Whose.
    #[command(flatten)]
    pub address: OptionalAddress,
    /// List coins as well: always one, the balance itself
    #[arg(long)]
    pub with_coins: bool,
}

impl Balance {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let address = context.address(self.address.value().as_ref())?;
        let balance = context.client()?.balance(&address).await?;
        let mut json = json!({
            "address": address,
            "total_balance": balance.balance,
            "coin_count": u8::from(!balance.balance.is_zero()),
            "nonce": balance.nonce,
            "height": balance.height,
        });
        let mut fields = Fields::new()
            .with("Address", address)
            .with("Balance", balance.balance);
        if self.with_coins {
            json["coins"] = match balance.balance.is_zero() {
                true => json!([]),
                false => json!([{ "id": address, "balance": balance.balance }]),
            };
            fields = fields.with("Coin", format!("{address} {}", balance.balance));
        }
        Ok(Output::new(&json, fields.text()))
    }
}
