//! What people do with the network, in several steps: publish weights, submit data, claim rewards,
//! fetch what the chain names.
//!
//! Each step asks the chain how things are, so that a workflow that was broken off is simply
//! started again. Only publishing keeps something on disk: the key of sealed weights, without which
//! they are lost.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let net = soma_node::Localnet::start(soma_node::LocalnetConfig::for_tests()).await?;
//! # let client = soma_sdk::Client::builder()
//! #     .rpc_url(net.rpc_url())
//! #     .admin_url(net.admin_url().unwrap())
//! #     .build()?;
//! # let temporary = tempfile::tempdir()?;
//! # let folder = temporary.path();
//! # std::fs::write(folder.join("weights.safetensors"), b"weights")?;
//! # let key = net.keys().accounts[0].secret_key.clone();
//! use soma_sdk::blobs::{FetchConfig, Store, StoreConfig};
//! use soma_sdk::workflows::ClaimWhich;
//! use soma_sdk::workflows::publish::{PublishAs, PublishState, Publisher};
//!
//! let account = client.account(key);
//! let store = Store::new(StoreConfig::Folder {
//!     path: folder.join("blobs"),
//!     public_url_prefix: None,
//! })?;
//! let mut publisher = Publisher::open(account.clone(), store, &folder.join("publish")).await?;
//! let publish_as = PublishAs::New { stake: None, commission_bps: 500 };
//! let weights = folder.join("weights.safetensors");
//! publisher.prepare(&weights, &[1.0; 16], publish_as).await?;
//! let model = loop {
//!     match publisher.advance(&|event| println!("{event:?}")).await? {
//!         // On a localnet; elsewhere `Publisher::run` waits until the epoch is over.
//!         PublishState::WaitingForEpoch { .. } => {
//!             client.advance_epoch().await?;
//!         }
//!         PublishState::Revealed { model, .. } => break model,
//!         _ => {}
//!     }
//! };
//!
//! let downloads = client.downloads(FetchConfig::local())?;
//! downloads.weights(&model, &folder.join("copy.safetensors")).await?;
//! let claimed = account.claim_all(ClaimWhich::Own).await?;
//! assert!(claimed.failed.is_empty());
//! # net.shutdown().await?;
//! # Ok(())
//! # }
//! ```

mod claim;
mod fetch;
mod part;
pub mod publish;
mod submit;

pub use claim::{ClaimReport, ClaimWhich, FailedClaim};
pub use fetch::Downloads;
pub use submit::{Hit, Miss, Scored};
