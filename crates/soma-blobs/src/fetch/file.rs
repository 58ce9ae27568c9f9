//! Copying a local file.

use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::part::Part;
use super::{OnProgress, Try};
use crate::error::BlobError;

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 18;

pub(super) async fn copy(
    path: &Path,
    part: &mut Part,
    progress: OnProgress<'_>,
) -> Result<Try, BlobError> {
    let fail = |reason: String| BlobError::Unavailable {
        url: format!("file://{}", path.display()),
        reason,
        tries: 1,
    };
    let metadata = tokio::fs::metadata(path).await;
    let metadata = metadata.map_err(|error| fail(error.to_string()))?;
    if !metadata.is_file() {
        // A device or pipe may never end, or wait for ever.
        return Err(fail("it is not a file".to_owned()));
    }
    let mut file = File::open(path)
        .await
        .map_err(|error| fail(error.to_string()))?;
    let start = std::io::SeekFrom::Start(part.bytes());
    file.seek(start)
        .await
        .map_err(|error| fail(error.to_string()))?;
    let mut bytes = vec![0; BUFFER];
    loop {
        let count = file.read(&mut bytes).await;
        let count = count.map_err(|error| fail(error.to_string()))?;
        if count == 0 {
            return Ok(Try::Ended);
        }
        part.add(&bytes[..count]).await?;
        progress(part.bytes());
    }
}
