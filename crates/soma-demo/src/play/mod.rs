//! The game: epoch by epoch, everybody plays as they would on a real network.
//!
//! ```text
//! epoch 0   trainers commit; cheaters commit to bad weights
//! epoch 1   reveals; a copier downloads revealed weights and commits to them; delegators stake
//! epoch 2…  models are active: submitters fill targets, liars too; validators audit
//!   +2      frauds are slashed, the rest is claimed
//! ```

mod cheats;
mod clock;
mod ending;
mod models;
mod scout;
mod submitters;

use std::path::Path;
use std::time::Duration;

use soma_localnet::{LocalnetConfig, Network, NetworkConfig};
use soma_sdk::blobs::{FetchConfig, Store, StoreConfig};
use soma_sdk::types::{Parameters, Shannons};
use soma_sdk::workflows::ClaimWhich;
use soma_sdk::{Account, Client};

use crate::config::DemoConfig;
use crate::domains::Domain;
use crate::error::DemoError;
use crate::outcome::Outcome;
use crate::train::Specialist;
use cheats::{CheatingModel, Lie, Weights};

/// Length of an epoch that nobody ends early. A tenth of it is how long data must be missing to be
/// a fraud.
const EPOCH: Duration = Duration::from_secs(100);

/// What delegators stake: 50 SOMA.
const DELEGATED: Shannons = Shannons(50_000_000_000);

/// First stake of a specialist: 20 SOMA.
const STAKE: Shannons = Shannons(20_000_000_000);

/// The owners' share of what their models earn, in basis points.
const COMMISSION: u16 = 1_000;

/// Told to who watches.
pub(crate) type OnStep<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Accounts of the players, in the order of the network's.
struct Cast {
    trainers: Vec<Account>,
    submitters: Vec<Account>,
    delegators: Vec<Account>,
    bad_models: Vec<Account>,
    liars: Vec<Account>,
}

/// How many accounts a game with `models` specialists needs.
const fn accounts(models: usize) -> usize {
    2 * models + 2 + 3 + Lie::ALL.len()
}

struct Game<'a> {
    config: &'a DemoConfig,
    client: Client,
    /// A client of each validator's node.
    validators: Vec<Client>,
    cast: Cast,
    store: Store,
    folder: &'a Path,
    domains: &'a [Domain],
    specialists: &'a [Specialist],
    step: OnStep<'a>,
}

/// Plays the game with trained specialists.
///
/// # Errors
/// [`DemoError`] when it cannot be played to the end.
pub(crate) async fn play(
    config: &DemoConfig,
    domains: &[Domain],
    specialists: &[Specialist],
    folder: &Path,
    step: OnStep<'_>,
) -> Result<Outcome, DemoError> {
    step("Starting the network.");
    let network = start(config, specialists.len()).await?;
    let result = play_on(&network, config, domains, specialists, folder, step).await;
    // A game that cannot go on without a validator fails for another reason than that it ended.
    let died = network.ended();
    // The network's end must not hide what went wrong before.
    let ended = network.shutdown().await;
    let outcome = result.map_err(|error| died.map_or(error, DemoError::from))?;
    ended?;
    Ok(outcome)
}

async fn start(config: &DemoConfig, models: usize) -> Result<Network, DemoError> {
    let mut node = LocalnetConfig::for_tests();
    node.small_model = false;
    // Some data must miss: who lies about an embedding moves it to a target.
    let threshold = Parameters::v1().target_initial_distance_threshold;
    let name = "target_initial_distance_threshold".to_owned();
    node.parameters.insert(name, threshold);
    node.validators = Some(config.validators);
    node.accounts = accounts(models);
    node.account_balance = Shannons(10_000_000_000_000);
    node.epoch_duration_ms = Some(u64::try_from(EPOCH.as_millis()).unwrap_or(u64::MAX));
    let network = NetworkConfig {
        node,
        model_size: Some(config.model_size.clone()),
        program: config.program.clone(),
        ..NetworkConfig::for_tests()
    };
    Ok(Network::start(network).await?)
}

