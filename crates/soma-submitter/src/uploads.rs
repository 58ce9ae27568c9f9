//! Where validators find the data of submissions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use soma_blobs::{BlobError, BlobRef, FetchConfig, Fetcher, Store};
use url::Url;

use crate::candidates::Piece;
use crate::error::SubmitterError;

/// Sources that somebody serves: a file's URL is the prefix and its place below its source.
#[derive(Clone, Debug)]
pub struct Served {
    prefix: Url,
    /// Looks whether the URL gives the data, as validators will.
    fetcher: Fetcher,
    /// Told of what cannot be looked at; where there is none, that is refused.
    warn: Option<fn(&str)>,
    /// Some URL gave its data.
    has_served: Arc<AtomicBool>,
}

/// Where validators find the data of submissions.
#[derive(Clone, Debug)]
pub enum Uploads {
    /// Data is uploaded here.
    Store(Store),
    /// The sources are served already.
    Served(Box<Served>),
    /// Nowhere: for dry runs.
    Nowhere,
}

impl Uploads {
    /// Files that somebody serves under `prefix`. What they give is checked before a bond is sent,
    /// by downloads after `fetch`. What its policy does not open is refused: validators, who have
    /// the same one, take it for missing. With `warn` it goes unchecked instead, and `warn` is told:
    /// a name may lead elsewhere from here.
    ///
    /// # Errors
    /// [`SubmitterError::Settings`] for a text that is no such URL; [`SubmitterError::Blob`].
    pub fn served(
        prefix: &str,
        fetch: FetchConfig,
        warn: Option<fn(&str)>,
    ) -> Result<Self, SubmitterError> {
        let fail = |reason: &str| {
            let text =
                format!("URL prefix {prefix}: {reason}; write one such as https://host/data");
            SubmitterError::Settings(text)
        };
        let url = Url::parse(prefix).map_err(|error| fail(&error.to_string()))?;
        if url.cannot_be_a_base() || url.query().is_some() || url.fragment().is_some() {
            return Err(fail("it cannot be gone on with a path"));
        }
        let fetcher = Fetcher::new(fetch)?;
        Ok(Self::Served(Box::new(Served {
            prefix: url,
            fetcher,
            warn,
            has_served: Arc::default(),
        })))
    }

    /// True when only whole files have a URL.
    pub fn takes_only_whole_files(&self) -> bool {
        matches!(self, Self::Served(_))
    }

    /// Makes the data of a piece available and gives its URL.
    ///
    /// # Errors
    /// [`SubmitterError::Blob`]; [`SubmitterError::NotServed`] when the URL of a served file does
    /// not give its data; [`SubmitterError::Settings`] when no URL has given any, or when there is
    /// no place.
    pub async fn put(&self, piece: &Piece, bytes: Vec<u8>) -> Result<String, SubmitterError> {
        match self {
            Self::Store(store) => Ok(store.publish_bytes(bytes).await?.url),
            Self::Served(served) => served.checked_url(piece, &bytes).await,
            Self::Nowhere => {
                let text = "there is no place for uploads, which only a dry run does without";
                Err(SubmitterError::Settings(text.to_owned()))
            }
        }
    }
}

impl Served {
    /// The URL of a piece, once it gives these bytes.
    async fn checked_url(&self, piece: &Piece, bytes: &[u8]) -> Result<String, SubmitterError> {
        let blob = BlobRef {
            url: url_of(&self.prefix, piece),
            checksum: soma_crypto::checksum(bytes),
            size: bytes.len() as u64,
        };
        let fail = |error| SubmitterError::source(&std::env::temp_dir(), error);
        let folder = tempfile::tempdir().map_err(fail)?;
        let to = folder.path().join("data");
        let Err(error) = self.fetcher.fetch(&blob, &to, &|_| {}).await else {
            self.has_served.store(true, Ordering::Relaxed);
            return Ok(blob.url);
        };
        if let Some(warn) = self.warn.filter(|_| is_unopened(&error)) {
            let url = &blob.url;
            warn(&format!("{url} is not checked to give the data: {error}"));
            return Ok(blob.url);
        }
        if error.is_own() {
            return Err(error.into());
        }
        let error = SubmitterError::NotServed {
            url: blob.url,
            path: piece.path.clone(),
            error: Box::new(error),
        };
        // Before any file was found, it is the prefix that is wrong, and so for all.
        let is_prefix = !self.has_served.load(Ordering::Relaxed) && !error.is_retryable();
        Err(match is_prefix {
            true => SubmitterError::Settings(error.to_string()),
            false => error,
        })
    }
}

/// True where the policy of downloads does not open the URL, whatever lies there.
pub fn is_unopened(error: &BlobError) -> bool {
    matches!(
        error,
        BlobError::AddressNotAllowed { .. } | BlobError::SchemeNotAllowed { .. }
    )
}

fn url_of(prefix: &Url, piece: &Piece) -> String {
    let mut url = prefix.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty();
        let names = piece.relative.components();
        segments.extend(names.map(|name| name.as_os_str().to_string_lossy().into_owned()));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn served_files_are_found_below_the_prefix() {
        let piece = Piece {
            path: "/data/a b/c#.txt".into(),
            relative: "a b/c#.txt".into(),
            offset: 0,
            size: 1,
            is_whole: true,
        };
        let served = |prefix| Uploads::served(prefix, FetchConfig::local(), None);
        for prefix in ["https://host/x", "https://host/x/"] {
            let Uploads::Served(served) = served(prefix).unwrap() else {
                panic!("not served");
            };
            let url = url_of(&served.prefix, &piece);
            assert_eq!(url, "https://host/x/a%20b/c%23.txt");
        }
        for bad in ["host/x", "mailto:a", "https://host/x?y=z"] {
            assert_eq!(served(bad).unwrap_err().name(), "InvalidSettings");
        }
    }
}
