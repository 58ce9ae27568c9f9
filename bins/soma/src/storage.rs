//! Where a command puts blobs: the arguments that all uploading commands share.

use std::path::PathBuf;

use clap::Args;
use soma_sdk::blobs::{S3Config, Store, StoreConfig};

use crate::context::Context;
use crate::error::CliError;

/// Where blobs are put, so that others can download them.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Storage options")]
pub struct StorageOptions {
    /// Where to upload: a folder, `s3://BUCKET/PREFIX`, or the URL of a blob server; default the environment's blob server
    #[arg(long, value_name = "PLACE", env = "SOMA_STORAGE")]
    pub storage: Option<String>,
    /// What the public URLs of uploads begin with, when it is not where they are put
    #[arg(long, value_name = "URL", env = "SOMA_PUBLIC_URL_PREFIX")]
    pub public_url_prefix: Option<String>,
    /// Address of an S3-compatible service; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    #[arg(long, value_name = "URL", env = "SOMA_S3_ENDPOINT")]
    pub s3_endpoint: Option<String>,
    /// Region of that service; `auto` for R2
    #[arg(
        long,
        value_name = "REGION",
        env = "SOMA_S3_REGION",
        default_value = "us-east-1"
    )]
    pub s3_region: String,
    /// Put the bucket into the host name
    #[arg(long)]
    pub s3_virtual_host_style: bool,
}

impl StorageOptions {
    /// The store that they name.
    ///
    /// # Errors
    /// No store is named or known; a name that is none.
    pub fn store(&self, context: &Context) -> Result<Store, CliError> {
        let place = match &self.storage {
            Some(place) => place.clone(),
            None => context.env()?.blobs.ok_or_else(|| {
                let text = "no storage: say with --storage where others can download it from: \
                            `s3://BUCKET/PREFIX`, the URL of a blob server, or a folder";
                CliError::Usage(text.to_owned())
            })?,
        };
        let config = self.config(&place)?;
        let env = context.env()?;
        check_reach(&config, env.is_local() || is_on_this_machine(&env.rpc))?;
        Ok(Store::new(config)?)
    }

    /// The store that they name; `None` when they name none.
    ///
    /// # Errors
    /// A name that is none.
    pub fn named(&self) -> Result<Option<StoreConfig>, CliError> {
        let place = self.storage.as_deref();
        place.map(|place| self.config(place)).transpose()
    }

    fn config(&self, place: &str) -> Result<StoreConfig, CliError> {
        let bucket = place
            .strip_prefix("s3://")
            .filter(|place| !place.is_empty());
        if let Some(place) = bucket {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            return Ok(StoreConfig::S3(S3Config {
                prefix: prefix.to_owned(),
                endpoint: self.s3_endpoint.clone(),
                region: self.s3_region.clone(),
                virtual_host_style: self.s3_virtual_host_style,
                public_url_prefix: self.public_url_prefix.clone(),
                ..S3Config::new(bucket)
            }));
        }
        if place.starts_with("http://") || place.starts_with("https://") {
            return Ok(StoreConfig::Server {
                url: place.to_owned(),
            });
        }
        // Not a folder of that name, which would be taken in silence.
        if ["s3", "s3:"].contains(&place.to_lowercase().as_str()) || place == "s3://" {
            let text = format!(
                "--storage {place} names no bucket: say `s3://BUCKET/PREFIX`, with --s3-endpoint for a \
                 service other than AWS; a folder called s3 is `./s3`"
            );
            return Err(CliError::Usage(text));
        }
        let path = match place.strip_prefix("file://") {
            Some(path) => path,
            None if place.contains("://") => {
                let text = format!(
                    "--storage {place}: say a folder, `s3://BUCKET/PREFIX`, or the http(s) URL of \
                     a blob server"
                );
                return Err(CliError::Usage(text));
            }
            None => place,
        };
        Ok(StoreConfig::Folder {
            path: PathBuf::from(path),
            public_url_prefix: self.public_url_prefix.clone(),
        })
    }
}

/// True for services under a loopback address.
pub(crate) fn is_on_this_machine(url: &str) -> bool {
    ["127.", "localhost", "[::1]"].iter().any(|host| {
        let rest = url.split_once("://").map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.starts_with(host))
    })
}

/// Refuses a folder that only this machine sees, where the network is on others.
fn check_reach(config: &StoreConfig, is_local: bool) -> Result<(), CliError> {
    match config {
        StoreConfig::Folder {
            path,
            public_url_prefix: None,
        } if !is_local => {
            let text = format!(
                "validators cannot open files of this machine in {}; say with --public-url-prefix \
                 under which URL a web server shows them, or choose another --storage",
                path.display()
            );
            Err(CliError::Usage(text))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        let options = StorageOptions::default();
        let config = |place| options.config(place).unwrap();
        assert!(
            matches!(config("s3://b/p/q"), StoreConfig::S3(s3) if s3.bucket == "b" && s3.prefix == "p/q")
        );
        assert!(matches!(config("s3://b"), StoreConfig::S3(s3) if s3.prefix.is_empty()));
        assert!(matches!(config("http://a:1"), StoreConfig::Server { .. }));
        for folder in ["file:///a/b", "/a/b"] {
            assert!(
                matches!(config(folder), StoreConfig::Folder { path, .. } if path.as_os_str() == "/a/b")
            );
        }
        assert!(options.config("ftp://a").is_err());
        assert!(matches!(config("./s3"), StoreConfig::Folder { .. }));
        for nowhere in ["s3", "S3", "s3:", "s3://"] {
            let error = options.config(nowhere).unwrap_err().to_string();
            assert!(error.contains("s3://BUCKET"), "{error}");
        }
    }

    #[test]
    fn a_folder_is_for_others_only_with_a_url() {
        let mut options = StorageOptions::default();
        let folder = options.config("/a/b").unwrap();
        assert!(check_reach(&folder, true).is_ok());
        let error = check_reach(&folder, false).unwrap_err();
        assert!(error.to_string().contains("--public-url-prefix"), "{error}");
        options.public_url_prefix = Some("https://a.example".to_owned());
        for place in ["/a/b", "s3://b", "http://a:1"] {
            let config = options.config(place).unwrap();
            assert!(check_reach(&config, false).is_ok(), "{place}");
        }
    }
}
