//! The blob server of a network on one machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::network::NetworkError;
use soma_blobs::server::{BlobServerConfig, router};
use soma_service::{BindError, ServeConfig, Server, bind};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running blob server.
pub(crate) struct Blobs {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Blobs {
    pub(crate) async fn start(address: SocketAddr, folder: PathBuf) -> Result<Self, NetworkError> {
        let listener = bind(address).await?;
        let at = listener.local_addr();
        let at = at.map_err(|error| BindError { address, error })?;
        let router = router(BlobServerConfig::new(folder.clone()));
        let server = Server {
            listener,
            router: router.map_err(|error| NetworkError::BlobFolder { folder, error })?,
            config: ServeConfig::default(),
        };
        let stop = CancellationToken::new();
        Ok(Self {
            address: at,
            task: tokio::spawn(server.run(stop.clone())),
            stop,
        })
    }

    pub(crate) async fn shutdown(self) {
        self.stop.cancel();
        // A panic was logged by the runtime.
        let _ = self.task.await;
    }
}
