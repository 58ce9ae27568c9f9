//! Every command against a network in this process.

use serde_json::Value;
use soma_node::{Localnet, LocalnetConfig};
use tokio::runtime::Runtime;

use crate::program::{Soma, masked};

/// A network, and a wallet with its first two accounts.
pub(crate) struct Bench {
    pub(crate) soma: Soma,
    net: Option<Localnet>,
    runtime: Runtime,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let net = runtime.block_on(Localnet::start(LocalnetConfig::for_tests()));
        let net = net.unwrap();
        let soma = Soma::new();
        let rpc = net.rpc_url();
        let faucet = net.faucet_url().unwrap();
        let admin = net.admin_url().unwrap();
        soma.ok(&format!(
            "env new here --rpc {rpc} --faucet {faucet} --admin {admin}"
        ));
        soma.ok("env switch here");
        for (name, account) in ["alice", "bob"].iter().zip(&net.keys().accounts) {
            soma.import(name, &account.secret_key);
        }
        Self {
            soma,
            net: Some(net),
            runtime,
        }
    }

    pub(crate) fn net(&self) -> &Localnet {
        self.net.as_ref().unwrap()
    }

    fn validator(&self) -> String {
        self.net().keys().first().address.to_string()
    }

    /// Output with names for addresses, and lines in an order that does not depend on keys.
    fn stable(&self, text: &str) -> String {
        let accounts = &self.net().keys().accounts;
        let [alice, bob] = [0, 1].map(|index| accounts[index].address.to_string());
        let text = masked(text, &[(&alice, "ALICE"), (&bob, "BOB")]);
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_by_key(|line| {
            match line.starts_with("Changed") || line.starts_with("Balance: ") {
                true => (1, *line),
                false => (0, ""),
            }
        });
        lines.join("\n")
    }

    pub(crate) fn advance_epoch(&self) {
        let client = soma_sdk::Client::builder()
            .rpc_url(self.net().rpc_url())
            .admin_url(self.net().admin_url().unwrap())
            .build()
            .unwrap();
        self.runtime.block_on(client.advance_epoch()).unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(net) = self.net.take() {
            // A test that failed already should show its own failure.
            let _ = self.runtime.block_on(net.shutdown());
        }
    }
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no `{name}` in {value:#}"))
}

#[test]
fn money_is_sent_and_shown() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let sent = soma.json("send 1.5 --to bob");
    assert_eq!(sent["status"], "success");
    assert_eq!(sent["balance_changes"].as_array().unwrap().len(), 2);
    let bob = soma.json("balance bob --with-coins");
    assert_eq!(bob["total_balance"], 300_001_500_000_000_u64);
    assert_eq!(bob["coins"].as_array().unwrap().len(), 1);
    soma.ok("pay --recipients bob alice --amounts 1,0.5");
    soma.ok("transfer --amount 0.1 --to bob --sender alice");
    let faucet = soma.json("faucet bob");
    assert_eq!(faucet["amount"], 2_000_000_000_u64);
    assert_eq!(soma.json("merge-coins")["merged"], 0);

    let show = |text: &str| bench.stable(text);
    insta::assert_snapshot!("balance", show(&soma.ok("balance bob")));
    insta::assert_snapshot!("send", show(&soma.ok("send 1 --to bob")));
    let digest = text(&sent, "digest");
    insta::assert_snapshot!("tx_info", show(&soma.ok(&format!("tx {digest}"))));
    let mut names: Vec<&str> = sent
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    let names = names.join(" ");
    insta::assert_snapshot!("send_json_names", names);
    insta::assert_snapshot!("send_json_fee", format!("{:#}", sent["fee"]));
}

#[test]
fn a_transaction_that_fails_on_chain_gives_code_1_and_its_name() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let ran = soma.run("send 400000 --to bob");
    assert_eq!(ran.code, 1);
    assert!(ran.out.is_empty());
    insta::assert_snapshot!("send_failed", masked(&ran.err, &[]));

    let ran = soma.run("send 400000 --to bob --json");
    let printed: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(printed["status"], "failure");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(
        (ran.code, text(&error, "code")),
        (1, "InsufficientCoinBalance")
    );

    let id = "0x0101010101010101010101010101010101010101010101010101010101010101";
    for (line, name) in [
        (format!("stake 1 --validator {id}"), "ValidatorNotFound"),
        (format!("stake 1 --model {id}"), "ModelNotFound"),
        (format!("unstake {id}"), "ObjectNotFound"),
        (format!("model deactivate {id} --yes"), "ModelNotFound"),
        (
            format!("model set-commission-rate {id} --rate 1"),
            "ModelNotFound",
        ),
        (format!("target claim {id}"), "TargetNotFound"),
        ("validator leave-committee".to_owned(), "NotAValidator"),
        (
            "validator set-commission-rate 5".to_owned(),
            "NotAValidator",
        ),
        (format!("validator report-validator {id}"), "NotAValidator"),
        (format!("validator undo-report {id}"), "NotAValidator"),
        (format!("validator report-model {id}"), "NotAValidator"),
        (
            "send 400000 --to bob --simulate".to_owned(),
            "InsufficientCoinBalance",
        ),
        (format!("objects get {id}"), "NotFound"),
        (format!("model info {id}"), "NotFound"),
        (format!("target info {id}"), "NotFound"),
        (format!("tx info {id}"), "NotFound"),
        ("validator display-metadata alice".to_owned(), "NotFound"),
    ] {
        let error = soma.fails(&line);
        assert_eq!(error["code"], name, "`soma {line}`: {error:#}");
    }
}

