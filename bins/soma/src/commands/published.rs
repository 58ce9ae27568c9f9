//! Whether others find what was put under a URL by hand.

use soma_blobs::{BlobRef, FetchConfig, Fetcher};

use super::model::fetch_config;
use crate::context::Context;
use crate::error::CliError;
use crate::storage::is_on_this_machine;

/// Larger blobs are not downloaded to see whether they are there.
const LARGEST: u64 = 64 << 20;

/// Downloads what lies under a URL that was said, and asks before going on where it is not what it
/// should be: validators take that for fraud.
///
/// # Errors
/// The answer was no, or nobody is there to give one; a temporary file cannot be made.
pub(super) async fn confirm_published(context: &Context, blob: &BlobRef) -> Result<(), CliError> {
    if blob.size > LARGEST {
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(CliError::file(&std::env::temp_dir()))?;
    // Who shares this machine with the network may put things on its disk.
    let config = FetchConfig {
        tries: 1,
        ..fetch_config(context, is_on_this_machine(&context.env()?.rpc))?
    };
    let to = folder.path().join("blob");
    match Fetcher::new(config)?.fetch(blob, &to, &|_| {}).await {
        Ok(()) => Ok(()),
        Err(error) => context.confirm(&format!(
            "It is not found there as it is here: {error}. Validators take that for fraud, and bond \
             or stake are lost. Go on all the same?"
        )),
    }
}
