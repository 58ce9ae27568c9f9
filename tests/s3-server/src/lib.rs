//! An S3-compatible server in this process: requests that change something must be signed, what
//! lies there can be read by all.

#![forbid(unsafe_code)]

use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::host::SingleDomain;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Key id that the server knows.
pub const ACCESS_KEY_ID: &str = "SOMAEXAMPLE";

/// The secret of that key.
pub const SECRET_ACCESS_KEY: &str = "a secret of no value";

/// The bucket that is there.
pub const BUCKET: &str = "soma";

/// A running server; it ends when this is dropped.
pub struct S3Server {
    endpoint: String,
    task: JoinHandle<()>,
}

/// Everybody reads, known keys write.
struct PublicRead;

#[async_trait::async_trait]
impl S3Access for PublicRead {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let reads = matches!(context.s3_op().name(), "GetObject" | "HeadObject");
        match reads || context.credentials().is_some() {
            true => Ok(()),
            false => Err(s3_error!(AccessDenied)),
        }
    }
}

impl S3Server {
    /// A server with one empty bucket that keeps everything in `folder`.
    ///
    /// # Panics
    /// When the folder or a port cannot be had.
    pub async fn start(folder: &Path) -> Self {
        Self::start_as(folder, false).await
    }

    /// As [`S3Server::start`], with the bucket in the host name instead of the path.
    ///
    /// # Panics
    /// As [`S3Server::start`].
    pub async fn start_by_host(folder: &Path) -> Self {
        Self::start_as(folder, true).await
    }

    async fn start_as(folder: &Path, by_host: bool) -> Self {
        std::fs::create_dir_all(folder.join(BUCKET)).expect("a folder");
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder).expect("a folder"));
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        service.set_access(PublicRead);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut endpoint = format!("http://{address}");
        if by_host {
            let domain = format!("localhost:{}", address.port());
            service.set_host(SingleDomain::new(&domain).expect("a domain"));
            endpoint = format!("http://{domain}");
        }
        let task = tokio::spawn(serve(listener, service.build()));
        Self { endpoint, task }
    }

    /// Its address, such as `http://127.0.0.1:4000`.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            // A client that goes away is none of the server's business.
            let _ = builder
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}
