//! Whether others find what was put under a URL by hand.

use soma_blobs::{BlobError, BlobRef, FetchConfig, Fetcher};
use tokio::sync::Notify;

use super::model::fetch_config;
use crate::context::Context;
use crate::error::CliError;
use crate::storage::is_on_this_machine;

/// Of larger blobs only the beginning is downloaded.
const LARGEST: u64 = 64 << 20;

/// Downloads what lies under a URL that was said, and asks before going on where it is not what it
/// should be: validators take that for fraud.
///
/// # Errors
/// The answer was no, or nobody is there to give one; a temporary file cannot be made.
pub(super) async fn confirm_published(context: &Context, blob: &BlobRef) -> Result<(), CliError> {
    // Who shares this machine with the network may put things on its disk.
    let config = FetchConfig {
        tries: 1,
        ..fetch_config(context, is_on_this_machine(&context.env()?.rpc))?
    };
    match look(&Fetcher::new(config)?, blob).await? {
        Ok(Found::Whole) => Ok(()),
        Ok(Found::Begun) => {
            context.say("It is there; that all of it is as it is here was not checked: it is large.");
            Ok(())
        }
        Err(error) => context.confirm(&format!(
            "It is not found there as it is here: {error}. Validators take that for fraud, and bond \
             or stake are lost. Go on all the same?"
        )),
    }
}

/// How much of a blob was found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// All of it.
    Whole,
    /// The server gives it.
    Begun,
}

async fn look(fetcher: &Fetcher, blob: &BlobRef) -> Result<Result<Found, BlobError>, CliError> {
    let folder = tempfile::tempdir().map_err(CliError::file(&std::env::temp_dir()))?;
    let to = folder.path().join("blob");
    let begun = Notify::new();
    let progress = |_| begun.notify_one();
    Ok(tokio::select! {
        fetched = fetcher.fetch(blob, &to, &progress) => fetched.map(|()| Found::Whole),
        () = begun.notified(), if blob.size > LARGEST => Ok(Found::Begun),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_blobs_are_looked_for_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let blob = BlobRef {
            url: reqwest::Url::from_file_path(&path).unwrap().into(),
            checksum: soma_crypto::checksum(b"all of it"),
            size: LARGEST + 1,
        };
        let fetcher = Fetcher::new(FetchConfig {
            allow_files: true,
            tries: 1,
            ..FetchConfig::default()
        });
        let fetcher = fetcher.unwrap();
        assert!(look(&fetcher, &blob).await.unwrap().is_err());
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(blob.size).unwrap();
        assert_eq!(look(&fetcher, &blob).await.unwrap().unwrap(), Found::Begun);
    }
}
