//! The whole way of a model and of a submission, by commands alone.

use std::io::BufRead;

use soma_localnet::{Network, NetworkConfig};
use soma_sdk::Client;
use tokio::runtime::Runtime;

use crate::program::Soma;
use crate::start::{interrupt, start};

/// A network with all services, and a wallet with its first two accounts.
pub(crate) struct World {
    pub(crate) soma: Soma,
    pub(crate) network: Option<Network>,
    pub(crate) runtime: Runtime,
    client: Client,
}

impl World {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let network = runtime.block_on(Network::start(NetworkConfig::for_tests()));
        let network = network.unwrap();
        let node = network.node();
        let soma = Soma::new();
        soma.ok(&format!(
            "env new localnet --rpc {} --faucet {} --admin {} --scorer {} --blobs {}",
            node.rpc_url(),
            node.faucet_url().unwrap(),
            node.admin_url().unwrap(),
            network.scorer_url().unwrap(),
            network.blobs_url().unwrap(),
        ));
        soma.ok("env switch localnet");
        for (name, account) in ["alice", "bob"].iter().zip(&node.keys().accounts) {
            soma.import(name, &account.secret_key);
        }
        let client = Client::builder()
            .rpc_url(node.rpc_url())
            .admin_url(node.admin_url().unwrap())
            .build()
            .unwrap();
        Self {
            soma,
            network: Some(network),
            runtime,
            client,
        }
    }

    fn genesis(&self) -> soma_sdk::types::Genesis {
        let network = self.network.as_ref().unwrap();
        let chain = network.node().application().chain();
        chain.genesis().clone()
    }

    pub(crate) fn advance(&self) {
        self.runtime.block_on(self.client.advance_epoch()).unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let network = self.network.take().unwrap();
        self.runtime.block_on(network.shutdown()).unwrap();
    }
}

pub(crate) const EMBEDDING: &str = "1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0.5";

