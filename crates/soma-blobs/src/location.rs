//! What a blob's URL means.

use std::path::PathBuf;

use soma_types::{Checksum, DataManifest, WeightsManifest};
use url::Url;

use crate::error::BlobError;

/// A blob as the network names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobRef {
    /// Where it lies.
    pub url: String,
    /// SHA3-256 of it.
    pub checksum: Checksum,
    /// Its size in bytes.
    pub size: u64,
}

impl From<&DataManifest> for BlobRef {
    fn from(data: &DataManifest) -> Self {
        Self {
            url: data.url.to_string(),
            checksum: data.checksum,
            size: data.size,
        }
    }
}

impl From<&WeightsManifest> for BlobRef {
    fn from(weights: &WeightsManifest) -> Self {
        Self {
            url: weights.url.to_string(),
            checksum: weights.checksum,
            size: weights.size,
        }
    }
}

/// A place that blobs are fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `http://…` or `https://…`.
    Http(Url),
    /// `file:///…`: localnets only.
    File(PathBuf),
    /// `s3://bucket/key`.
    S3 {
        /// The bucket.
        bucket: String,
        /// The path in it.
        key: String,
    },
}

/// The longest text of a URL in messages, in characters.
const SHOWN: usize = 200;

/// A URL for messages: shortened, without what may be a secret.
pub(crate) fn shown(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (scheme, rest) = url[..end].split_once("://").unwrap_or(("", &url[..end]));
    let host = rest.find('/').unwrap_or(rest.len());
    // A user name and a password end at the last `@` before the path.
    let start = rest[..host].rfind('@').map_or(0, |at| at + 1);
    let separator = if scheme.is_empty() { "" } else { "://" };
    [scheme, separator, &rest[start..]]
        .into_iter()
        .flat_map(str::chars)
        .take(SHOWN)
        .map(|c| if c.is_control() { '�' } else { c })
        .collect()
}

impl Location {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`BlobError::InvalidUrl`] and [`BlobError::SchemeNotAllowed`].
    pub fn parse(text: &str) -> Result<Self, BlobError> {
        let invalid = |reason: String| BlobError::InvalidUrl {
            url: shown(text),
            reason,
        };
        let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            let reason = "it carries a user name or password; publish it without".to_owned();
            return Err(BlobError::InvalidUrl {
                url: format!("{}://…", url.scheme()),
                reason,
            });
        }
        match url.scheme() {
            "http" | "https" => Ok(Self::Http(url)),
            "file" => match url.to_file_path() {
                Ok(path) => Ok(Self::File(path)),
                Err(()) => Err(invalid("it is not an absolute path".to_owned())),
            },
            "s3" => {
                let bucket = url.host_str().unwrap_or_default().to_owned();
                let key = url.path().trim_start_matches('/').to_owned();
                let more =
                    url.port().is_some() || url.query().is_some() || url.fragment().is_some();
                if !is_bucket(&bucket) || key.is_empty() || more {
                    return Err(invalid("write s3://bucket/key".to_owned()));
                }
                Ok(Self::S3 { bucket, key })
            }
            scheme => Err(BlobError::SchemeNotAllowed {
                url: shown(text),
                scheme: scheme.to_owned(),
                allowed: "https, http or s3",
            }),
        }
    }
}

/// Checks that whoever reads `url` on chain can open it: with http or https, and where the nodes
/// of a network share a machine (`files`), from a file. An `s3://` URL needs settings and keys
/// that nobody else has.
///
/// # Errors
/// [`BlobError::InvalidUrl`], [`BlobError::SchemeNotAllowed`].
pub fn check_published(url: &str, files: bool) -> Result<(), BlobError> {
    let scheme = match Location::parse(url)? {
        Location::Http(_) => return Ok(()),
        Location::File(_) if files => return Ok(()),
        Location::File(_) => "file",
        Location::S3 { .. } => "s3",
    };
    Err(BlobError::SchemeNotAllowed {
        url: shown(url),
        scheme: scheme.to_owned(),
        allowed: "https or http",
    })
}

/// The name becomes part of a host name or a path: nothing else may be in it.
fn is_bucket(name: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.bytes();
        let mut bytes = bytes.map(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        !label.is_empty() && bytes.all(|is_good| is_good)
    };
    name.len() <= 63 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> &'static str {
        Location::parse(text).unwrap_err().name()
    }

    #[test]
    fn places_are_read() {
        assert!(matches!(
            Location::parse("https://a.example/b?c=d"),
            Ok(Location::Http(_))
        ));
        let path = Location::File("/tmp/x y".into());
        assert_eq!(Location::parse("file:///tmp/x%20y"), Ok(path));
        let s3 = Location::S3 {
            bucket: "b".to_owned(),
            key: "c/d".to_owned(),
        };
        assert_eq!(Location::parse("s3://b/c/d"), Ok(s3));
    }

    #[test]
    fn other_texts_are_refused_by_name() {
        for text in [
            "",
            "x",
            "https://",
            "s3://b",
            "s3:///k",
            "file://host/x",
            "http://[::1",
        ] {
            assert_eq!(name(text), "InvalidUrl", "{text}");
        }
        for text in ["ftp://a/b", "data:,x", "gopher://a/1", "javascript:1"] {
            assert_eq!(name(text), "SchemeNotAllowed", "{text}");
        }
    }

    #[test]
    fn only_what_everybody_can_open_may_be_published() {
        let name = |url, files| check_published(url, files).err().map(|error| error.name());
        for url in ["http://a.example/b", "https://a.example/b?c=d"] {
            assert_eq!(name(url, false), None, "{url}");
        }
        assert_eq!(name("file:///a/b", true), None);
        for (url, files) in [
            ("file:///a/b", false),
            ("s3://bucket/key", false),
            ("s3://bucket/key", true),
            ("ftp://a.example/b", true),
        ] {
            assert_eq!(name(url, files), Some("SchemeNotAllowed"), "{url}");
        }
        assert_eq!(name("no url", true), Some("InvalidUrl"));
    }

    #[test]
    fn passwords_are_refused_and_not_repeated() {
        let error = Location::parse("https://me:hunter2@a.example/b").unwrap_err();
        assert_eq!(error.name(), "InvalidUrl");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(shown("https://a/b?signature=x#y"), "https://a/b");
        assert_eq!(shown("https://me:secret@a/b@c"), "https://a/b@c");
        assert_eq!(shown("https://me:sec@ret@a"), "https://a");
        assert_eq!(shown("me:secret@a/b"), "a/b");
    }
}
