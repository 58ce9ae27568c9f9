//! What this machine reaches: the services of the environment, and a store.

use std::path::Path;
use std::time::{Duration, SystemTime};

use reqwest::Client;
use soma_blobs::{Fetcher, StoreConfig};
use soma_scoring::{MemoryNeeds, ModelConfig};
use soma_sdk::api::{CONTRACT_VERSION, ScorerInfo, Status};
use soma_sdk::types::Parameters;

use super::kind::{Kind, at};
use super::{Check, Doctor, amount};
use crate::commands::model::fetch_config;
use crate::commands::status::{now_ms, standstill};
use crate::context::Context;
use crate::error::CliError;
use crate::storage::is_on_this_machine;

/// How far this clock may be from a node's, in seconds.
const CLOCK_TOLERANCE_S: u64 = 10;
/// How long a service has to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// What is put into a store to see whether it comes back.
const PROBE: &[u8] = b"soma doctor\n";

impl Doctor {
    pub(super) async fn services(&self, context: &Context) -> Result<Vec<Check>, CliError> {
        let env = context.env()?;
        let client = Client::builder().timeout(ANSWER).build();
        let client = client.map_err(|error| CliError::Invalid(error.to_string()))?;
        let mut checks = vec![clock(&client, &env.rpc).await, chain(context).await];
        let scorer_url = self.scorer.as_ref().or(env.scorer.as_ref());
        for (kind, url) in [
            (Kind::NODE, Some(&env.rpc)),
            (Kind::FAUCET, env.faucet.as_ref()),
            (Kind::SCORER, scorer_url),
            (Kind::BLOBS, env.blobs.as_ref()),
            (Kind::ADMIN, env.admin.as_ref()),
        ] {
            checks.push(match url {
                Some(url) => match kind.check(&client, url).await {
                    Ok(check) if kind == Kind::NODE => node(context, url).await.unwrap_or(check),
                    Ok(check) if kind == Kind::SCORER => {
                        scorer(context, &client, url).await.unwrap_or(check)
                    }
                    Ok(check) | Err(check) => check,
                },
                None => Check::skipped(kind.name, "none configured"),
            });
        }
        checks.push(match &self.storage.storage {
            Some(_) => self.clean_store(context).await,
            None => Check::skipped("storage", "none named; check one with --storage"),
        });
        Ok(checks)
    }

    /// Checks the store, and leaves no file or folder of this machine that was not there before.
    async fn clean_store(&self, context: &Context) -> Check {
        let Ok(Some(StoreConfig::Folder { path, .. })) = self.storage.named() else {
            return self.store(context).await;
        };
        let blob = path.join(soma_crypto::checksum(PROBE).to_string());
        let blob = Some(blob).filter(|blob| !blob.exists());
        let missing = path.ancestors().take_while(|folder| !folder.exists());
        let missing: Vec<_> = missing.map(Path::to_owned).collect();
        let check = self.store(context).await;
        // What was not made cannot be removed, and a folder with something in it stays.
        let _ = blob.map(std::fs::remove_file);
        for folder in missing {
            let _ = std::fs::remove_dir(folder);
        }
        check
    }

