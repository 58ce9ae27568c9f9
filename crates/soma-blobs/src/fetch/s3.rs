//! One try from an S3-compatible store.

use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use tokio::time::timeout;

use super::failure;
use super::http::{PRIVATE, again};
use super::part::Part;
use super::{Fetcher, OnProgress, Try};
use crate::error::BlobError;
use crate::store::S3Config;

impl Fetcher {
    /// The path of `key` in the store, when that may be connected to: a name is checked when it is
    /// resolved, an address has no name.
    pub(super) fn check_s3(
        &self,
        config: &S3Config,
        bucket: &str,
        key: &str,
    ) -> Result<Path, BlobError> {
        let path = Path::from_url_path(key).map_err(|error| BlobError::InvalidUrl {
            url: format!("s3://{bucket}/{key}"),
            reason: error.to_string(),
        })?;
        if let Some(endpoint) = config.endpoint_of(bucket)? {
            self.config.policy.check(&endpoint)?;
        }
        Ok(path)
    }

    pub(super) async fn read_s3(
        &self,
        bucket: &str,
        key: &str,
        part: &mut Part,
        progress: OnProgress<'_>,
    ) -> Result<Try, BlobError> {
        let Some(config) = &self.config.s3 else {
            let reason = "no S3-compatible store is configured".to_owned();
            return Err(BlobError::Settings(reason));
        };
        let url = || format!("s3://{bucket}/{key}");
        let path = self.check_s3(config, bucket, key)?;
        let may_sign = self.config.s3_buckets.iter().any(|known| known == bucket);
        let keys = may_sign.then(|| config.keys()).flatten();
        let signed = keys.is_some();
        let store = config.reader(bucket, keys, self.client.clone())?;
        let offset = part.bytes();
        let options = GetOptions {
            range: (offset > 0).then_some(GetRange::Offset(offset)),
            ..GetOptions::default()
        };
        let idle = self.config.idle_timeout;
        let silent = |_| again(format!("no byte came within {idle:?}"));
        let found = match timeout(idle, store.get_opts(&path, options)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return classify(url(), &error, signed),
            Err(elapsed) => return Ok(silent(elapsed)),
        };
        if found.range.start != offset {
            part.restart().await?;
        }
        let mut stream = found.into_stream();
        loop {
            match timeout(idle, stream.next()).await {
                Ok(Some(Ok(bytes))) => part.add(&bytes).await?,
                Ok(Some(Err(error))) => return classify(url(), &error, signed),
                Ok(None) => return Ok(Try::Ended),
                Err(elapsed) => return Ok(silent(elapsed)),
            }
            progress(part.bytes());
        }
    }
}

/// What services say of keys that are no longer good with a status that says less.
const STALE_KEYS: [&str; 2] = ["ExpiredToken", "InvalidToken"];

/// Whose fault a failure is. With a signature, a refusal is of this service's own keys.
fn classify(url: String, error: &object_store::Error, signed: bool) -> Result<Try, BlobError> {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    let reason = error.to_string();
    let stale = || STALE_KEYS.iter().any(|code| reason.contains(code));
    let refused = matches!(error, PermissionDenied { .. } | Unauthenticated { .. });
    if signed && (refused || stale()) {
        return Err(BlobError::Settings(format!(
            "`{url}`: the store refuses the keys of this service, check them: {reason}"
        )));
    }
    if refused {
        let (reason, tries) = (format!("{reason}{PRIVATE}"), 1);
        return Err(BlobError::Unavailable { url, reason, tries });
    }
    if matches!(error, NotFound { .. }) {
        let tries = 1;
        return Err(BlobError::Unavailable { url, reason, tries });
    }
    failure::classify(error)
}
