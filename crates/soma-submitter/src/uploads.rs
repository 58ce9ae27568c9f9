//! Where validators find the data of submissions.

use soma_blobs::Store;
use url::Url;

use crate::candidates::Piece;
use crate::error::SubmitterError;

/// Where validators find the data of submissions.
#[derive(Clone, Debug)]
pub enum Uploads {
    /// Data is uploaded here.
    Store(Store),
    /// The sources are served already: a file's URL is this prefix and its place below its source.
    Served(Url),
    /// Nowhere: for dry runs.
    Nowhere,
}

impl Uploads {
    /// Files that somebody serves under `prefix`.
    ///
    /// # Errors
    /// [`SubmitterError::Settings`] for a text that is no such URL.
    pub fn served(prefix: &str) -> Result<Self, SubmitterError> {
        let fail = |reason: &str| {
            let text =
                format!("URL prefix {prefix}: {reason}; write one such as https://host/data");
            SubmitterError::Settings(text)
        };
        let url = Url::parse(prefix).map_err(|error| fail(&error.to_string()))?;
        if url.cannot_be_a_base() || url.query().is_some() || url.fragment().is_some() {
            return Err(fail("it cannot be gone on with a path"));
        }
        Ok(Self::Served(url))
    }

    /// True when only whole files have a URL.
    pub fn takes_only_whole_files(&self) -> bool {
        matches!(self, Self::Served(_))
    }

    /// Makes the data of a piece available and gives its URL.
    ///
    /// # Errors
    /// [`SubmitterError::Blob`]; [`SubmitterError::Settings`] when there is no place.
    pub async fn put(&self, piece: &Piece, bytes: Vec<u8>) -> Result<String, SubmitterError> {
        match self {
            Self::Store(store) => Ok(store.upload_bytes(bytes).await?.url),
            Self::Served(prefix) => Ok(url_of(prefix, piece)),
            Self::Nowhere => {
                let text = "there is no place for uploads, which only a dry run does without";
                Err(SubmitterError::Settings(text.to_owned()))
            }
        }
    }
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
        for prefix in ["https://host/x", "https://host/x/"] {
            let Uploads::Served(url) = Uploads::served(prefix).unwrap() else {
                panic!("not served");
            };
            assert_eq!(url_of(&url, &piece), "https://host/x/a%20b/c%23.txt");
        }
        for bad in ["host/x", "mailto:a", "https://host/x?y=z"] {
            assert_eq!(Uploads::served(bad).unwrap_err().name(), "InvalidSettings");
        }
    }
}
