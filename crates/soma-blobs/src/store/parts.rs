//! Sending a file to an S3-compatible store, in parts when it is large.

use std::path::Path as FilePath;

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore as _, PutPayload};
use sha3::{Digest as _, Sha3_256};
use soma_types::Checksum;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::s3::S3Config;
use super::unreadable;
use crate::error::BlobError;

/// Files above this size, in bytes, are sent in parts of this size.
const PART_BYTES: usize = 16 << 20;

/// What to do when the service that is asked for keys where none are given has none either.
const NO_KEYS: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: without them, only a role of \
                       this machine in the cloud gives keys";

impl S3Config {
    /// Puts a file into the bucket, in parts when it is large.
    pub(super) async fn upload(
        &self,
        path: &FilePath,
        checksum: &Checksum,
    ) -> Result<String, BlobError> {
        let key = self.key(checksum);
        let fail = |error: object_store::Error| BlobError::UploadFailed {
            place: format!("s3://{}/{key}", self.bucket),
            reason: match self.keys() {
                Some(_) => error.to_string(),
                None => format!("{error}; {NO_KEYS}"),
            },
        };
        let client = self.writer()?;
        let place = Path::from(key.as_str());
        let mut file = File::open(path)
            .await
            .map_err(|error| unreadable(path, &error))?;
        let first = read_part(&mut file, path).await?;
        if first.len() < PART_BYTES {
            if soma_crypto::checksum(&first) != *checksum {
                return Err(BlobError::changed(path));
            }
            let put = client.put(&place, PutPayload::from(first)).await;
            put.map_err(fail)?;
        } else {
            let mut upload = client.put_multipart(&place).await.map_err(fail)?;
            let sent = send_parts(&mut *upload, first, &mut file, path, checksum).await;
            let done = match sent {
                Ok(Ok(())) => Ok(upload.complete().await.map(drop)),
                failed => failed,
            };
            if !matches!(done, Ok(Ok(()))) {
                // Parts that arrived cost money until they are given up.
                let _ = upload.abort().await;
            }
            done?.map_err(fail)?;
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

/// Sends a file in parts, one after the other, and checks that it is still the one that was
/// measured.
async fn send_parts(
    upload: &mut dyn MultipartUpload,
    first: Vec<u8>,
    file: &mut File,
    path: &FilePath,
    checksum: &Checksum,
) -> Result<Result<(), object_store::Error>, BlobError> {
    let (mut part, mut hash) = (first, Sha3_256::new());
    while !part.is_empty() {
        hash.update(&part);
        if let Err(error) = upload.put_part(PutPayload::from(part)).await {
            return Ok(Err(error));
        }
        part = read_part(file, path).await?;
    }
    match Checksum(hash.finalize().into()) == *checksum {
        true => Ok(Ok(())),
        false => Err(BlobError::changed(path)),
    }
}