    /// Puts a few bytes into the store, and downloads them as others would.
    async fn store(&self, context: &Context) -> Check {
        let fix = "check --storage, the options of the store and its keys";
        let store = match self.storage.store(context) {
            Ok(store) => store,
            Err(error) => return Check::failed("storage", error.to_string(), fix),
        };
        let blob = match store.upload_bytes(PROBE.to_vec()).await {
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

/// Compares this clock with that of the node.
async fn clock(client: &Client, rpc: &str) -> Check {
    let response = client.get(at(rpc, "/health")).send().await.ok();
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

/// The check that fails when what answers at a node's URL is something else.
async fn node(context: &Context, url: &str) -> Option<Check> {
    let told = match context.client() {
        Ok(client) => client.chain_info().await.map_err(CliError::from),
        Err(error) => Err(error),
    };
    let error = told.err()?;
    let found = format!("{url} is no node: it does not say which chain it is of: {error}");
    Some(Kind::NODE.failed(found))
}

/// The check that fails when a scorer that is well cannot score for this network.
async fn scorer(context: &Context, client: &Client, url: &str) -> Option<Check> {
    let info = match client.get(at(url, "/v1/info")).send().await {
        Ok(response) => response.json::<ScorerInfo>().await,
        Err(error) => Err(error),
    };
    let info = match info {
        Ok(info) => info,
        Err(error) => {
            let found = format!("{url} is no scorer: it does not say what it is: {error}");
            let fix = "give the URL of a scorer with --scorer";
            return Some(Check::failed("scorer", found, fix));
        }
    };
    // Without a node, what it wants is unknown, and that check has failed already.
    let parameters = match context.client() {
        Ok(client) => client.parameters().await.ok(),
        Err(_) => None,
    };
    let (found, fix) = unfit(&info, parameters.as_ref())?;
    Some(Check::failed("scorer", format!("{url}: {found}"), fix))
}

/// What keeps a scorer from scoring for a network of these parameters, and the fix.
fn unfit(info: &ScorerInfo, network: Option<&Parameters>) -> Option<(String, String)> {
    if info.contract_version != CONTRACT_VERSION {
        let found = format!(
            "it scores after version {} of the contract, this program after {CONTRACT_VERSION}: \
             their scores do not compare",
            info.contract_version
        );
        return Some((found, "use a scorer and a `soma` of one release".to_owned()));
    }
    let dim = network.map(|network| network.target_embedding_dim);
    if let Some(dim) = dim.filter(|dim| *dim != info.embedding_dim) {
        let found = format!(
            "its models ({}) have {} components, those of the network {dim}",
            info.model_size, info.embedding_dim
        );
        let size = ModelConfig::presets().find(|(_, size)| size.embedding_dim as u64 == dim);
        let size = size.map_or("of the network", |(name, _)| name);
        return Some((found, format!("start the scorer with --model-size {size}")));
    }
    let max = network.map(|network| network.max_submission_data_size);
    if let Some(max) = max.filter(|max| info.max_data_bytes < *max) {
        let found = format!(
            "it takes data of at most {}, submissions of the network have up to {}",
            amount(info.max_data_bytes),
            amount(max)
        );
        return Some((found, format!("start the scorer with --max-data {max}")));
    }
    let size = ModelConfig::preset(&info.model_size).ok()?;
    let precision = info.precision.parse().ok()?;
    // As few at a time as can be: how many it takes is not told.
    let needed = MemoryNeeds::of(&size, precision, 1).total();
    (info.memory_bytes < needed).then(|| {
        let found = format!(
            "it may use {} for models, and one {} model needs {}",
            amount(info.memory_bytes),
            info.model_size,
            amount(needed)
        );
        let fix = "start the scorer with more --memory, or --device-memory on a GPU";
        (found, fix.to_owned())
    })
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
    fn a_scorer_that_cannot_score_for_the_network_is_told_with_the_fix() {
        let info = ScorerInfo {
            version: "0.1.0".to_owned(),
            contract_version: CONTRACT_VERSION,
            device: "cpu".to_owned(),
            device_name: "cpu".to_owned(),
            precision: "f32".to_owned(),
            model_size: "small".to_owned(),
            embedding_dim: 16,
            parameters: 13_192,
            memory_bytes: 1 << 30,
            loaded_bytes: 0,
            loaded_models: 0,
            cache_max_bytes: 1 << 30,
            cache_bytes: 0,
            queue_max: 128,
            queue: 0,
            max_data_bytes: 1 << 20,
        };
        let small = Parameters {
            target_embedding_dim: 16,
            ..Parameters::v1()
        };
        assert_eq!(unfit(&info, Some(&small)), None);
        assert_eq!(unfit(&info, None), None);
        let (found, fix) = unfit(&info, Some(&Parameters::v1())).unwrap();
        assert!(found.contains("16 components"), "{found}");
        assert!(fix.contains("--model-size v1"), "{fix}");
        let other = ScorerInfo {
            contract_version: CONTRACT_VERSION + 1,
            ..info.clone()
        };
        let (found, fix) = unfit(&other, Some(&small)).unwrap();
        assert!(
            found.contains("contract") && fix.contains("release"),
            "{found}"
        );
        let narrow = ScorerInfo {
            max_data_bytes: 1_000,
            ..info.clone()
        };
        let (found, fix) = unfit(&narrow, Some(&small)).unwrap();
        assert!(found.contains("submissions of the network"), "{found}");
        assert!(fix.contains("--max-data 1048576"), "{fix}");
        let tight = ScorerInfo {
            memory_bytes: 1 << 20,
            ..info
        };
        let (found, fix) = unfit(&tight, Some(&small)).unwrap();
        assert!(found.contains("one small model needs"), "{found}");
        assert!(fix.contains("--memory"), "{fix}");
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