async fn play_on(
    network: &Network,
    config: &DemoConfig,
    domains: &[Domain],
    specialists: &[Specialist],
    folder: &Path,
    step: OnStep<'_>,
) -> Result<Outcome, DemoError> {
    let node = network.node();
    let url = |url: Option<String>| url.unwrap_or_default();
    let client = Client::builder()
        .rpc_url(node.rpc_url())
        .admin_url(url(node.admin_url()))
        .scoring_url(url(network.scorer_url()))
        .build()?;
    let clients = network.rpc_urls().into_iter();
    let validators = clients.map(|url| Client::builder().rpc_url(url).build());
    let validators = validators.collect::<Result<_, _>>()?;
    let keys = node.keys().accounts.iter();
    let mut accounts = keys.map(|account| client.account(account.secret_key.clone()));
    let mut take = |count: usize| accounts.by_ref().take(count).collect::<Vec<_>>();
    let cast = Cast {
        trainers: take(specialists.len()),
        submitters: take(specialists.len()),
        delegators: take(2),
        bad_models: take(3),
        liars: take(Lie::ALL.len()),
    };
    let storage = config.storage.clone().unwrap_or(StoreConfig::Server {
        url: url(network.blobs_url()),
    });
    let game = Game {
        config,
        client,
        validators,
        cast,
        store: Store::new(storage)?,
        folder,
        domains,
        specialists,
        step,
    };
    game.run(node.keys().first().address).await
}

