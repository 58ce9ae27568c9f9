//! What a validator does by commands, on a network of one.

use serde_json::Value;

use crate::localnet::Bench;
use crate::nodes::only_its_owner_reads;
use crate::program::Soma;

/// A bench whose wallet also acts as the validator.
fn bench() -> Bench {
    let bench = Bench::new();
    let key = bench.net().keys().first().secret_key.to_hex();
    bench
        .soma
        .ok(&format!("wallet import {} --alias val", *key));
    bench.soma.ok("wallet switch val");
    bench
}

#[test]
fn metadata_is_staged_shown_and_takes_effect_with_the_next_epoch() {
    let bench = bench();
    let soma = &bench.soma;
    let key = soma.dir().join("next.key");
    let made = soma.json(&format!("validator make-key {}", key.display()));
    for change in [
        "name one".to_owned(),
        "network-address /dns4/node.example.org/tcp/1".to_owned(),
        "rpc-address https://node.example.org".to_owned(),
        "proxy-address https://files.example.org".to_owned(),
    ] {
        soma.ok(&format!("validator update-metadata {change}"));
    }
    soma.ok("validator set-commission-rate 300");
    let shown = soma.json("validator display");
    assert_eq!(shown["next_metadata"]["name"], "one");
    assert_eq!(shown["next_metadata"]["consensus_key"], Value::Null);
    let text = soma.ok("validator display");
    for line in [
        "Next epoch: name: one",
        "Next epoch: P2P address: /dns4/node.example.org/tcp/1",
        "Next epoch: commission: 3 %",
    ] {
        assert!(text.contains(line), "{text}");
    }
    // Proven by the key itself, so that it can be tried without changing the node's key.
    let tried = soma.json(&format!(
        "validator update-metadata protocol-pub-key {} --simulate",
        key.display()
    ));
    assert_eq!(tried["simulated"], true);
    assert_ne!(made["public_key"], shown["metadata"]["consensus_key"]);

    bench.advance_epoch();
    let shown = soma.json("validator display");
    assert_eq!(shown["metadata"]["name"], "one");
    assert_eq!(shown["metadata"]["rpc_address"], "https://node.example.org");
    assert_eq!(shown["commission_bps"], 300);
    assert_eq!(shown["next_metadata"], Value::Null);

    for (line, code) in [
        ("p2p-address nowhere", "Usage"),
        ("rpc-address nowhere", "Usage"),
    ] {
        let ran = soma.run(&format!("validator update-metadata {line} --json"));
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!(error["code"], code, "{error}");
        assert_ne!(ran.code, 0);
    }
}

#[test]
fn versions_are_announced_and_counted() {
    let bench = bench();
    let soma = &bench.soma;
    assert_eq!(
        soma.json("validator versions")["next"],
        serde_json::json!([])
    );
    // A node that does not know a version stops when it takes effect.
    let ran = soma.run("validator announce-version 2");
    assert_eq!(ran.code, 2, "{}", ran.err);
    let old = soma.fails("validator announce-version 1");
    assert_eq!(old["code"], "ProtocolVersionNotNewer");
    soma.ok("validator announce-version 2 --force");
    let shown = soma.json("validator versions");
    assert_eq!(shown["needed_power"], 8_334);
    let next = serde_json::json!([{ "version": 2, "power": 10_000, "takes_effect": true }]);
    assert_eq!(shown["next"], next);
    let text = soma.ok("validator versions");
    let line = "Power for 2: 10000 of 10000: takes effect with the next epoch";
    assert!(text.contains(line), "{text}");
}