#[test]
fn transactions_are_tried_and_prepared_without_being_sent() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let before = soma.json("balance")["total_balance"].clone();
    let tried = soma.json("send 1 --to bob --simulate");
    assert_eq!(
        (&tried["simulated"], text(&tried, "status")),
        (&Value::Bool(true), "success")
    );
    assert!(soma.ok("send 1 --to bob --tx-digest").starts_with("0x"));
    let unsigned = soma.ok("send 1 --to bob --serialize-unsigned-transaction");
    let signed = soma.ok("send 2 --to bob --serialize-signed");
    assert_eq!(soma.json("balance")["total_balance"], before);

    // Signing twice is no harm: the same transaction is executed once.
    let line = format!(
        "tx execute-combined-signed --signed-tx-bytes {}",
        signed.trim()
    );
    let first = soma.json(&line);
    assert_eq!(soma.json(&line), first);
    // Both were built for one nonce, so the other can never be executed.
    let used = soma.fails(&format!("tx execute-serialized {}", unsigned.trim()));
    assert_eq!(used["code"], "NonceTooLow");

    let unsigned = soma.ok("send 1 --to bob --serialize-unsigned");
    let unsigned = unsigned.trim();
    let tried = soma.json(&format!(
        "tx execute-serialized --tx-bytes {unsigned} --simulate"
    ));
    assert_eq!(tried["simulated"], true);
    let sent = soma.json(&format!("tx execute-serialized {unsigned}"));
    assert_eq!(sent["status"], "success");
    let record = soma.json(&format!("tx info {}", text(&sent, "digest")));
    let bytes = text(&record["transaction"], "public_key").to_owned()
        + text(&record["transaction"], "signature").trim_start_matches("0x");
    let line = format!("tx execute-signed --tx-bytes {unsigned} --signatures {bytes}");
    assert_eq!(soma.json(&line)["digest"], sent["digest"]);
    let bad = soma.fails(&format!(
        "tx execute-signed --tx-bytes {unsigned} --signatures 0x12"
    ));
    assert_eq!(bad["code"], "Invalid");
}

#[test]
fn stake_is_placed_listed_and_withdrawn() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let validator = bench.validator();
    let staked = soma.json(&format!("stake 10 --validator {validator}"));
    let id = text(&staked, "stake_id");
    let list = soma.ok("objects list --type staked_soma");
    assert!(list.contains(id), "{list}");
    let object = soma.json(&format!("objects get {id} --bcs"));
    assert_eq!(object["content"]["principal"], 10_000_000_000_u64);
    assert_eq!(object["content"]["state"], "starting");
    assert!(object["bcs_bytes"].is_string());
    insta::assert_snapshot!("objects_list", masked(&soma.ok("objects list"), &[]));
    insta::assert_snapshot!("objects_gas", masked(&soma.ok("objects gas alice"), &[]));
    bench.advance_epoch();
    let started = soma.json(&format!("objects get {id}"));
    assert_eq!(started["content"]["state"], "staked");
    let unstaked = soma.json(&format!("unstake --staked-soma-id {id}"));
    assert_eq!(unstaked["status"], "success");
    let paid_from = unstaked["paid_from_epoch"].as_u64().unwrap();
    assert_eq!(paid_from, unstaked["epoch"].as_u64().unwrap() + 2);
    let object = soma.json(&format!("objects get {validator} --type validator"));
    assert_eq!(object["type"], "validator");
}

#[test]
fn the_network_is_described() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let status = soma.json("status");
    assert_eq!(status["server_reachable"], true);
    assert_eq!(status["balance"], 300_000_000_000_000_u64);
    let text = soma.ok("status");
    for line in [
        "Chain: localnet 0x",
        "Last block: ",
        "Caught up: yes",
        "Votes: yes, as 0x",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let chain = soma.json("env chain-id");
    assert_eq!(chain["chain_id"], status["chain_id"]);
    let network = soma.json("network");
    assert_eq!(network["supply"]["ok"], true);
    insta::assert_snapshot!("network", masked(&soma.ok("network"), &[]));
    insta::assert_snapshot!("validator_list", masked(&soma.ok("validator list"), &[]));
    let validator = soma.json(&format!("validator display-metadata {}", bench.validator()));
    assert_eq!(validator["status"], "active");
    assert!(soma.ok("network --dump-addresses").contains("alice: 0x"));
}

