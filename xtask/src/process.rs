//! A localnet in a process of its own, in the release profile.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use soma_crypto::SecretKey;
use soma_sdk::Client;
use soma_service::free_ports;
use tokio::runtime::Runtime;

/// The longest that a start may take before the task gives up.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Bytes of memory that a process holds.
pub(crate) fn resident_bytes(id: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: u64 = kibibytes.context("no VmRSS line")?.parse()?;
    Ok(kibibytes * 1_024)
}

/// A localnet in a process of its own.
pub(crate) struct Localnet {
    process: Child,
    data: PathBuf,
}

impl Localnet {
    /// Starts the node by `program`, which is `soma`, and waits until it answers; gives the time that
    /// took.
    pub(crate) fn start(
        program: &Path,
        folder: &Path,
        runtime: &Runtime,
    ) -> Result<(Self, Client, Duration)> {
        let port = free_ports(1)?[0];
        let data = folder.join("localnet");
        let started = Instant::now();
        let process = Command::new(program)
            .env("SOMA_CONFIG_DIR", folder.join("settings"))
            .args(["start", "localnet", "--no-faucet", "--admin-port", "0"])
            .args([
                "--log-level",
                "error",
                "--fullnode-rpc-port",
                &port.to_string(),
            ])
            .arg("--data-dir")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start the node")?;
        let url = format!("http://127.0.0.1:{port}");
        let client = Client::builder().rpc_url(url).retries(0).build()?;
        let mut node = Self { process, data };
        runtime.block_on(async {
            while !client.health().await.unwrap_or(false) {
                ensure!(
                    node.process.try_wait()?.is_none(),
                    "the node ended by itself"
                );
                ensure!(started.elapsed() < START_LIMIT, "the node does not answer");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        })?;
        Ok((node, client, started.elapsed()))
    }

    /// Keys of the funded accounts.
    pub(crate) fn keys(&self) -> Result<Vec<SecretKey>> {
        let text = std::fs::read_to_string(self.data.join("keys.json"))?;
        let keys: serde_json::Value = serde_json::from_str(&text)?;
        let accounts = keys["accounts"].as_array().context("no accounts")?;
        let read = |key: &serde_json::Value| Ok(SecretKey::from_hex(key.as_str().unwrap_or(""))?);
        accounts.iter().map(read).collect()
    }

    /// Bytes of memory that the process holds.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        resident_bytes(self.process.id())
    }

    /// Ends the process at once: nothing of it runs any more.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Asks the process to end, as Ctrl-C does.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let pid = self.process.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status()?;
        let status = self.process.wait()?;
        ensure!(status.success(), "the node did not stop cleanly: {status}");
        Ok(())
    }
}

impl Drop for Localnet {
    fn drop(&mut self) {
        // A task that failed leaves no node behind; one that is gone already is fine.
        let _ = self.kill();
    }
}