#[test]
fn what_a_validator_may_not_do_is_refused_by_name() {
    let bench = bench();
    let soma = &bench.soma;
    assert_eq!(soma.fails("validator leave")["code"], "LastValidator");
    // An application is of one account, for one chain.
    let dir = soma.dir().join("new");
    let make = format!("validator make-info 127.0.0.1 --dir {}", dir.display());
    let made = soma.json(&make);
    assert!(dir.join("genesis.json").exists());
    let join = format!("validator join {}", made["info"].as_str().unwrap());
    assert_eq!(soma.fails(&join)["code"], "KeyNotFound");
    let ran = soma.run(&format!("{join} --sender val"));
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = soma.run(&format!("{join} --stake 1 --simulate"));
    assert_eq!(ran.code, 2, "{}", ran.err);
    let other = "0x0101010101010101010101010101010101010101010101010101010101010101";
    soma.ok(&format!("{make} --chain-id {other} --account"));
    assert_eq!(soma.fails(&join)["code"], "InvalidValidatorInfo");
    soma.ok(&format!("{make} --account"));
    assert_eq!(soma.fails(&join)["code"], "DuplicateValidator");

    let download = format!("genesis download -o {}/g.json", soma.dir().display());
    let genesis = soma.json(&download);
    assert_eq!(genesis["chain_id"], soma.json("env chain-id")["chain_id"]);
    let false_one = soma.fails(&format!("{download} --chain-id {other}"));
    assert_eq!(false_one["code"], "Invalid");
}

#[test]
fn an_application_says_what_it_stakes() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let dir = soma.dir().join("new");
    let made = soma.json(&format!(
        "validator make-info 127.0.0.1 --dir {} --account=alice",
        dir.display()
    ));
    let join = format!("validator join {}", made["info"].as_str().unwrap());
    let tried = soma.ok(&format!("{join} --simulate"));
    assert!(tried.contains(" -1.000"), "{tried}");
    let ran = soma.run(&format!("{join} --stake 2"));
    let line = "The application stakes 1 SOMA with yourself, then 2 SOMA more.";
    assert!(ran.code == 0 && ran.err.contains(line), "{}", ran.err);
    let shown = soma.json("validator display alice");
    assert_eq!(shown["status"], "pending");
    assert_eq!(shown["stake"], 3_000_000_000_u64);
    // Without its stake it is none.
    let stakes = soma.json("objects list --type staked_soma --owner alice");
    for stake in stakes["objects"].as_array().unwrap() {
        soma.ok(&format!("unstake {}", stake["id"].as_str().unwrap()));
    }
    assert_eq!(soma.fails("validator leave")["code"], "NotAValidator");
}

#[test]
fn a_network_for_one_machine_is_written_to_a_folder() {
    let soma = Soma::new();
    let dir = soma.dir().join("net");
    let line = format!(
        "genesis local {} --validators 3 --small-model",
        dir.display()
    );
    let made = soma.json(&line);
    assert_eq!(made["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(made["validators"].as_array().unwrap().len(), 3);
    let shown = soma.json(&format!("genesis inspect {}/genesis.json", dir.display()));
    assert_eq!(shown["chain_id"], made["chain_id"]);
    for node in 1..=3 {
        let path = dir.join(node.to_string()).join("node.toml");
        let config = soma_node::NodeConfig::from_file(&path).unwrap();
        assert_eq!(config.consensus.persistent_peers.len(), 2);
        soma_node::NodeKeys::read(&config.validator).unwrap();
        let genesis = config.read_genesis().unwrap();
        let own = genesis.validators.iter();
        let mut own = own.map(|listed| listed.metadata.p2p_address.to_string());
        assert!(own.any(|address| address == config.consensus.listen));
    }
    for key in ["1.key", "2.key", "faucet.key"] {
        only_its_owner_reads(&dir.join("accounts").join(key));
    }
    assert_eq!(soma.fails(&line)["code"], "File");
}

#[test]
fn every_option_of_a_node_can_be_printed_and_a_wrong_one_is_told() {
    let soma = Soma::new();
    let text = soma.ok("start validator --print-config");
    let path = soma.dir().join("node.toml");
    std::fs::write(&path, &text).unwrap();
    soma_node::NodeConfig::from_file(&path).unwrap();
    let wrong = text.replace("persistent_peers =", "persistant_peers =");
    std::fs::write(&path, wrong).unwrap();
    let error = soma.fails(&format!("start validator --config {}", path.display()));
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("did you mean `consensus.persistent_peers`?"),
        "{message}"
    );
}