#[test]
fn a_model_is_published_data_submitted_and_the_reward_claimed() {
    let world = World::new();
    let soma = &world.soma;
    let weights = soma.dir().join("weights.safetensors");
    let weights = weights.display();
    soma.ok(&format!("model init-weights {weights} --model-size small"));

    let public = soma.dir().join("public");

    // Committed, and not yet revealed: the next command that looks says what is due.
    let line = format!(
        "model publish --weights {weights} --embedding {EMBEDDING} --no-wait --sender alice \
         --storage {}",
        public.display()
    );
    let committed = soma.json(&line);
    assert_eq!(committed["status"], "committed");
    let model = committed["model_id"].as_str().unwrap().to_owned();
    let status = soma.json("status");
    assert_eq!(status["reveals_due"][0]["model"], model.as_str());
    assert!(soma.run("status").err.contains("REVEAL DUE"));
    assert!(
        soma.fails(&line)["message"]
            .as_str()
            .unwrap()
            .contains("finish that first: soma model publish --state")
    );

    world.advance();
    assert!(soma.run("status").err.contains("REVEAL NOW"));
    let again = committed["reveal_command"].as_str().unwrap();
    let again = again.strip_prefix("soma ").unwrap();
    let revealed = soma.json(again);
    assert_eq!(revealed["model_id"], model.as_str());
    assert_eq!(soma.json("status")["reveals_due"], serde_json::json!([]));
    world.advance();

    // What was published comes back as it was.
    let copy = soma.dir().join("copy.safetensors");
    soma.ok(&format!("model download {model} -o {}", copy.display()));
    let before = std::fs::read(soma.dir().join("weights.safetensors")).unwrap();
    assert_eq!(std::fs::read(&copy).unwrap(), before);

    // Some data hits some target: the first of many tries.
    let targets = soma.json("target list");
    let targets: Vec<_> = targets["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["id"].as_str().unwrap().to_owned())
        .collect();
    let data = soma.dir().join("data");
    std::fs::write(&data, b"words that a model can score").unwrap();
    let submit = |target: &str| {
        format!(
            "target submit {target} --data-file {} --sender bob --storage {}",
            data.display(),
            public.display()
        )
    };
    let hit = targets
        .iter()
        .find(|target| soma.run(&submit(target)).code == 0);
    let hit = hit.expect("one of many random targets is near");
    let filled = soma.json(&format!("target info {hit}"));
    assert_eq!(filled["status"], "filled");
    assert_eq!(filled["fill"]["winning_model"], model.as_str());
    let got = soma.dir().join("got");
    soma.ok(&format!("target download {hit} -o {}", got.display()));
    assert_eq!(std::fs::read(got).unwrap(), std::fs::read(&data).unwrap());

    let verified = soma.json(&format!("target verify {hit}"));
    assert_eq!(
        (&verified["holds"], &verified["finding"]),
        (&true.into(), &"consistent".into())
    );
    let card = soma.dir().join("card.json");
    let mut changed = soma.json(&format!("target scorecard {hit}"));
    std::fs::write(&card, changed.to_string()).unwrap();
    let offline = format!(
        "target verify {hit} --scorecard {} --rpc-url http://127.0.0.1:1",
        card.display()
    );
    // A committee signed for it; with the genesis, it is known to be the chain's.
    let proven = |line: &str| {
        let verified = soma.json(line);
        assert_eq!(verified["holds"], true, "{verified}");
        let proven = &verified["proven"];
        (proven["claim"] == true, proven["chain"] == true)
    };
    assert_eq!(proven(&offline), (true, false));
    let genesis = |name: &str, change: &dyn Fn(&mut soma_sdk::types::Genesis)| {
        let path = soma.dir().join(name);
        let mut genesis = world.genesis();
        change(&mut genesis);
        std::fs::write(&path, serde_json::to_string(&genesis).unwrap()).unwrap();
        format!("{offline} --genesis {}", path.display())
    };
    assert_eq!(proven(&genesis("genesis.json", &|_| {})), (true, true));
    let other = genesis("other.json", &|genesis| genesis.time_ms += 1);
    let refused = soma.fails(&other);
    assert!(
        refused["message"].as_str().unwrap().contains("chain"),
        "{refused}"
    );
    // Whoever changes the card must forge the evidence, too.
    let refused = |card_of: &serde_json::Value| {
        std::fs::write(&card, card_of.to_string()).unwrap();
        let refused = soma.fails(&offline);
        refused["message"].as_str().unwrap().to_owned()
    };
    let whole = changed.clone();
    changed["scorecard"]["claim"]["loss"] = 0.5.into();
    let message = refused(&changed);
    assert!(message.contains("claimed loss"), "{message}");
    let mut changed = whole.clone();
    changed["scorecard"]["status"] = "fraud".into();
    let message = refused(&changed);
    assert!(message.contains("the status"), "{message}");
    let mut forged = whole.clone();
    let time = forged["evidence"]["target"]["header"]["time_ms"].as_u64();
    for proof in ["target", "direction", "committee"] {
        forged["evidence"][proof]["header"]["time_ms"] = (time.unwrap() + 1).into();
    }
    let message = refused(&forged);
    assert!(message.contains("certificate"), "{message}");
    // Without evidence it is the word of a node, and that is said.
    let mut told = whole;
    told.as_object_mut().unwrap().remove("evidence");
    std::fs::write(&card, told.to_string()).unwrap();
    assert_eq!(proven(&offline), (false, false));
    assert!(soma.run(&offline).err.contains("Not proven"));
    // A claim that is wrong is told from a card that cannot be read.
    let claimed = &mut told["scorecard"]["claim"]["loss"];
    *claimed = (claimed.as_f64().unwrap() + 1.0).into();
    std::fs::write(&card, told.to_string()).unwrap();
    let ran = soma.run(&format!("{offline} --json"));
    assert_eq!(ran.code, 1, "{}", ran.err);
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(found["holds"], false, "{found}");
    assert!(found["finding"]["mismatch"]["loss"].is_object(), "{found}");
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["code"], "ClaimDoesNotHold");
    std::fs::write(&card, "{").unwrap();
    assert_eq!(soma.fails(&offline)["code"], "File");

    // Weights and data whose own URLs are gone are had from the node. A cache elsewhere has neither.
    let rpc = soma.json("status")["rpc_url"].as_str().unwrap().to_owned();
    for path in ["data".to_owned(), format!("weights/{model}")] {
        let url = format!("{rpc}/v1/targets/{hit}/{path}");
        let answer = world.runtime.block_on(reqwest::get(url)).unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    std::fs::remove_dir_all(&public).unwrap();
    std::fs::remove_dir_all(soma.dir().join("blobs")).unwrap();
    let verified = soma.run(&format!("target verify {hit}"));
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(
        verified.err.contains("the node is asked"),
        "{}",
        verified.err
    );

    assert_eq!(
        soma.json("target claim-all --sender bob")["claimed"],
        serde_json::json!([])
    );
    world.advance();
    world.advance();
    let claimed = soma.json("target claim-all --sender bob");
    assert_eq!(claimed["claimed"][0]["target_id"], hit.as_str());
    assert!(claimed["received"].as_i64().unwrap() > 0);
    let earned = soma.json("earnings bob --limit 10");
    let earned = earned["earnings"].as_array().unwrap();
    let reward = earned.iter().find(|entry| entry["kind"] == "submission");
    assert_eq!(reward.unwrap()["target"], hit.as_str());

    // Data counts once: said before anything is scored, uploaded or paid.
    let open = soma.json("target list")["targets"][0]["id"].clone();
    let before = soma.json("balance bob");
    let again = soma.fails(&submit(open.as_str().unwrap()));
    assert_eq!(again["code"], "DuplicateData", "{again}");
    assert_eq!(soma.json("balance bob")["nonce"], before["nonce"]);
}

#[test]
fn what_cannot_be_published_or_submitted_says_what_to_do() {
    let world = World::new();
    let soma = &world.soma;
    let message = |line: &str| soma.fails(line)["message"].as_str().unwrap().to_owned();
    let usage = |line: &str| {
        let ran = soma.run(line);
        assert_eq!(ran.code, 2, "{line}");
        ran.err
    };
    assert!(usage("model publish --sender alice").contains("--weights"));
    let text = message("model publish --weights /no/such --embedding 1,2 --sender alice");
    assert!(text.contains("16"), "{text}");
    let text = message(&format!(
        "model publish --weights /no/such --embedding {EMBEDDING} --sender alice"
    ));
    assert!(text.contains("/no/such"), "{text}");
    let unknown = format!("0x{}", "11".repeat(32));
    for line in [
        format!("model download {unknown}"),
        format!("target download {unknown}"),
        format!("target challenge {unknown} --yes --sender bob"),
    ] {
        assert_eq!(soma.fails(&line)["code"], "NotFound", "{line}");
    }
    let report = format!("target report {unknown} --reason wrong-loss --sender bob");
    assert_eq!(soma.fails(&report)["code"], "TargetNotFound");
    let storage = format!(
        "model publish --weights {0} --embedding {EMBEDDING} --storage ftp://a --sender alice",
        soma.dir().join("x").display()
    );
    assert!(usage(&storage).contains("s3://"));
}

#[test]
fn a_faucet_and_a_blob_server_of_ones_own_work() {
    let world = World::new();
    let soma = &world.soma;
    let (child, mut out) = start(
        soma,
        "start faucet --port 0 --amount 3 --sender alice --json",
    );
    let faucet = first_json(&mut out);
    assert_eq!(
        faucet["address"],
        soma.json("wallet list")["keys"][0]["address"]
    );
    let url = faucet["url"].as_str().unwrap();
    let before = soma.json("balance bob")["total_balance"].as_u64().unwrap();
    soma.ok(&format!("faucet bob --url {url}"));
    let after = soma.json("balance bob")["total_balance"].as_u64().unwrap();
    assert_eq!(after - before, 3_000_000_000);
    assert_eq!(interrupt(child), Some(0));

    let (child, mut out) = start(soma, "start blobs --port 0 --json");
    let blobs = first_json(&mut out);
    let weights = soma.dir().join("weights.safetensors");
    let weights = weights.display();
    soma.ok(&format!("model init-weights {weights} --model-size small"));
    soma.ok(&format!(
        "model publish --weights {weights} --embedding {EMBEDDING} --no-wait --sender alice --storage {}",
        blobs["url"].as_str().unwrap()
    ));
    let kept = soma.dir().join("blobs");
    let names = std::fs::read_dir(kept).unwrap();
    let names = names.map(|file| file.unwrap().file_name());
    assert_eq!(names.filter(|name| name != "server.lock").count(), 1);
    let refused = soma.fails("start blobs --port 0");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("another blob server"), "{message}");
    assert_eq!(interrupt(child), Some(0));
}