/// Makes a model of the active account, from its creation to the first epoch in which it is active.
pub(crate) fn active_model(bench: &Bench) -> String {
    let soma = &bench.soma;
    let made = soma.json("model create --stake-amount 5 --commission-rate 500");
    let model = text(&made, "model_id").to_owned();

    let (weights, file) = (soma.dir().join("weights"), soma.dir().join("sealed"));
    let weights = weights.display();
    soma.ok(&format!("model init-weights {weights} --model-size small"));
    let seal = format!("model seal --weights {weights} --output {}", file.display());
    let sealed = soma.json(&seal);
    let key = text(&sealed, "decryption_key");
    let embedding: Vec<String> = (1..=16).map(|n| format!("{n}")).collect();
    let embedding = embedding.join(",");
    let commit = format!(
        "model commit {model} --weights-file {} --weights-url http://a/w --decryption-key {key} \
         --embedding {embedding}",
        file.display()
    );
    // Nothing lies there.
    let asked = soma.run(&commit);
    assert_ne!(asked.code, 0);
    assert!(asked.err.contains("take that for fraud"), "{}", asked.err);
    assert_eq!(soma.json(&format!("{commit} --yes"))["status"], "success");
    let reveal = format!("model reveal {model} --decryption-key {key} --embedding {embedding}");
    assert_eq!(soma.fails(&reveal)["code"], "ModelRevealEpochMismatch");
    bench.advance_epoch();
    soma.ok(&reveal);
    bench.advance_epoch();
    model
}

/// The command that fills a target with the best claim there can be. The chain takes the same text
/// once.
pub(crate) fn submission(bench: &Bench, target: &str, model: &str, text: &str) -> String {
    let data = bench.soma.dir().join("data");
    std::fs::write(&data, text).unwrap();
    let direction = direction_of(bench, target);
    format!(
        "target submit --target-id {target} --data-file {} --data-url http://a/d --model-id {model} \
         --embedding {direction} --loss-score 2.5 --yes",
        data.display()
    )
}

#[test]
fn a_model_is_made_and_its_target_filled_and_claimed() {
    let bench = Bench::new();
    let soma = &bench.soma;
    assert_eq!(soma.ok("model list"), "No models.\n");
    let model = active_model(&bench);
    insta::assert_snapshot!(
        "model_list",
        masked(&soma.ok("model list --owner alice"), &[])
    );
    assert_eq!(
        soma.json(&format!("model info {model}"))["status"],
        "active"
    );
    soma.ok(&format!("stake 1 --model {model}"));
    soma.ok(&format!(
        "model set-commission-rate --model-id {model} --commission-rate 600"
    ));

    let targets = soma.json("target list --limit 2");
    let targets = targets["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 2);
    let target = text(&targets[0], "id");
    let submit = submission(&bench, target, &model, "data");
    let filled = soma.json(&submit);
    assert_eq!(filled["claimable_from"], 4);
    assert_eq!(soma.fails(&submit)["code"], "TargetNotOpen");
    let info = soma.json(&format!("target info {target}"));
    assert_eq!(info["status"], "filled");
    insta::assert_snapshot!(
        "target_info",
        masked(&soma.ok(&format!("target info {target}")), &[])
    );
    bench.advance_epoch();
    bench.advance_epoch();
    let claimable = soma.json("target list --claimable --submitter alice");
    assert_eq!(claimable["targets"].as_array().unwrap().len(), 1);
    soma.ok(&format!("target claim {target}"));
    let claimed = soma.json(&format!("target info {target}"));
    assert_eq!(claimed["status"], "claimed");
    soma.ok(&format!("model deactivate {model} --yes"));
    assert_eq!(soma.json(&format!("model info {model}"))["leaving"], true);
    let shown = soma.ok(&format!("model info {model}"));
    assert!(shown.contains("Status: active, leaving"), "{shown}");
    let (weights, store) = (soma.dir().join("weights"), soma.dir().join("store"));
    let update = format!(
        "model update {model} --weights {} --embedding 1 --storage {}",
        weights.display(),
        store.display()
    );
    for line in [format!("model deactivate {model} --yes"), update] {
        assert_eq!(soma.fails(&line)["code"], "ModelAlreadyLeaving", "{line}");
    }
    bench.advance_epoch();
    let info = soma.json(&format!("model info {model}"));
    assert_eq!(text(&info, "status"), "inactive");
    assert_eq!(info["leaving"], false);
}

/// The target's own direction: no data could be nearer.
pub(crate) fn direction_of(bench: &Bench, target: &str) -> String {
    let client = soma_sdk::Client::builder()
        .rpc_url(bench.net().rpc_url())
        .build();
    let client = client.unwrap();
    let target = target.parse().unwrap();
    let target = bench
        .runtime
        .block_on(client.target(&target, true))
        .unwrap();
    let numbers = target.embedding.unwrap();
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(",")
}
