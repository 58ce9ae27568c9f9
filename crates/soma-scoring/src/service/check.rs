//! Settings under which nothing could ever be scored are refused at the start, by name.

use axum::http::Uri;
use soma_service::InvalidOrigin;
use thiserror::Error;

use super::config::{MOST_FOR_REQUESTS, ServiceConfig};
use super::prepare::largest_sealed;
use super::room::Extent;

/// A setting under which nothing could be scored. Options are those of the command line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingError {
    /// A count, size or time is 0.
    #[error("{option} is 0: nothing could be scored; give it at least 1")]
    Zero {
        /// The option, or the field where there is none.
        option: &'static str,
    },
    /// Memory or disk does not hold what it must.
    #[error("{option} is {bytes} bytes, too few for {what}; give it at least {needed} bytes")]
    TooSmall {
        /// The option.
        option: &'static str,
        /// What it is.
        bytes: u64,
        /// What it must hold.
        what: String,
        /// The bytes of that.
        needed: u64,
    },
    /// More memory than there is.
    #[error(
        "{option} is {bytes} bytes, and there are {total}; give less than that, so that the system \
         and other programs have some too"
    )]
    NotThere {
        /// The option.
        option: &'static str,
        /// What it is.
        bytes: u64,
        /// All memory of the machine or the GPU, in bytes.
        total: u64,
    },
    /// Requests would take the memory that a model needs.
    #[error(
        "--request-memory is {bytes} bytes, and leaves too few of --memory for {what}; give it at \
         most {most} bytes, or --memory more"
    )]
    RequestMemory {
        /// What it is.
        bytes: u64,
        /// What the rest must hold.
        what: String,
        /// The most that it can be, in bytes.
        most: u64,
    },
    /// No address of a service.
    #[error(
        "--s3-endpoint `{0}` is no URL of a service; give one such as https://s3.example.org or \
         http://127.0.0.1:9000"
    )]
    S3Endpoint(String),
    /// A bucket of no service.
    #[error("--s3-bucket {0} is not read, since no service is named; name it with --s3-endpoint")]
    S3Service(String),
    /// A bucket that is read with keys, and there are none.
    #[error(
        "--s3-bucket {bucket} is read with keys, and the environment has no {missing}; set what is \
         missing, or leave the option out where everybody may read the bucket"
    )]
    S3Keys {
        /// The bucket.
        bucket: String,
        /// The variables that are not set.
        missing: String,
    },
    /// An origin that no browser sends.
    #[error("--cors-origin: {0}")]
    Origin(#[from] InvalidOrigin),
}

impl ServiceConfig {
    /// Checks that something can be scored: there is room for one model, its sealed file, and the
    /// smallest request.
    ///
    /// # Errors
    /// [`SettingError`].
    pub fn check(&self) -> Result<(), SettingError> {
        let counts = [
            ("--queue", self.queue as u64),
            ("--request-timeout", self.request_timeout_ms),
            ("--max-data", self.scorer.max_data_bytes),
            ("--sequences", self.scorer.sequences_at_a_time as u64),
            ("max_models", self.max_models as u64),
            ("max_pieces", self.max_pieces as u64),
        ];
        if let Some((option, _)) = counts.into_iter().find(|(_, value)| *value == 0) {
            return Err(SettingError::Zero { option });
        }
        self.check_memory()?;
        let file = largest_sealed(&self.scorer.model);
        let what = format!("the sealed weights of one {} model", self.model_size);
        at_least("--cache", self.cache.max_bytes, what, file)?;
        self.check_s3()?;
        Ok(self.guard.check_origins()?)
    }

    /// Checks that a machine with `host` bytes of memory has what may be used of it, and the GPU, if it
    /// is known to have `gpu` bytes.
    ///
    /// # Errors
    /// [`SettingError::NotThere`].
    pub fn check_there(&self, host: u64, gpu: Option<u64>) -> Result<(), SettingError> {
        let scorer = &self.scorer;
        less("--memory", scorer.host_memory_bytes, host)?;
        gpu.map_or(Ok(()), |total| {
            less("--device-memory", scorer.device_memory_bytes, total)
        })
    }

