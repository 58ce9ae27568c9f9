//! Exit codes and errors without a node.

use serde_json::Value;
use soma_ceremony::ValidatorInfo;
use soma_crypto::SecretKey;
use soma_sdk::types::{Bps, ChainId, PublicKey, ValidatorMetadata};

use crate::program::{Soma, masked};

const ID: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

#[test]
fn arguments_that_make_no_sense_give_code_2() {
    let soma = Soma::new();
    for line in [
        "",
        "nonsense",
        "send 1",
        "send -1 --to bob",
        "send 1.0000000001 --to bob",
        "send 0 --to 0x0101010101010101010101010101010101010101010101010101010101010101",
        "balance 0x12",
        "pay --recipients localnet-1 --amounts 1 2",
        "stake 1",
        "send 1 --to 0x0101010101010101010101010101010101010101010101010101010101010101 --sender 0x0101010101010101010101010101010101010101010101010101010101010101 --coin 0x0202020202020202020202020202020202020202020202020202020202020202",
        "tx",
        "target list --status nonsense",
        "model create --commission-rate 20000",
        "wallet new --key-scheme ed25519",
        "wallet new --word-length 13",
        "start localnet --epoch-duration-ms 0",
        "start localnet --network.config a --force-regenesis",
        "validator make-info 127.0.0.1 --genesis testnet --p2p-port 0",
        "validator update-metadata p2p-address /ip4/1.2.3.4/tcp/0",
        "completions nonsense",
    ] {
        let ran = soma.run(line);
        assert_eq!(ran.code, 2, "`soma {line}`: {}{}", ran.out, ran.err);
        assert!(ran.out.is_empty(), "`soma {line}`: {}", ran.out);
        assert!(!ran.err.is_empty(), "`soma {line}`");
    }
}

#[test]
fn a_key_file_that_is_named_by_mistake_is_not_shown() {
    let soma = Soma::new();
    let file = soma.dir().join("account.key").display().to_string();
    soma.ok(&format!("validator make-key {file}"));
    let secret = std::fs::read_to_string(&file).unwrap();
    let path = soma.dir().join("ceremony").display().to_string();
    soma.ok(&format!("genesis init testnet --path {path}"));
    for line in [
        format!("start validator --config {file}"),
        format!("validator join {file}"),
        format!("genesis add-validator {file} --path {path}"),
    ] {
        let ran = soma.run(&line);
        assert_eq!(ran.code, 1, "`soma {line}`: {}", ran.err);
        assert!(ran.err.contains("account.key: line 1: "), "{}", ran.err);
        assert!(!ran.err.contains(&secret[2..10]), "`soma {line}`");
    }
}

#[test]
fn nobody_is_listed_or_joins_at_an_address_that_is_none() {
    let soma = Soma::new();
    let path = soma.dir().join("ceremony").display().to_string();
    soma.ok(&format!("genesis init testnet --path {path}"));
    let text = |text: &str| text.parse().unwrap();
    let metadata = ValidatorMetadata {
        name: text("one"),
        consensus_key: PublicKey([2; 33]),
        p2p_address: text("/ip4/1.2.3.4/tcp/0"),
        rpc_address: text(""),
        proxy_address: text(""),
    };
    let key = SecretKey::generate();
    let file = soma.dir().join("validator.info");
    let refused = |info: ValidatorInfo, line: &str, told: &str| {
        info.write(&file).unwrap();
        let ran = soma.run(&format!("{line} {}", file.display()));
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(told), "{}", ran.err);
    };
    let chain = "testnet".parse().unwrap();
    let info = ValidatorInfo::for_genesis(chain, &key, metadata.clone(), Bps::ZERO, &key);
    let add = format!("genesis --path {path} add-validator");
    refused(info, &add, "/ip4/1.2.3.4/tcp/0");
    // No node is asked.
    let join = |metadata: ValidatorMetadata, told: &str| {
        let chain = ChainId([7; 32]);
        let info = ValidatorInfo::for_chain(chain, key.address(), metadata, Bps::ZERO, &key);
        refused(info, "validator join", told);
    };
    join(metadata.clone(), "/ip4/1.2.3.4/tcp/0");
    for (p2p_address, rpc_address, told) in [
        (
            "10.0.0.2:8084",
            "",
            "`10.0.0.2:8084` is no address for peers",
        ),
        ("", "node.example:9000", "`node.example:9000` is no URL"),
    ] {
        let metadata = ValidatorMetadata {
            p2p_address: text(p2p_address),
            rpc_address: text(rpc_address),
            ..metadata.clone()
        };
        join(metadata, told);
    }
}

