//! Programs that are killed at any moment go on where they were: nothing is lost, sent twice or
//! paid twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;
use soma_sdk::{BlockName, Client};
use soma_service::free_ports;
use tokio::runtime::Runtime;

use crate::program::Soma;
use crate::start::{interrupt, start};

/// Kills in all.
const KILLS: usize = 9;
/// What waits so long never comes.
const PATIENCE: Duration = Duration::from_secs(120);

/// The programs, each a process.
struct Game {
    soma: Soma,
    ports: [u16; 5],
    runtime: Runtime,
    client: Client,
    network: Option<Child>,
    scorer: Option<Child>,
    trainer: Option<Child>,
    submitter: Option<Child>,
    random: u32,
}

#[derive(Clone, Copy, Debug)]
enum Program {
    /// Node, blob server, admin routes.
    Network,
    Scorer,
    Trainer,
    Submitter,
}

const ALL: [Program; 4] = [
    Program::Network,
    Program::Scorer,
    Program::Trainer,
    Program::Submitter,
];

impl Game {
    fn new() -> Self {
        let soma = Soma::new();
        let texts = soma.dir().join("texts");
        std::fs::create_dir(&texts).unwrap();
        for number in 0..400 {
            let text = format!("text {number} has words for a model to learn and score\n");
            std::fs::write(texts.join(number.to_string()), text.repeat(1 + number % 7)).unwrap();
        }
        let ports = free_ports(5).unwrap().try_into().unwrap();
        let [rpc, admin, ..]: [u16; 5] = ports;
        let client = Client::builder()
            .rpc_url(format!("http://127.0.0.1:{rpc}"))
            .admin_url(format!("http://127.0.0.1:{admin}"))
            .build()
            .unwrap();
        Self {
            soma,
            ports,
            runtime: Runtime::new().unwrap(),
            client,
            network: None,
            scorer: None,
            trainer: None,
            submitter: None,
            random: seed(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.soma.dir().join(name)
    }

    fn start(&mut self, program: Program) {
        let [rpc, admin, other_scorer, blobs, scorer] = self.ports;
        let (texts, run) = (self.path("texts"), self.path("run"));
        let texts = texts.display();
        let line = match program {
            Program::Network => format!(
                "start localnet --small-model --no-faucet --fullnode-rpc-port {rpc} --admin-port \
                 {admin} --scorer-port {scorer} --blobs-port {blobs} --log-level error"
            ),
            Program::Scorer => format!(
                "start scoring --small-model --port {other_scorer} --allow-private-addresses \
                 --log-level error"
            ),
            Program::Trainer => {
                let resume = match run.join("checkpoints").exists() {
                    true => "--resume",
                    false => "",
                };
                format!(
                    "train {texts} --out {} --model-size small --steps 1000000 --accumulation 1 \
                     --lr 0.003 --evaluate-every 10 --checkpoint-every 10 --held-out 0.05 \
                     --evaluated-bytes 2000 --publish --sender localnet-2 {resume}",
                    run.display()
                )
            }
            Program::Submitter => {
                format!(
                    "submit run --source {texts} --sender localnet-3 --json --scorer \
                     http://127.0.0.1:{other_scorer}"
                )
            }
        };
        let (child, out) = start(&self.soma, &line);
        // Somebody reads what it says.
        std::thread::spawn(move || std::io::copy(&mut { out }, &mut std::io::sink()));
        *self.slot(program) = Some(child);
        if let Program::Network = program {
            self.wait("the node", |game| {
                let health = game.runtime.block_on(game.client.health());
                health.unwrap_or(false).then_some(())
            });
        }
    }

    fn slot(&mut self, program: Program) -> &mut Option<Child> {
        match program {
            Program::Network => &mut self.network,
            Program::Scorer => &mut self.scorer,
            Program::Trainer => &mut self.trainer,
            Program::Submitter => &mut self.submitter,
        }
    }

    fn kill(&mut self, program: Program) {
        if let Some(mut child) = self.slot(program).take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts what does not run.
    fn start_all(&mut self) {
        for program in ALL {
            let ended = match self.slot(program) {
                Some(child) => child.try_wait().unwrap().is_some(),
                None => true,
            };
            if ended {
                self.start(program);
            }
        }
    }

    /// Waits for what must come; what ended meanwhile is started again, as an operator would.
    fn wait<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn epoch(&self) -> u64 {
        let status = self.runtime.block_on(self.client.status()).unwrap();
        status.epoch.0
    }

    /// Transactions that succeeded, with their epochs.
    fn history(&self) -> Vec<Done> {
        let height = self.runtime.block_on(self.client.status()).unwrap().height;
        let mut history = Vec::new();
        for height in 1..=height {
            let block = self.client.block(BlockName::Height(height), true);
            let block = self.runtime.block_on(block).unwrap();
            let receipts = block.receipts.unwrap();
            for (transaction, receipt) in block.transactions.unwrap().into_iter().zip(receipts) {
                let receipt = serde_json::to_value(receipt).unwrap();
                if receipt["status"] == "success" {
                    history.push(Done {
                        epoch: block.header.epoch.0,
                        kind: transaction.kind,
                        arguments: transaction.arguments,
                    });
                }
            }
        }
        history
    }

    /// Ends the epoch, once all weights that are due in it are revealed.
    fn end_epoch(&mut self) {
        self.start_all();
        let epoch = self.epoch();
        let begin = Instant::now();
        loop {
            let history = self.history();
            let count = |kind, before| {
                let of_kind = history.iter().filter(|done| done.kind == kind);
                of_kind.filter(|done| done.epoch < before).count()
            };
            if count("commit_model", epoch) == count("reveal_model", u64::MAX) {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "the reveal did not come");
            std::thread::sleep(Duration::from_millis(200));
            self.start_all();
        }
        self.runtime.block_on(self.client.advance_epoch()).unwrap();
    }

    /// A number below `end`, another one each time.
    fn random(&mut self, end: u32) -> u32 {
        self.random = self
            .random
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        (self.random >> 8) % end
    }
}

/// Where kills fall: another place in each run, or where `SOMA_TEST_SEED` says.
fn seed() -> u32 {
    let named = std::env::var("SOMA_TEST_SEED").ok();
    let seed = named.map(|seed| seed.parse().expect("SOMA_TEST_SEED is a number"));
    let seed = seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        now.subsec_nanos()
    });
    eprintln!("again with: SOMA_TEST_SEED={seed}");
    seed
}

impl Drop for Game {
    fn drop(&mut self) {
        for program in ALL {
            self.kill(program);
        }
    }
}

/// A transaction that succeeded.
struct Done {
    epoch: u64,
    kind: String,
    arguments: Value,
}

#[test]
fn killed_programs_go_on_and_nothing_is_lost_or_done_twice() {
    let mut game = Game::new();
    game.start_all();
    game.wait("weights", |game| {
        game.history()
            .iter()
            .any(|done| done.kind == "commit_model")
            .then_some(())
    });
    // Weights are revealed, and the model takes part.
    game.end_epoch();
    game.end_epoch();
    for kill in 0..KILLS {
        game.start_all();
        let pause = 300 + game.random(1_500);
        std::thread::sleep(Duration::from_millis(pause.into()));
        let victim = ALL[(kill + game.random(2) as usize) % ALL.len()];
        game.kill(victim);
        if kill % 3 == 2 {
            game.end_epoch();
        }
    }
    game.start_all();
    // However slow the machine: better weights are committed to in the end.
    game.wait("weights again", |game| {
        let history = game.history();
        let commits = history.iter().filter(|done| done.kind == "commit_model");
        (commits.count() > 1).then_some(())
    });
    // Both end as they are told to; what is committed is revealed first.
    for program in [Program::Submitter, Program::Trainer] {
        let child = game.slot(program).take().unwrap();
        let waiting = std::thread::spawn(move || interrupt(child));
        while !waiting.is_finished() {
            std::thread::sleep(Duration::from_millis(200));
            if let Program::Trainer = program {
                game.runtime.block_on(game.client.advance_epoch()).unwrap();
                std::thread::sleep(Duration::from_secs(3));
            }
        }
        assert_eq!(waiting.join().unwrap(), Some(0), "{program:?}");
    }
    for _ in 0..3 {
        game.runtime.block_on(game.client.advance_epoch()).unwrap();
        std::thread::sleep(Duration::from_secs(1));
    }
    let epoch = game.epoch();
    let (texts, scorer) = (game.path("texts"), game.ports[2]);
    game.soma.ok(&format!(
        "submit run --source {} --sender localnet-3 --until-epoch {epoch} --scorer \
         http://127.0.0.1:{scorer}",
        texts.display()
    ));
    check(&game);
}

fn check(game: &Game) {
    let history = game.history();
    let of = |kind: &str| {
        history
            .iter()
            .filter(|done| done.kind == kind)
            .collect::<Vec<_>>()
    };
    let count = |kind: &str| of(kind).len();

    // One model; whatever was committed was revealed, and once.
    assert_eq!(count("create_model"), 1);
    assert!(count("reveal_model") > 1, "published once only");
    assert_eq!(count("commit_model"), count("reveal_model"));

    // Every target was filled once, with data of its epoch only, and every fill was paid once.
    let submitted = of("submit_data");
    assert!(submitted.len() > KILLS, "{} submissions", submitted.len());
    let targets: BTreeSet<_> = submitted
        .iter()
        .map(|done| done.arguments["target"].to_string())
        .collect();
    assert_eq!(targets.len(), submitted.len(), "filled twice");
    let mut epochs = BTreeMap::new();
    for done in &submitted {
        let data = done.arguments["data"]["checksum"].to_string();
        let first = *epochs.entry(data).or_insert(done.epoch);
        assert_eq!(first, done.epoch, "data submitted again in another epoch");
    }
    let claims: BTreeSet<_> = of("claim_rewards")
        .iter()
        .map(|done| done.arguments["target"].to_string())
        .collect();
    assert_eq!(claims.len(), count("claim_rewards"), "paid twice");
    for status in ["fraud", "filled", "claimable"] {
        let found = game
            .soma
            .json(&format!("target list --status {status} --limit 1000"));
        assert_eq!(found["targets"], serde_json::json!([]), "{status}");
    }
    assert_eq!(count("report_submission"), 0);
    let supply = game.runtime.block_on(game.client.supply()).unwrap();
    assert!(supply.ok, "{supply:?}");
}