impl Game<'_> {
    async fn run(&self, validator: soma_sdk::types::Address) -> Result<Outcome, DemoError> {
        let mut outcome = Outcome::default();
        (self.step)("Epoch 0: trainers commit to their weights; cheaters to bad ones.");
        let mut publishers = self.commit_specialists().await?;
        let bad = self.commit_bad_weights().await?;
        self.next_epoch().await?;

        (self.step)("Epoch 1: weights are revealed; a copier downloads some; delegators stake.");
        let models = self.reveal_specialists(&mut publishers).await?;
        let mut reveals = Vec::new();
        for (account, model) in self.cast.bad_models.iter().zip(&bad) {
            reveals.push(cheats::reveal(account, model).await?);
        }
        let (copy, copier) = self.copy_weights(&models).await?;
        let [with_model, with_validator] = &self.cast.delegators[..] else {
            return Err(DemoError::Settings("two delegators play".to_owned()));
        };
        if let Some(model) = models.first() {
            with_model.stake_to_model(*model, DELEGATED).await?;
        }
        with_validator.stake(validator, DELEGATED).await?;
        // The audit has until the end of the epoch to find the weights that no key opens.
        self.wait_for_audits().await?;
        self.next_epoch().await?;

        let copied = cheats::reveal(&copier, &copy).await?;
        let mut lies = Vec::new();
        let mut tallies = vec![submitters::Tally::default(); self.domains.len()];
        for round in 0..self.config.rounds {
            let epoch = self.client.status().await?.epoch;
            (self.step)(&format!(
                "Epoch {epoch}: submitters look for data that hits{}.",
                if round == 0 { "; liars submit too" } else { "" }
            ));
            if round == 0 {
                lies = self.lie(&models).await?;
            }
            self.submit(&mut tallies).await?;
            self.wait_for_audits().await?;
            self.next_epoch().await?;
        }
        (self.step)("The audit ends: frauds are slashed, the rest is claimed.");
        for _ in 0..2 {
            self.claim().await?;
            self.next_epoch().await?;
        }
        self.claim().await?;

        outcome.cheats = cheats::results(&self.client, &lies).await?;
        let first_stake = Shannons(self.client.parameters().await?.model_min_stake);
        let bad = bad.iter().zip(reveals).chain([(&copy, copied)]);
        for (model, refused) in bad {
            let result = cheats::result(&self.client, model, first_stake, refused).await?;
            outcome.cheats.push(result);
        }
        self.finish(&mut outcome, &models, &tallies).await?;
        Ok(outcome)
    }

    async fn commit_bad_weights(&self) -> Result<Vec<CheatingModel>, DemoError> {
        let dim = self.dim();
        let kinds = [Weights::Undecryptable, Weights::WrongEmbedding];
        let mut bad = Vec::new();
        for (place, (account, how)) in self.cast.bad_models.iter().zip(kinds).enumerate() {
            let weights = self.random_weights(place as u64)?;
            let (store, folder) = (&self.store, self.folder);
            bad.push(cheats::commit(account, how, &weights, store, folder, dim).await?);
        }
        Ok(bad)
    }

    /// The last of those with bad models takes the first specialist's weights for its own.
    async fn copy_weights(
        &self,
        models: &[soma_sdk::types::ModelId],
    ) -> Result<(CheatingModel, Account), DemoError> {
        let (Some(copier), Some(model)) = (self.cast.bad_models.last(), models.first()) else {
            return Err(DemoError::Settings("somebody must be copied".to_owned()));
        };
        let weights = self.folder.join("copied.safetensors");
        let downloads = self.client.downloads(FetchConfig::local())?;
        downloads.weights(model, &weights).await?;
        let (store, folder, dim) = (&self.store, self.folder, self.dim());
        let copy = cheats::commit(copier, Weights::Copied, &weights, store, folder, dim).await?;
        Ok((copy, copier.clone()))
    }

    async fn lie(
        &self,
        models: &[soma_sdk::types::ModelId],
    ) -> Result<Vec<cheats::LyingFill>, DemoError> {
        let files: Vec<_> = self
            .domains
            .iter()
            .flat_map(|domain| domain.for_liars.iter().cloned())
            .collect();
        let mut scored = scout::score(&self.client, &files, models).await?;
        let mut targets = self.open_targets(models).await?;
        let mut lies = Vec::new();
        for (account, lie) in self.cast.liars.iter().zip(Lie::ALL) {
            let told = cheats::submit(account, lie, &mut scored, &mut targets, self.folder).await?;
            lies.extend(told);
        }
        Ok(lies)
    }

    async fn claim(&self) -> Result<(), DemoError> {
        let submitters = self.cast.submitters.iter();
        for account in submitters.chain(&self.cast.liars) {
            let report = account.claim_all(ClaimWhich::Submitted).await?;
            if let Some(failed) = report.failed.into_iter().next() {
                return Err(failed.error.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use soma_model::{Cpu, ModelConfig, weights};

    use super::*;
    use crate::domains::{self, DomainConfig};

    /// A folder with texts that do not repeat.
    fn texts(folder: &Path, name: &str) -> DomainConfig {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).unwrap();
        for n in 0..80_u32 {
            let words = (0..60).map(|k| format!("{name}{} ", (n * 977 + k * k * 31) % 1_009));
            std::fs::write(path.join(n.to_string()), words.collect::<String>()).unwrap();
        }
        DomainConfig {
            name: name.to_owned(),
            paths: vec![path],
            extensions: Vec::new(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn models_that_learned_nothing_play_to_the_end_too() {
        let folder = tempfile::tempdir().unwrap();
        let config = DemoConfig {
            domains: ["alpha", "beta", "gamma"]
                .map(|name| texts(folder.path(), name))
                .into(),
            ..DemoConfig::quick()
        };
        let domains = domains::find(&config.domains, u64::MAX, 1).unwrap();
        let specialist = |(place, domain): (usize, &Domain)| {
            let path = folder.path().join(format!("{place}.safetensors"));
            let seed = place as u64 + 1;
            let model = weights::random::<Cpu>(&ModelConfig::SMALL, seed, &Default::default());
            weights::write(&model, &path).unwrap();
            let mut embedding = vec![0.0; 16];
            embedding[place] = 1.0;
            Specialist {
                domain: domain.name.clone(),
                weights: path,
                embedding,
                steps: 0,
                tokens: 0,
                seconds: 0.0,
                curve: Vec::new(),
                bits_per_byte: vec![0.0; 3],
            }
        };
        let specialists: Vec<_> = domains.iter().enumerate().map(specialist).collect();
        let step = |text: &str| eprintln!("{text}");
        let outcome = play(&config, &domains, &specialists, folder.path(), &step);
        let outcome = outcome.await.unwrap();
        eprintln!("{}", crate::report::text(&outcome));
        let holds = |name: &str| {
            let check = outcome.checks.iter().find(|check| check.name == name);
            check.is_some_and(|check| check.holds)
        };
        for name in ["honest", "delegators", "supply"] {
            assert!(holds(name), "{name}");
        }
        assert!(outcome.cheats.len() >= 7);
        assert!(outcome.cheats.iter().all(|cheat| cheat.caught));
        assert!(outcome.targets.claimed > 0);
    }
}
