//! S3-compatible stores: AWS, R2, MinIO and their like.

use std::fmt;
use std::path::Path as FilePath;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore as _, PutPayload};
use serde::{Deserialize, Serialize};
use soma_types::Checksum;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::{join, unreadable};
use crate::error::BlobError;

/// Files above this size, in bytes, are sent in parts of this size.
const PART_BYTES: usize = 16 << 20;

/// An S3-compatible store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket that blobs are put into.
    pub bucket: String,
    /// Begins the names of blobs in the bucket. Default empty.
    #[serde(default)]
    pub prefix: String,
    /// Address of the service, such as `https://ACCOUNT.r2.cloudflarestorage.com`; not that of the
    /// bucket. Default: AWS.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region. Default `us-east-1`; R2 takes `auto`.
    #[serde(default = "default_region")]
    pub region: String,
    /// Puts the bucket into the host name instead of the path. Default false.
    #[serde(default)]
    pub virtual_host_style: bool,
    /// What the public URLs of the blobs begin with, when they differ from the store's own.
    #[serde(default)]
    pub public_url_prefix: Option<String>,
    /// Key id. Default: the environment's `AWS_ACCESS_KEY_ID`.
    #[serde(default, skip_serializing)]
    pub access_key_id: Option<String>,
    /// Secret key. Default: the environment's `AWS_SECRET_ACCESS_KEY`. Never written out.
    #[serde(default, skip_serializing)]
    pub secret_access_key: Option<String>,
    /// Session token. Default: the environment's `AWS_SESSION_TOKEN`. Never written out.
    #[serde(default, skip_serializing)]
    pub session_token: Option<String>,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

/// Secrets stay out of logs.
impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("virtual_host_style", &self.virtual_host_style)
            .field("public_url_prefix", &self.public_url_prefix)
            .finish_non_exhaustive()
    }
}

impl S3Config {
    /// A bucket, with all defaults.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            endpoint: None,
            region: default_region(),
            virtual_host_style: false,
            public_url_prefix: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
        }
    }

    /// Checks that requests can be made.
    pub(super) fn check(&self) -> Result<(), BlobError> {
        if self.bucket.is_empty() {
            return Err(BlobError::Settings("the bucket has no name".to_owned()));
        }
        self.client(&self.bucket).map(|_| ())
    }

    /// A client for `bucket` of this service.
    pub(crate) fn client(&self, bucket: &str) -> Result<AmazonS3, BlobError> {
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_region(&self.region)
            .with_virtual_hosted_style_request(self.virtual_host_style);
        if let Some(endpoint) = &self.endpoint {
            let address = self.address(endpoint, bucket)?;
            let is_plain = address.starts_with("http://");
            builder = builder.with_endpoint(address).with_allow_http(is_plain);
        }
        if let Some(id) = &self.access_key_id {
            builder = builder.with_access_key_id(id);
        }
        if let Some(secret) = &self.secret_access_key {
            builder = builder.with_secret_access_key(secret);
        }
        if let Some(token) = &self.session_token {
            builder = builder.with_token(token);
        }
        let built = builder.build();
        built.map_err(|error| BlobError::Settings(error.to_string()))
    }

    /// The endpoint as the client wants it: with the bucket in it, when that belongs there.
    fn address(&self, endpoint: &str, bucket: &str) -> Result<String, BlobError> {
        let endpoint = endpoint.trim_end_matches('/');
        if !self.virtual_host_style {
            return Ok(endpoint.to_owned());
        }
        let fail = || BlobError::Settings(format!("`{endpoint}` is not the address of a service"));
        let mut url = Url::parse(endpoint).map_err(|_| fail())?;
        let host = format!("{bucket}.{}", url.host_str().ok_or_else(fail)?);
        url.set_host(Some(&host)).map_err(|_| fail())?;
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }

    /// The path of a blob in the bucket.
    fn key(&self, checksum: &Checksum) -> String {
        match self.prefix.trim_matches('/') {
            "" => checksum.to_string(),
            prefix => format!("{prefix}/{checksum}"),
        }
    }

    /// Where the public finds a blob.
    fn public_url(&self, key: &str) -> Result<String, BlobError> {
        if let Some(prefix) = &self.public_url_prefix {
            return Ok(join(prefix, key));
        }
        let bucket = &self.bucket;
        Ok(match (&self.endpoint, self.virtual_host_style) {
            (Some(endpoint), true) => join(&self.address(endpoint, bucket)?, key),
            (Some(endpoint), false) => join(endpoint, &format!("{bucket}/{key}")),
            (None, true) => format!("https://{bucket}.s3.{}.amazonaws.com/{key}", self.region),
            (None, false) => format!("https://s3.{}.amazonaws.com/{bucket}/{key}", self.region),
        })
    }

    /// Puts a file into the bucket, in parts when it is large.
    pub(super) async fn upload(
        &self,
        path: &FilePath,
        checksum: &Checksum,
    ) -> Result<String, BlobError> {
        let key = self.key(checksum);
        let fail = |error: object_store::Error| BlobError::UploadFailed {
            place: format!("s3://{}/{key}", self.bucket),
            reason: error.to_string(),
        };
        let client = self.client(&self.bucket)?;
        let place = Path::from(key.as_str());
        let mut file = File::open(path)
            .await
            .map_err(|error| unreadable(path, &error))?;
        let first = read_part(&mut file, path).await?;
        if first.len() < PART_BYTES {
            let put = client.put(&place, PutPayload::from(first)).await;
            put.map_err(fail)?;
        } else {
            let upload = client.put_multipart(&place).await.map_err(fail)?;
            send_parts(upload, first, &mut file, path)
                .await?
                .map_err(fail)?;
        }
        self.public_url(&key)
    }
}

