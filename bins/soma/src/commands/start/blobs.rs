//! `soma start blobs`.

use std::fs::{File, TryLockError};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use clap::Args;
use serde_json::json;
use soma_blobs::server::{BlobServerConfig, router};
use soma_service::ServeConfig;

use super::{log, serve};
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;

/// File name of the lock. In the settings folder, `lock` is that of the downloads there.
const LOCK: &str = "server.lock";

/// Run a blob server: who reaches it can put files there and download them, until Ctrl-C
#[derive(Clone, Debug, Args)]
pub struct StartBlobs {
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9_126)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Where blobs are kept; default `blobs` in the settings folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The largest blob that is taken
    #[arg(long, value_name = "BYTES", default_value = "8GiB")]
    pub max_blob: ByteSize,
    /// What to log, such as `warn` or `info`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log_level: String,
}

impl StartBlobs {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        log(&self.log_level)?;
        let folder = self
            .data_dir
            .unwrap_or_else(|| context.dir.dir().join("blobs"));
        let config = BlobServerConfig {
            max_blob_bytes: self.max_blob.as_u64(),
            ..BlobServerConfig::new(&folder)
        };
        let router = router(config).map_err(CliError::file(&folder))?;
        let _lock = lock(&folder)?;
        let at = SocketAddr::new(self.host, self.port);
        let ready = |at| {
            let url = format!("http://{at}");
            match context.options.json {
                true => println!("{}", json!({ "url": url, "data_dir": folder })),
                false => println!(
                    "Blob server is ready: {url}, keeps blobs in {}\nPress Ctrl-C to stop.",
                    folder.display()
                ),
            }
        };
        serve(at, ServeConfig::default(), router, ready).await?;
        Ok(Output::nothing())
    }
}

/// Takes the folder for this server, for as long as the file is open.
fn lock(folder: &Path) -> Result<File, CliError> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(CliError::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CliError::File {
            path: folder.to_owned(),
            reason: "another blob server works with it; stop that one, or choose another folder \
                     with --data-dir"
                .to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(CliError::file(&path)(error)),
    }
}