    fn check_s3(&self) -> Result<(), SettingError> {
        let s3 = self.fetch.s3.as_ref();
        match s3.and_then(|s3| s3.endpoint.as_ref()) {
            Some(endpoint) if !is_address(endpoint) => {
                return Err(SettingError::S3Endpoint(endpoint.clone()));
            }
            _ => {}
        }
        let Some(bucket) = self.fetch.s3_buckets.first().cloned() else {
            return Ok(());
        };
        let Some(s3) = s3 else {
            return Err(SettingError::S3Service(bucket));
        };
        let missing = s3.missing_keys().join(" and no ");
        match missing.is_empty() {
            true => Ok(()),
            false => Err(SettingError::S3Keys { bucket, missing }),
        }
    }

    fn check_memory(&self) -> Result<(), SettingError> {
        let scorer = &self.scorer;
        let what = format!("one {} model in {}", self.model_size, scorer.precision);
        let smallest = Extent {
            pieces: vec![1],
            models: 1,
            dim: scorer.model.embedding_dim,
        };
        let (model, request) = (scorer.host_needs(), smallest.bytes());
        let (host, requests) = (scorer.host_memory_bytes, self.waiting_bytes());
        let mut needed = model.saturating_add(requests);
        if let Some(bytes) = self.max_request_bytes {
            let one = "the smallest request".to_owned();
            at_least("--request-memory", bytes, one, request)?;
            if host >= model.saturating_add(request) && host < needed {
                let most = host - model;
                return Err(SettingError::RequestMemory { bytes, what, most });
            }
        } else {
            // What leaves enough when requests take their default part.
            let in_eighths = model.div_ceil(7).max(request).saturating_mul(8);
            needed = in_eighths.min(model.saturating_add(MOST_FOR_REQUESTS));
        }
        if host.saturating_sub(requests) < model || requests < request {
            let what = format!("{what} and for requests");
            at_least("--memory", host, what, needed)?;
        }
        if scorer.device.shares_host_memory() {
            return Ok(());
        }
        let needed = scorer.needs().total();
        at_least("--device-memory", scorer.device_memory_bytes, what, needed)
    }
}

fn less(option: &'static str, bytes: u64, total: u64) -> Result<(), SettingError> {
    if bytes < total {
        return Ok(());
    }
    Err(SettingError::NotThere {
        option,
        bytes,
        total,
    })
}

fn at_least(
    option: &'static str,
    bytes: u64,
    what: String,
    needed: u64,
) -> Result<(), SettingError> {
    if bytes >= needed {
        return Ok(());
    }
    Err(SettingError::TooSmall {
        option,
        bytes,
        what,
        needed,
    })
}

fn is_address(text: &str) -> bool {
    let uri = text.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    matches!(scheme, Some("http" | "https"))
}

#[cfg(test)]
mod tests {
    use soma_blobs::S3Config;
    use soma_model::{Device, ModelConfig};

    use super::*;

    fn config(change: impl FnOnce(&mut ServiceConfig)) -> ServiceConfig {
        let mut config = ServiceConfig::new("v1", ModelConfig::V1, Device::Cpu, "unused");
        config.scorer.host_memory_bytes = 16 << 30;
        change(&mut config);
        config
    }

    fn refusal(change: impl FnOnce(&mut ServiceConfig)) -> String {
        config(change).check().unwrap_err().to_string()
    }