fn first_json(out: &mut impl BufRead) -> serde_json::Value {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn weights_are_trained_stopped_resumed_and_published() {
    let world = World::new();
    let soma = &world.soma;
    let data = soma.dir().join("corpus");
    std::fs::create_dir(&data).unwrap();
    for n in 0..12 {
        let text = format!("a text that repeats itself {n}, ").repeat(60);
        std::fs::write(data.join(n.to_string()), text).unwrap();
    }
    let out = soma.dir().join("run");
    let (data, out) = (data.display(), out.display());
    let line = |steps: u32| {
        format!(
            "train {data} --out {out} --model-size small --steps {steps} --accumulation 1 \
             --lr 0.01 --evaluate-every 5 --checkpoint-every 5 --held-out 0.2"
        )
    };
    let first = soma.json(&line(10));
    assert_eq!(
        (&first["finished"], &first["step"]),
        (&"complete".into(), &10.into())
    );
    let again = soma.fails(&line(10));
    assert!(
        again["message"].as_str().unwrap().contains("resume"),
        "{again}"
    );
    let resumed = soma.json(&format!("{} --resume", line(20)));
    assert_eq!(resumed["step"], 20);
    let bits = |run: &serde_json::Value| run["bits_per_byte"].as_f64().unwrap();
    assert!(bits(&resumed) < bits(&first), "{resumed} {first}");

    let weights = resumed["weights"].as_str().unwrap();
    let embedding = resumed["embedding"].as_str().unwrap();
    let committed = soma.json(&format!(
        "model publish --weights {weights} --embedding @{embedding} --no-wait --sender alice"
    ));
    assert_eq!(committed["status"], "committed");
    let dim = soma.run(&format!(
        "train {data} --out {out}-2 --model-size mini --publish --sender alice"
    ));
    assert_eq!(dim.code, 2);
    assert!(
        dim.err.contains("128") && dim.err.contains("16"),
        "{}",
        dim.err
    );
}

#[test]
fn weights_are_averaged_and_embedded() {
    let soma = Soma::new();
    let (one, two) = (soma.dir().join("one"), soma.dir().join("two"));
    for (seed, file) in [(1, &one), (2, &two)] {
        let file = file.display();
        soma.ok(&format!(
            "model init-weights {file} --model-size small --seed {seed}"
        ));
    }
    let [one_shown, two_shown, out] =
        [&one, &two, &soma.dir().join("out")].map(|file| file.display().to_string());
    let line = format!("model average {one_shown} {two_shown} --out {out} --yes");
    soma.ok(&format!("{line} --share 1 --share 0"));
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&one).unwrap());
    soma.ok(&line);
    let average = std::fs::read(&out).unwrap();
    assert!(average != std::fs::read(&one).unwrap() && average != std::fs::read(&two).unwrap());
    let refused = soma.fails(&format!("{line} --share 1"));
    assert!(
        refused["message"].as_str().unwrap().contains("share"),
        "{refused}"
    );

    let text = soma.dir().join("text");
    std::fs::write(&text, "some text ".repeat(60)).unwrap();
    let embedding = soma.dir().join("embedding.json");
    let line = format!(
        "model embed {one_shown} {} --out {}",
        text.display(),
        embedding.display()
    );
    let numbers = |line: &str| -> Vec<f64> {
        serde_json::from_value(soma.json(line)["embedding"].clone()).unwrap()
    };
    let found = numbers(&line);
    let length: f64 = found.iter().map(|number| number * number).sum();
    assert!(
        found.len() == 16 && (length - 1.0).abs() < 1e-5,
        "{found:?}"
    );
    // Of one sequence, it is what the scorer sees.
    for (one, other) in found.iter().zip(numbers(&format!("{line} --plain"))) {
        assert!((one - other).abs() < 1e-5, "{found:?}");
    }
    let many = soma.run(&format!("{line} {one_shown} --plain"));
    assert_eq!(many.code, 2, "{}", many.err);
}
