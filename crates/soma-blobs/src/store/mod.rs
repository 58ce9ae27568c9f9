//! Putting blobs where others can fetch them.
//!
//! A blob's name is its checksum, so that nothing is ever overwritten by something else, and the
//! same blob put twice lies there once.

mod parts;
mod s3;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, RANGE};
use serde::{Deserialize, Serialize};
use sha3::{Digest as _, Sha3_256};
use soma_types::Checksum;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;
use url::Url;

pub use s3::S3Config;

use crate::error::{BlobError, innermost};
use crate::location::BlobRef;

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 18;

/// Time to connect to the built-in server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time to ask for the first byte of a blob.
const PUBLIC_TIMEOUT: Duration = Duration::from_secs(30);

/// Where blobs are put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum StoreConfig {
    /// A folder of this machine; found under `file://`.
    Folder {
        /// The folder; made when it is not there.
        path: PathBuf,
        /// What the blobs' URLs begin with, when a web server shows the folder.
        #[serde(default)]
        public_url_prefix: Option<String>,
    },
    /// An S3-compatible store.
    S3(S3Config),
    /// The built-in blob server.
    Server {
        /// Its address, such as `http://127.0.0.1:9126`.
        url: String,
    },
}

/// A place for blobs.
#[derive(Clone, Debug)]
pub struct Store {
    config: StoreConfig,
    client: reqwest::Client,
}

impl Store {
    /// A store after `config`.
    ///
    /// # Errors
    /// [`BlobError::Settings`].
    pub fn new(config: StoreConfig) -> Result<Self, BlobError> {
        let settings = |error: String| BlobError::Settings(error);
        match &config {
            StoreConfig::S3(s3) => s3.check()?,
            StoreConfig::Server { url } => {
                let url = Url::parse(url).map_err(|error| settings(format!("{url}: {error}")))?;
                if !["http", "https"].contains(&url.scheme()) {
                    return Err(settings(format!("{url} is not an http address")));
                }
            }
            StoreConfig::Folder { .. } => {}
        }
        let client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT);
        let client = client
            .build()
            .map_err(|error| settings(error.to_string()))?;
        Ok(Self { config, client })
    }

    /// Puts a file there, and says where it is found.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the file cannot be read; [`BlobError::UploadFailed`].
    pub async fn upload(&self, path: &Path) -> Result<BlobRef, BlobError> {
        let (checksum, size) = measure(path).await?;
        let url = match &self.config {
            StoreConfig::Folder {
                path: folder,
                public_url_prefix,
            } => copy(path, folder, public_url_prefix.as_deref(), &checksum).await?,
            StoreConfig::S3(s3) => s3.upload(path, &checksum).await?,
            StoreConfig::Server { url } => self.send(path, url, &checksum, size).await?,
        };
        tracing::info!(%url, %checksum, bytes = size, "uploaded");
        Ok(BlobRef {
            url,
            checksum,
            size,
        })
    }

    /// Puts a file there as [`Store::upload`] does, and asks for it as others will, without keys:
    /// validators take what they cannot read for fraud.
    ///
    /// # Errors
    /// [`BlobError::NotPublic`]; as [`Store::upload`]. An address that this machine cannot ask passes.
    pub async fn publish(&self, path: &Path) -> Result<BlobRef, BlobError> {
        let blob = self.upload(path).await?;
        self.check_public(&blob).await?;
        Ok(blob)
    }

    /// Puts bytes there as [`Store::publish`] puts a file.
    ///
    /// # Errors
    /// As [`Store::publish`].
    pub async fn publish_bytes(&self, bytes: Vec<u8>) -> Result<BlobRef, BlobError> {
        let blob = self.upload_bytes(bytes).await?;
        self.check_public(&blob).await?;
        Ok(blob)
    }

    async fn check_public(&self, blob: &BlobRef) -> Result<(), BlobError> {
        if !blob.url.starts_with("http") {
            return Ok(());
        }
        let first = self.client.get(&blob.url).header(RANGE, "bytes=0-0");
        let status = match first.timeout(PUBLIC_TIMEOUT).send().await {
            Ok(response) => response.status(),
            Err(error) => {
                let error = innermost(&error);
                tracing::warn!(url = %blob.url, %error, "cannot check that others can read this");
                return Ok(());
            }
        };
        // Other answers say nothing of who may read.
        let refusals = [
            StatusCode::BAD_REQUEST,
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::NOT_FOUND,
        ];
        match refusals.contains(&status) {
            false => Ok(()),
            true => Err(BlobError::NotPublic {
                url: blob.url.clone(),
                status: status.to_string(),
            }),
        }
    }

    /// Puts bytes there, and says where they are found.
    ///
    /// # Errors
    /// As [`Store::upload`].
    pub async fn upload_bytes(&self, bytes: Vec<u8>) -> Result<BlobRef, BlobError> {
        let fail = |error: io::Error| BlobError::io("cannot write a temporary file", &error);
        let file = tokio::task::spawn_blocking(move || {
            let mut file = tempfile::NamedTempFile::new()?;
            io::Write::write_all(&mut file, &bytes)?;
            Ok(file)
        });
        let file = file.await.map_err(|error| fail(io::Error::other(error)))?;
        self.upload(file.map_err(fail)?.path()).await
    }

    async fn send(
        &self,
        path: &Path,
        server: &str,
        checksum: &Checksum,
        size: u64,
    ) -> Result<String, BlobError> {
        let url = join(server, &format!("blobs/{checksum}"));
        let fail = |reason: String| BlobError::UploadFailed {
            place: url.clone(),
            reason,
        };
        let file = File::open(path)
            .await
            .map_err(|error| unreadable(path, &error))?;
        let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(file, BUFFER));
        let request = self
            .client
            .put(&url)
            .header(CONTENT_LENGTH, size)
            .body(body);
        let response = request
            .send()
            .await
            .map_err(|error| fail(innermost(&error)))?;
        let status = response.status();
        if !status.is_success() {
            let text = response.text().await.unwrap_or_default();
            let text: String = text.chars().take(300).collect();
            return Err(fail(format!("it answers {status}: {text}")));
        }
        Ok(url)
    }
}

