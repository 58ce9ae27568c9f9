//! One try from an S3-compatible store.

use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use super::part::Part;
use super::{Fetcher, OnProgress, Try};
use crate::error::BlobError;

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
        let store = config.client(bucket)?;
        let offset = part.bytes();
        let options = GetOptions {
            range: (offset > 0).then_some(GetRange::Offset(offset)),
            ..GetOptions::default()
        };
        let found = match store.get_opts(&Path::from(key), options).await {
            Ok(found) => found,
            Err(error) => return classify(bucket, key, &error),
        };
        if found.range.start != offset {
            part.restart().await?;
        }
        let mut stream = found.into_stream();
        while let Some(bytes) = stream.next().await {
            match bytes {
                Ok(bytes) => part.add(&bytes).await?,
                Err(error) => return classify(bucket, key, &error),
            }
            progress(part.bytes());
        }
        Ok(Try::Ended)
    }
}

fn classify(bucket: &str, key: &str, error: &object_store::Error) -> Result<Try, BlobError> {
    use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
    let reason = error.to_string();
    match error {
        NotFound { .. } | PermissionDenied { .. } | Unauthenticated { .. } => {
            Err(BlobError::Unavailable {
                url: format!("s3://{bucket}/{key}"),
                reason,
                tries: 1,
            })
        }
        _ => Ok(Try::Again {
            reason,
            pause: None,
        }),
    }
}
