//! The service's command line, the same for `soma-scorer` and `soma start scoring`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;
use soma_blobs::{AddressPolicy, S3Config};
use soma_model::{ConfigError, Device, ModelConfig, Precision};
use soma_service::logging::{InvalidFilter, LogConfig, init};
use soma_service::stop_signal;
use thiserror::Error;

use crate::service::{ScoringService, ServiceConfig, StartError};

/// Why the service does not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// It cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The model size is unknown.
    #[error(transparent)]
    Size(#[from] ConfigError),
    /// The log filter cannot be read.
    #[error(transparent)]
    Log(#[from] InvalidFilter),
    /// There is no home folder for the data.
    #[error("no home folder; say where downloads are kept with --data-dir")]
    NoHome,
}

/// Settings of a scoring service.
#[derive(Clone, Debug, Args)]
pub struct ScoringArguments {
    /// Where models run: cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: Device,
    /// What linear maps compute with: f32, or bf16 on GPUs that have it
    #[arg(long, value_name = "PRECISION", default_value = "f32")]
    pub precision: Precision,
    /// Size of the models: small, mini, base, large or v1
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "v1",
        conflicts_with = "small_model"
    )]
    pub model_size: String,
    /// The same as `--model-size small`
    #[arg(long)]
    pub small_model: bool,
    /// Where downloads are kept; default `scoring` in the settings folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9_124)]
    pub port: u16,
    /// Memory of this machine for models and requests, such as 16GiB, beside about 50 MB of the program itself; default 80 % of the machine's
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<ByteSize>,
    /// Memory of a GPU that may be used; default 80 % of an NVIDIA GPU's, 16GiB of another
    #[arg(long, value_name = "BYTES")]
    pub device_memory: Option<ByteSize>,
    /// Sequences on the device at a time; default 4 on the CPU, 16 on a GPU
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub sequences: Option<u16>,
    /// Disk for downloads
    #[arg(long, value_name = "BYTES", default_value = "20GiB")]
    pub cache: ByteSize,
    /// Requests that may wait
    #[arg(long, value_name = "COUNT", default_value_t = 128)]
    pub queue: usize,
    /// The largest piece of data; a network's audits need its `max_submission_data_size`
    #[arg(long, value_name = "BYTES", default_value = "1MiB")]
    pub max_data: ByteSize,
    /// Memory for bodies, data and scores of requests, a part of --memory; default an eighth of it, at most 512MiB
    #[arg(long, value_name = "BYTES")]
    pub request_memory: Option<ByteSize>,
    /// Time for what is on the device to end when the service stops, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    pub stop_timeout: u64,
    /// Time for a request, downloads included, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800)]
    pub request_timeout: u64,
    /// Download from private and loopback addresses too: for localnets and closed networks
    #[arg(long)]
    pub allow_private_addresses: bool,
    /// Open file:// URLs: for localnets
    #[arg(long)]
    pub allow_files: bool,
    /// S3-compatible service for s3:// URLs; a private address needs --allow-private-addresses
    #[arg(long, value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// Region of that service
    #[arg(
        long,
        value_name = "REGION",
        default_value = "us-east-1",
        requires = "s3_endpoint"
    )]
    pub s3_region: String,
    /// Put the bucket into the host name
    #[arg(long, requires = "s3_endpoint")]
    pub s3_virtual_host_style: bool,
    /// Bucket to read with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, all others without keys; can be repeated
    #[arg(long = "s3-bucket", value_name = "NAME")]
    pub s3_buckets: Vec<String>,
    /// Web origin that may call this service from a browser; can be repeated
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    pub cors_origins: Vec<String>,
    /// What to log, such as `warn`, `info` or `soma_scoring=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log_level: String,
}

impl ScoringArguments {
    /// The settings they stand for; downloads go to `folder` unless another was named.
    ///
    /// # Errors
    /// [`RunError::Size`], [`RunError::NoHome`].
    pub fn config(&self, folder: Option<PathBuf>) -> Result<ServiceConfig, RunError> {
        let size = if self.small_model {
            "small"
        } else {
            &self.model_size
        };
        let model = ModelConfig::preset(size)?;
        let folder = self.data_dir.clone().or(folder).ok_or(RunError::NoHome)?;
        let mut config = ServiceConfig::new(size, model, self.device, folder);
        config.listen = SocketAddr::new(self.host, self.port);
        config.scorer.precision = self.precision;
        if let Some(memory) = self.memory {
            config.scorer.host_memory_bytes = memory.as_u64();
        }
        if let Some(memory) = self.device_memory {
            config.scorer.device_memory_bytes = memory.as_u64();
        }
        if let Some(sequences) = self.sequences {
            config.scorer.sequences_at_a_time = sequences.into();
        }
        config.cache.max_bytes = self.cache.as_u64();
        config.set_queue(self.queue);
        config.set_max_data_bytes(self.max_data.as_u64());
        config.max_request_bytes = self.request_memory.map(|bytes| bytes.as_u64());
        config.serve.stop_timeout_ms = self.stop_timeout.saturating_mul(1_000);
        config.set_request_timeout_ms(self.request_timeout.saturating_mul(1_000));
        if self.allow_private_addresses {
            config.fetch.policy = AddressPolicy::anywhere();
        }
        config.fetch.allow_files = self.allow_files;
        config.fetch.s3 = self.s3_endpoint.as_ref().map(|endpoint| S3Config {
            endpoint: Some(endpoint.clone()),
            region: self.s3_region.clone(),
            virtual_host_style: self.s3_virtual_host_style,
            // Each URL names its bucket.
            ..S3Config::new("any")
        });
        config.fetch.s3_buckets.clone_from(&self.s3_buckets);
        config.guard.cors_origins.clone_from(&self.cors_origins);
        Ok(config)
    }

    /// Runs the service until the process is asked to end; `ready` is told when it answers.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn run(
        &self,
        folder: Option<PathBuf>,
        ready: impl FnOnce(&ScoringService),
    ) -> Result<(), RunError> {
        init(&LogConfig {
            filter: self.log_level.clone(),
            ..LogConfig::default()
        })?;
        // Before the start: a Ctrl-C stops cleanly from now on.
        let mut stopped = tokio::spawn(stop_signal());
        let service = tokio::select! {
            service = ScoringService::start(self.config(folder)?) => service?,
            _ = &mut stopped => return Ok(()),
        };
        ready(&service);
        // An error would mean that waiting panicked; the service ends either way.
        let _ = stopped.await;
        tracing::info!("stopping");
        service.shutdown().await;
        Ok(())
    }
}