/// Joins a prefix and a name with one slash.
fn join(prefix: &str, name: &str) -> String {
    format!("{}/{name}", prefix.trim_end_matches('/'))
}

fn unreadable(path: &Path, error: &io::Error) -> BlobError {
    BlobError::io(format!("cannot read {}", path.display()), error)
}

/// Checksum and size of a file.
async fn measure(path: &Path) -> Result<(Checksum, u64), BlobError> {
    let fail = |error: io::Error| unreadable(path, &error);
    let mut file = File::open(path).await.map_err(fail)?;
    let (mut hash, mut size) = (Sha3_256::new(), 0);
    let mut bytes = vec![0; BUFFER];
    loop {
        let count = file.read(&mut bytes).await.map_err(fail)?;
        if count == 0 {
            return Ok((Checksum(hash.finalize().into()), size));
        }
        hash.update(&bytes[..count]);
        size += count as u64;
    }
}

/// Copies into a folder: first beside its place, then by one rename.
async fn copy(
    path: &Path,
    folder: &Path,
    prefix: Option<&str>,
    checksum: &Checksum,
) -> Result<String, BlobError> {
    let fail =
        |error: io::Error| BlobError::io(format!("cannot write {}", folder.display()), &error);
    tokio::fs::create_dir_all(folder).await.map_err(fail)?;
    let folder = tokio::fs::canonicalize(folder).await.map_err(fail)?;
    let place = folder.join(checksum.to_string());
    let (from, to, within, expected) = (path.to_owned(), place.clone(), folder.clone(), *checksum);
    let copied = tokio::task::spawn_blocking(move || {
        let mut source = std::fs::File::open(from)?;
        let mut beside = readable_file(&within)?;
        let got = copy_hashed(&mut source, &mut beside)?;
        if got != expected {
            return Ok(false);
        }
        beside.as_file().sync_all()?;
        beside.persist(to).map_err(|error| error.error)?;
        Ok(true)
    });
    let is_same = copied
        .await
        .map_err(|error| fail(io::Error::other(error)))?
        .map_err(fail)?;
    if !is_same {
        return Err(BlobError::changed(path));
    }
    if let Some(prefix) = prefix {
        return Ok(join(prefix, &checksum.to_string()));
    }
    let url = Url::from_file_path(&place);
    let url = url.map_err(|()| BlobError::Settings(format!("{} is no URL", place.display())))?;
    Ok(url.into())
}

/// A new file that others may read, such as a web server: temporary files are private otherwise.
///
/// # Errors
/// [`io::Error`] when none can be made in `folder`.
pub fn readable_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    builder.tempfile_in(folder)
}

/// Copies all of a file, and says what was copied.
fn copy_hashed(from: &mut impl io::Read, to: &mut impl io::Write) -> io::Result<Checksum> {
    let (mut hash, mut bytes) = (Sha3_256::new(), vec![0; BUFFER]);
    loop {
        let count = from.read(&mut bytes)?;
        if count == 0 {
            return Ok(Checksum(hash.finalize().into()));
        }
        hash.update(&bytes[..count]);
        to.write_all(&bytes[..count])?;
    }
}
