//! What this machine reaches: the services of the environment, and a store.

use std::time::{Duration, SystemTime};

use reqwest::{Client, Response, StatusCode};
use soma_blobs::Fetcher;
use soma_sdk::api::Status;

use super::{Check, Doctor};
use crate::commands::model::fetch_config;
use crate::commands::status::{now_ms, standstill};
use crate::config::Env;
use crate::context::Context;
use crate::error::CliError;
use crate::storage::is_on_this_machine;

/// How far this clock may be from a node's, in seconds.
const CLOCK_TOLERANCE_S: u64 = 10;
/// How long a service has to answer.
const ANSWER: Duration = Duration::from_secs(10);

impl Doctor {
    pub(super) async fn services(&self, context: &Context) -> Result<Vec<Check>, CliError> {
        let env = context.env()?;
        let client = Client::builder().timeout(ANSWER).build();
        let client = client.map_err(|error| CliError::Invalid(error.to_string()))?;
        let mut checks = vec![clock(&client, &env.rpc).await, chain(context).await];
        for Known { name, url, fix } in self.known(&env) {
            checks.push(match url {
                Some(url) => service(&client, name, &url, fix).await,
                None => Check::skipped(name, "none configured"),
            });
        }
        checks.push(match &env.admin {
            Some(url) => admin(&client, url).await,
            None => Check::skipped("admin", "none configured"),
        });
        checks.push(match &self.storage.storage {
            Some(_) => self.store(context).await,
            None => Check::skipped("storage", "none named; check one with --storage"),
        });
        Ok(checks)
    }

    /// The services that say how they are.
    fn known(&self, env: &Env) -> [Known; 4] {
        let scorer = self.scorer.as_ref().or(env.scorer.as_ref());
        let known = |name, url: Option<&String>, fix| Known {
            name,
            url: url.cloned(),
            fix,
        };
        [
            known(
                "node",
                Some(&env.rpc),
                "start one with `soma start localnet`, or choose another with `soma env switch`",
            ),
            known(
                "faucet",
                env.faucet.as_ref(),
                "faucets are for test networks; set its URL with `soma env new`",
            ),
            known(
                "scorer",
                scorer,
                "start one with `soma start scoring`, or give its URL with --scorer",
            ),
            known(
                "blobs",
                env.blobs.as_ref(),
                "start one with `soma start blobs`, or set its URL with `soma env new --blobs`",
            ),
        ]
    }

    /// Puts a few bytes into the store, and downloads them as others would.
    async fn store(&self, context: &Context) -> Check {
        let fix = "check --storage, the options of the store and its keys";
        let store = match self.storage.store(context) {
            Ok(store) => store,
            Err(error) => return Check::failed("storage", error.to_string(), fix),
        };
        let blob = match store.upload_bytes(b"soma doctor\n".to_vec()).await {
            Ok(blob) => blob,
            Err(error) => return Check::failed("storage", error.to_string(), fix),
        };
        match self.download(context, &blob).await {
            Ok(()) => {
                let found = format!("what is put there is found at {}", blob.url);
                Check::ok("storage", found)
            }
            Err(error) => Check::failed(
                "storage",
                format!("what is put there is not found by others: {error}"),
                "let everybody read the bucket or folder, or say with --public-url-prefix under \
                 which URL they do",
            ),
        }
    }

    async fn download(
        &self,
        context: &Context,
        blob: &soma_blobs::BlobRef,
    ) -> Result<(), CliError> {
        let folder = tempfile::tempdir().map_err(CliError::file(&std::env::temp_dir()))?;
        // Who shares this machine with the network may put things on its disk.
        let fetch = fetch_config(context, is_on_this_machine(&context.env()?.rpc))?;
        let to = folder.path().join("blob");
        Ok(Fetcher::new(fetch)?.fetch(blob, &to, &|_| {}).await?)
    }
}

/// A service with a health route.
struct Known {
    name: &'static str,
    url: Option<String>,
    fix: &'static str,
}