    #[test]
    fn settings_under_which_nothing_can_be_scored_are_named() {
        config(|_| {}).check().unwrap();
        for (refusal, option) in [
            (refusal(|c| c.set_queue(0)), "--queue is 0"),
            (
                refusal(|c| c.set_request_timeout_ms(0)),
                "--request-timeout is 0",
            ),
            (refusal(|c| c.set_max_data_bytes(0)), "--max-data is 0"),
            (refusal(|c| c.max_models = 0), "max_models is 0"),
            (refusal(|c| c.cache.max_bytes = 0), "--cache is 0 bytes"),
            (
                refusal(|c| c.scorer.host_memory_bytes = 0),
                "--memory is 0 bytes",
            ),
            (
                refusal(|c| c.scorer.host_memory_bytes = 1 << 30),
                "--memory is 1073741824 bytes, too few for one v1 model in f32",
            ),
            (
                refusal(|c| c.max_request_bytes = Some(0)),
                "--request-memory is 0 bytes",
            ),
            (
                refusal(|c| c.max_request_bytes = Some(100 << 40)),
                "--request-memory is 109951162777600 bytes, and leaves too few",
            ),
            (
                refusal(|c| {
                    c.scorer.device = Device::Cuda(0);
                    c.scorer.device_memory_bytes = 1 << 30;
                }),
                "--device-memory is 1073741824 bytes",
            ),
            (
                refusal(|c| c.guard.cors_origins = vec!["bad origin".to_owned()]),
                "--cors-origin: `bad origin`",
            ),
        ] {
            assert!(refusal.contains(option), "{option}: {refusal}");
        }
    }

    #[test]
    fn what_a_refusal_asks_for_is_enough_and_not_much_more() {
        for (size, model) in ModelConfig::presets() {
            for requests in [None, Some(1 << 20)] {
                let with = |memory: u64| {
                    let mut config = ServiceConfig::new(size, model, Device::Cpu, "unused");
                    config.scorer.host_memory_bytes = memory;
                    config.max_request_bytes = requests;
                    config.check()
                };
                let Err(SettingError::TooSmall { needed, .. }) = with(1) else {
                    panic!("{size}");
                };
                assert_eq!(with(needed), Ok(()), "{size}");
                assert!(with(needed - 16).is_err(), "{size}");
            }
        }
    }

    #[test]
    fn no_more_memory_is_used_than_there_is() {
        let config = config(|_| {});
        let enough = (16 << 30) + 1;
        config.check_there(enough, None).unwrap();
        config.check_there(enough, Some(enough)).unwrap();
        let less = 8 << 30;
        for (refusal, option) in [
            (config.check_there(less, None), "--memory"),
            (config.check_there(enough, Some(less)), "--device-memory"),
        ] {
            let refusal = refusal.unwrap_err().to_string();
            let expected = format!("{option} is 17179869184 bytes, and there are 8589934592");
            assert!(refusal.starts_with(&expected), "{refusal}");
        }
    }

    #[test]
    fn an_endpoint_is_a_url() {
        let with = |endpoint: &str| {
            let endpoint = Some(endpoint.to_owned());
            config(|c| {
                c.fetch.s3 = Some(S3Config {
                    endpoint,
                    ..S3Config::new("any")
                });
            })
            .check()
        };
        for good in ["https://s3.example.org", "http://127.0.0.1:9000/"] {
            assert_eq!(with(good), Ok(()), "{good}");
        }
        for bad in ["notaurl", "", "ftp://a", "127.0.0.1:9000", "http://"] {
            let refusal = with(bad).unwrap_err().to_string();
            assert!(refusal.contains("--s3-endpoint"), "{refusal}");
        }
    }

    #[test]
    fn a_bucket_that_is_read_with_keys_needs_a_service_and_keys() {
        let with = |s3: Option<S3Config>| {
            config(|c| {
                c.fetch.s3 = s3;
                c.fetch.s3_buckets = vec!["box".to_owned()];
            })
            .check()
        };
        let keys = S3Config {
            access_key_id: Some("id".to_owned()),
            secret_access_key: Some("secret".to_owned()),
            ..S3Config::new("any")
        };
        assert_eq!(with(Some(keys)), Ok(()));
        let refusal = with(None).unwrap_err().to_string();
        assert!(refusal.contains("--s3-bucket box"), "{refusal}");
        assert!(refusal.contains("--s3-endpoint"), "{refusal}");
    }
}