/// The next bytes of a file: fewer than a part only at its end.
async fn read_part(file: &mut File, path: &FilePath) -> Result<Vec<u8>, BlobError> {
    let mut bytes = Vec::new();
    let read = file.take(PART_BYTES as u64).read_to_end(&mut bytes).await;
    read.map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

/// Sends a file in parts, one after the other. Parts that arrived cost money until they are given
/// up, so that is done when sending fails.
async fn send_parts(
    mut upload: Box<dyn MultipartUpload>,
    first: Vec<u8>,
    file: &mut File,
    path: &FilePath,
) -> Result<Result<(), object_store::Error>, BlobError> {
    let mut part = first;
    while !part.is_empty() {
        if let Err(error) = upload.put_part(PutPayload::from(part)).await {
            let _ = upload.abort().await;
            return Ok(Err(error));
        }
        part = match read_part(file, path).await {
            Ok(part) => part,
            Err(error) => {
                let _ = upload.abort().await;
                return Err(error);
            }
        };
    }
    Ok(upload.complete().await.map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoint: Option<&str>, virtual_host_style: bool) -> S3Config {
        S3Config {
            endpoint: endpoint.map(str::to_owned),
            virtual_host_style,
            secret_access_key: Some("hunter2".to_owned()),
            ..S3Config::new("box")
        }
    }

    #[test]
    fn public_urls_follow_the_style() {
        let url = |config: &S3Config| config.public_url("k").unwrap();
        let r2 = Some("https://acc.r2.cloudflarestorage.com/");
        let aws = "https://s3.us-east-1.amazonaws.com/box/k";
        assert_eq!(url(&config(None, false)), aws);
        let aws = "https://box.s3.us-east-1.amazonaws.com/k";
        assert_eq!(url(&config(None, true)), aws);
        let path = "https://acc.r2.cloudflarestorage.com/box/k";
        assert_eq!(url(&config(r2, false)), path);
        let host = "https://box.acc.r2.cloudflarestorage.com/k";
        assert_eq!(url(&config(r2, true)), host);
        let mut public = config(r2, false);
        public.public_url_prefix = Some("https://cdn.example/w/".to_owned());
        assert_eq!(url(&public), "https://cdn.example/w/k");
    }

    #[test]
    fn secrets_are_neither_shown_nor_written() {
        let config = config(None, false);
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_bucket_needs_a_name() {
        let error = S3Config::new("").check().unwrap_err();
        assert_eq!(error.name(), "Settings");
    }
}