/// Compares this clock with that of the node.
async fn clock(client: &Client, rpc: &str) -> Check {
    let url = format!("{}/health", rpc.trim_end_matches('/'));
    let response = client.get(url).send().await.ok();
    let date = response.and_then(|response| {
        let date = response.headers().get(reqwest::header::DATE)?;
        httpdate::parse_http_date(date.to_str().ok()?).ok()
    });
    match date {
        Some(date) => apart(SystemTime::now(), date),
        None => Check::skipped("clock", "no node to compare with"),
    }
}

fn apart(now: SystemTime, node: SystemTime) -> Check {
    let apart = now
        .duration_since(node)
        .or_else(|_| node.duration_since(now));
    let apart = apart.map_or(0, |apart| apart.as_secs());
    let found = format!("{apart} s from the node's");
    if apart <= CLOCK_TOLERANCE_S {
        return Check::ok("clock", found);
    }
    let fix = "set this machine's clock, and keep it right with NTP";
    Check::failed("clock", found, fix)
}

/// Blocks come.
async fn chain(context: &Context) -> Check {
    let status = match context.client() {
        Ok(client) => client.status().await.map_err(CliError::from),
        Err(error) => Err(error),
    };
    match status {
        Ok(status) => moving(&status, now_ms()),
        Err(error) => Check::skipped("chain", format!("no node tells: {error}")),
    }
}

fn moving(status: &Status, now_ms: u64) -> Check {
    let fix = "a node that catches up needs time; if `soma status` shows the same block again, start \
               what is missing: the node's peers, or validators with a third of the power";
    match standstill(status, now_ms) {
        Some(found) => Check::failed("chain", found, fix),
        None => Check::ok("chain", format!("at block {}", status.height)),
    }
}

async fn service(client: &Client, name: &'static str, url: &str, fix: &str) -> Check {
    let health = format!("{}/health", url.trim_end_matches('/'));
    match client.get(&health).send().await {
        Ok(response) if response.status().is_success() => Check::ok(name, format!("{url} answers")),
        Ok(response) => Check::failed(name, refusal(url, response).await, fix),
        Err(error) => Check::failed(name, format!("{url} does not answer: {error}"), fix),
    }
}

/// The admin routes have no word on their health: that they answer says enough.
async fn admin(client: &Client, url: &str) -> Check {
    let fix = "start the node with its admin routes, or set their URL with `soma env new --admin`";
    match client.get(url).send().await {
        Ok(response)
            if response.status().is_success() || response.status() == StatusCode::NOT_FOUND =>
        {
            Check::ok("admin", format!("{url} answers"))
        }
        Ok(response) => Check::failed("admin", refusal(url, response).await, fix),
        Err(error) => Check::failed("admin", format!("{url} does not answer: {error}"), fix),
    }
}

async fn refusal(url: &str, response: Response) -> String {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let text: String = text.chars().take(200).collect();
    format!("{url} answers {status}: {text}")
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::commands::status::tests::node;

    #[test]
    fn a_chain_without_new_blocks_fails_with_what_to_do() {
        let status = node(2);
        assert_eq!(moving(&status, status.time_ms + 12_000).state, State::Ok);
        let check = moving(&status, status.time_ms + 50_000);
        assert_eq!(check.state, State::Failed);
        assert!(
            check
                .found
                .contains("no block for 50 s though 2 transactions wait"),
            "{check:?}"
        );
        assert!(check.fix.is_some_and(|fix| fix.contains("validators")));
    }

    #[test]
    fn a_clock_that_is_wrong_in_either_direction_is_told() {
        let now = SystemTime::now();
        for (seconds, state) in [(0, State::Ok), (10, State::Ok), (11, State::Failed)] {
            let other = now + Duration::from_secs(seconds);
            assert_eq!(apart(now, other).state, state, "{seconds}");
            assert_eq!(apart(other, now).state, state, "{seconds}");
        }
        let fix = apart(now, now + Duration::from_secs(60)).fix;
        assert!(fix.is_some_and(|fix| fix.contains("NTP")));
    }
}
