//! One try from an S3-compatible store.

use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use tokio::time::timeout;

use super::http::again;
use super::part::Part;
use super::{Fetcher, OnProgress, Try};
use crate::error::BlobError;
use crate::store::Use;

impl Fetcher {
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
        let path = Path::from_url_path(key).map_err(|error| BlobError::InvalidUrl {
            url: url(),
            reason: error.to_string(),
        })?;
        let store = config.client(bucket, Use::OneTry)?;
        let offset = part.bytes();
        let options = GetOptions {
            range: (offset > 0).then_some(GetRange::Offset(offset)),
            ..GetOptions::default()
        };
        let idle = self.config.idle_timeout;
        let silent = |_| again(format!("no byte came within {idle:?}"));
        let found = match timeout(idle, store.get_opts(&path, options)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return classify(url(), &error),
            Err(elapsed) => return Ok(silent(elapsed)),
        };
        if found.range.start != offset {
            part.restart().await?;
        }
        let mut stream = found.into_stream();
        loop {
            match timeout(idle, stream.next()).await {
                Ok(Some(Ok(bytes))) => part.add(&bytes).await?,
                Ok(Some(Err(error))) => return classify(url(), &error),
                Ok(None) => return Ok(Try::Ended),
                Err(elapsed) => return Ok(silent(elapsed)),
            }
            progress(part.bytes());
        }
    }
}

fn classify(url: String, error: &object_store::Error) -> Result<Try, BlobError> {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    let reason = error.to_string();
    match error {
        NotFound { .. } | PermissionDenied { .. } | Unauthenticated { .. } => {
            Err(BlobError::Unavailable {
                url,
                reason,
                tries: 1,
            })
        }
        _ => Ok(again(reason)),
    }
}