#[test]
fn errors_are_json_on_request() {
    let soma = Soma::new();
    for (line, code, name) in [
        ("balance", 1, "NoActiveAddress"),
        ("wallet switch bob", 1, "KeyNotFound"),
        ("env switch nowhere", 1, "UnknownEnv"),
        ("network --env nowhere", 1, "UnknownEnv"),
        ("wallet new", 1, "Password"),
        ("wallet import 0x12 --unencrypted", 1, "InvalidSecretKey"),
        ("tx execute-combined-signed AAAA", 1, "Invalid"),
        ("send 1", 2, "Usage"),
    ] {
        let ran = soma.run(&format!("--json {line}"));
        assert_eq!(ran.code, code, "`soma {line}`: {}", ran.err);
        let error: Value = serde_json::from_str(&ran.err).unwrap_or_else(|_| panic!("{}", ran.err));
        assert_eq!(error["code"], name, "`soma {line}`: {error}");
        assert!(error["message"].is_string());
        assert!(ran.out.is_empty());
    }
}

#[test]
fn errors_for_people_have_a_hint() {
    let soma = Soma::new();
    soma.ok("env list");
    let ran = soma.run("balance");
    insta::assert_snapshot!(ran.err, @"
    Error: no active address
    Hint: make a key with `soma wallet new`, or choose one with `soma wallet switch`
    ");
    let ran = soma.run(&format!("balance {ID} --rpc-url http://127.0.0.1:1"));
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"
    Error: cannot reach the node at http://127.0.0.1:1: Connection refused (os error 111)
    Hint: start a local network with `soma start localnet`, or choose another with `soma env switch`
    ");
}

#[test]
fn a_value_of_a_wrong_length_is_told_the_form_that_it_has() {
    let soma = Soma::new();
    for (line, form) in [
        ("target info 0x12".to_owned(), "0x and 64 hex digits"),
        (
            format!("model reveal {ID} --decryption-key abc --embedding 1"),
            "Base58",
        ),
    ] {
        let ran = soma.run(&format!("{line} --json"));
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains(form), "`soma {line}`: {hint}");
        assert!(soma.run(&line).err.contains(form), "`soma {line}`");
    }
}

#[test]
fn the_first_use_says_what_it_made() {
    let soma = Soma::new();
    let dir = soma.dir().display().to_string();
    let ran = soma.run("env active");
    assert_eq!((ran.code, ran.out.as_str()), (0, "localnet\n"));
    insta::assert_snapshot!(masked(&ran.err, &[(&dir, "DIR")]), @"
    Created DIR/client.toml with the environment `localnet` (http://127.0.0.1:9000).
    ");
    assert!(soma.run("env active").err.is_empty());
}

#[test]
fn environments_are_added_chosen_and_removed() {
    let soma = Soma::new();
    soma.ok("env new far --rpc https://node.example --offline");
    soma.ok("env switch far");
    insta::assert_snapshot!(soma.ok("env list"), @"
       NAME      RPC                    FAUCET                 SCORER                 BLOBS                  ADMIN
       localnet  http://127.0.0.1:9000  http://127.0.0.1:9123  http://127.0.0.1:9124  http://127.0.0.1:9126  http://127.0.0.1:9125
    *  far       https://node.example   -                      -                      -                      -
    ");
    assert_eq!(soma.json("env list")["active_env"], "far");
    soma.ok("env remove far");
    assert_eq!(soma.json("env active")["active_env"], Value::Null);
    assert_eq!(soma.fails("network")["code"], "NoActiveEnv");
    assert!(soma.ok("env list").contains("localnet"));
    assert_eq!(soma.fails("env new x --rpc nonsense")["code"], "InvalidUrl");
    let closed = soma.fails("env new x --rpc http://127.0.0.1:1");
    assert_eq!(closed["code"], "Transport");
}

#[test]
fn status_answers_when_the_node_does_not() {
    let mut soma = Soma::new();
    soma.use_rpc("http://127.0.0.1:1".to_owned());
    assert_eq!(soma.json("status")["server_reachable"], false);
    assert!(soma.ok("status").contains("Reachable: no: cannot reach"));
}
