//! S3-compatible stores: AWS, R2, MinIO and their like.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{HttpClient, HttpConnector};
use object_store::{ClientConfigKey, ClientOptions, RetryConfig};
use serde::{Deserialize, Serialize};
use soma_types::Checksum;
use url::Url;

use super::join;
use crate::error::BlobError;
use crate::policy::AddressPolicy;
use crate::resolve::{Resolver, is_localhost};

/// Time for one request of an upload in seconds: a part over a slow line.
const UPLOAD_SECONDS: u64 = 900;

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";

/// What requests are signed with.
pub(crate) struct Keys {
    id: String,
    secret: String,
    token: Option<String>,
}

/// Lets the store's requests go through a client of ours.
#[derive(Debug)]
struct Through(reqwest::Client);

impl HttpConnector for Through {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

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
        self.writer().map(|_| ())
    }

    /// A client that puts blobs into the bucket: each request is tried again when it fails.
    pub(super) fn writer(&self) -> Result<AmazonS3, BlobError> {
        let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
        let builder = AmazonS3Builder::from_env();
        let builder = builder.with_config(timeout, format!("{UPLOAD_SECONDS}s"));
        let mut builder = self.at(builder, &self.bucket)?;
        if self.is_local(&self.bucket)? {
            builder = builder.with_http_connector(Through(local_client()?));
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
        built(builder)
    }

    /// A client that reads from `bucket` through `client`, which watches over addresses. The caller
    /// watches the time, and tries again itself.
    pub(crate) fn reader(
        &self,
        bucket: &str,
        keys: Option<Keys>,
        client: reqwest::Client,
    ) -> Result<AmazonS3, BlobError> {
        let once = RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        };
        // Nothing of the environment: no proxy, and no service that gives keys.
        let builder = self.at(AmazonS3Builder::new(), bucket)?;
        let mut builder = builder
            .with_retry(once)
            .with_skip_signature(keys.is_none())
            .with_http_connector(Through(client));
        if let Some(keys) = keys {
            builder = builder
                .with_access_key_id(keys.id)
                .with_secret_access_key(keys.secret);
            if let Some(token) = keys.token {
                builder = builder.with_token(token);
            }
        }
        built(builder)
    }

    /// The keys: those of the settings, or of the environment.
    pub(crate) fn keys(&self) -> Option<Keys> {
        Some(Keys {
            id: given(self.access_key_id.as_ref(), KEY_ID)?,
            secret: given(self.secret_access_key.as_ref(), SECRET_KEY)?,
            token: given(self.session_token.as_ref(), TOKEN),
        })
    }

    /// The variables of the environment that must be set before anything is read with keys.
    pub fn missing_keys(&self) -> Vec<&'static str> {
        let keys = [
            (&self.access_key_id, KEY_ID),
            (&self.secret_access_key, SECRET_KEY),
        ];
        let missing = keys
            .into_iter()
            .filter(|(own, name)| given(own.as_ref(), name).is_none());
        missing.map(|(_, name)| name).collect()
    }

    /// `builder` for `bucket` of this service.
    fn at(&self, builder: AmazonS3Builder, bucket: &str) -> Result<AmazonS3Builder, BlobError> {
        let builder = builder
            .with_bucket_name(bucket)
            .with_region(&self.region)
            .with_virtual_hosted_style_request(self.virtual_host_style);
        Ok(match &self.endpoint {
            Some(endpoint) => {
                let address = self.address(endpoint, bucket)?;
                let is_plain = address.starts_with("http://");
                builder.with_endpoint(address).with_allow_http(is_plain)
            }
            None => builder,
        })
    }

    /// Where requests for `bucket` go; none for AWS.
    pub(crate) fn endpoint_of(&self, bucket: &str) -> Result<Option<Url>, BlobError> {
        let Some(endpoint) = &self.endpoint else {
            return Ok(None);
        };
        let url = Url::parse(&self.address(endpoint, bucket)?);
        let url = url.map_err(|error| BlobError::Settings(format!("{endpoint}: {error}")))?;
        Ok(Some(url))
    }

    /// True for a store of this machine that is named after its bucket.
    fn is_local(&self, bucket: &str) -> Result<bool, BlobError> {
        let endpoint = self.endpoint_of(bucket)?;
        let host = endpoint.as_ref().and_then(Url::host_str);
        Ok(host.is_some_and(is_localhost))
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
    pub(super) fn key(&self, checksum: &Checksum) -> String {
        match self.prefix.trim_matches('/') {
            "" => checksum.to_string(),
            prefix => format!("{prefix}/{checksum}"),
        }
    }

    /// Where the public finds a blob.
    pub(super) fn public_url(&self, key: &str) -> Result<String, BlobError> {
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
}

/// The key of the settings, or of the environment, where an empty one is none.
fn given(own: Option<&String>, name: &str) -> Option<String> {
    let of_environment = || std::env::var(name).ok().filter(|key| !key.is_empty());
    own.cloned().or_else(of_environment)
}

/// A client for stores of this machine: most systems know no names under `localhost`.
fn local_client() -> Result<reqwest::Client, BlobError> {
    reqwest::Client::builder()
        .dns_resolver(Arc::new(Resolver(AddressPolicy::anywhere())))
        .timeout(Duration::from_secs(UPLOAD_SECONDS))
        .no_proxy()
        .build()
        .map_err(|error| BlobError::Settings(error.to_string()))
}

fn built(builder: AmazonS3Builder) -> Result<AmazonS3, BlobError> {
    let built = builder.build();
    built.map_err(|error| BlobError::Settings(error.to_string()))
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
