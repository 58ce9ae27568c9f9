//! Where a command puts blobs: the arguments that all uploading commands share.

use std::path::PathBuf;

use clap::{Arg, Args};
use soma_sdk::account;
pub(crate) use soma_sdk::account::is_on_this_machine;
use soma_sdk::blobs::{S3Config, Store, StoreConfig};

use crate::context::Context;
use crate::error::CliError;

/// Where blobs are put, so that others can download them. A command that does not take the
/// environment's blob server when none is named says so with [`help_of_storage`].
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

/// `arg`, with this help text where it is `--storage`. Arguments stay in their order.
pub(crate) fn help_of_storage(arg: Arg, help: &'static str) -> Arg {
    match arg.get_id() == "storage" {
        true => arg.help(help),
        false => arg,
    }
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
        // Whatever the environment is called: --rpc-url may lead elsewhere.
        check_reach(&config, &context.env()?.rpc)?;
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

/// Refuses a place that only this machine or its own network sees, where the node at `rpc` is
/// elsewhere.
fn check_reach(config: &StoreConfig, rpc: &str) -> Result<(), CliError> {
    let public = match config {
        StoreConfig::Folder {
            path,
            public_url_prefix: None,
        } if !is_on_this_machine(rpc) => {
            let text = format!(
                "validators cannot open files of this machine in {}; say with --public-url-prefix \
                 under which URL a web server shows them, or choose another --storage",
                path.display()
            );
            return Err(CliError::Usage(text));
        }
        StoreConfig::Folder {
            public_url_prefix, ..
        } => public_url_prefix.as_deref(),
        StoreConfig::S3(s3) => {
            let prefix = s3.public_url_prefix.as_deref();
            prefix.or(s3.endpoint.as_deref())
        }
        StoreConfig::Server { url } => Some(url.as_str()),
    };
    match public.map(|url| account::check_reach(rpc, url)) {
        Some(Err(error)) => Err(CliError::Usage(format!(
            "{error}: choose another --storage or --public-url-prefix"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://127.0.0.1:9000";
    const ELSEWHERE: &str = "https://node.example";

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
        assert!(check_reach(&folder, HERE).is_ok());
        let error = check_reach(&folder, ELSEWHERE).unwrap_err();
        assert!(error.to_string().contains("--public-url-prefix"), "{error}");
        options.public_url_prefix = Some("https://a.example".to_owned());
        for place in ["/a/b", "s3://b", "http://a:1"] {
            let config = options.config(place).unwrap();
            assert!(check_reach(&config, ELSEWHERE).is_ok(), "{place}");
        }
    }

    #[test]
    fn a_store_that_only_this_machine_reaches_is_for_a_network_on_it_only() {
        let mut options = StorageOptions {
            s3_endpoint: Some("http://localhost:9100".to_owned()),
            ..StorageOptions::default()
        };
        let refused = |options: &StorageOptions, place: &str| {
            let config = options.config(place).unwrap();
            assert!(check_reach(&config, HERE).is_ok(), "{place}");
            let error = check_reach(&config, ELSEWHERE).unwrap_err();
            assert!(matches!(error, CliError::Usage(_)), "{place}: {error}");
            assert!(error.to_string().contains("--storage"), "{place}: {error}");
        };
        // The blob server of `soma start blobs`, and one of the same house.
        for place in ["http://127.0.0.1:9126", "http://192.168.1.5:9126", "s3://b"] {
            refused(&options, place);
        }
        options.public_url_prefix = Some("http://127.0.0.1:8000".to_owned());
        for place in ["/a/b", "s3://b"] {
            refused(&options, place);
        }
    }
}
