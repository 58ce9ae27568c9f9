//! A network that the program runs itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::program::{Soma, masked};

const START: &str = "start localnet --small-model --fullnode-rpc-port 0 --faucet-port 0 --admin-port 0 --scorer-port 0 --blobs-port 0";

/// Ends the program as Ctrl-C does; its exit code.
pub(crate) fn interrupt(mut child: Child) -> Option<i32> {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    child.wait().unwrap().code()
}

pub(crate) fn start(soma: &Soma, line: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = soma
        .command(line)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

fn start_json(soma: &Soma, line: &str) -> (Child, Value) {
    let (child, mut out) = start(soma, &format!("{line} --json"));
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    (child, serde_json::from_str(&text).unwrap())
}

#[test]
fn a_localnet_is_usable_at_once_and_keeps_its_data() {
    let soma = Soma::new();
    let (child, first) = start_json(&soma, START);
    assert_eq!(first["is_new"], true);
    let sent = soma.json("send 1.5 --to localnet-2");
    assert_eq!(sent["status"], "success");
    // No second one takes it away while it runs.
    let refused = soma.fails(
        "start localnet --small-model --fullnode-rpc-port 0 --admin-port 0 --no-faucet --no-scorer \
         --no-blobs --force-regenesis",
    );
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("in use"), "{message}");
    assert_eq!(interrupt(child), Some(0));

    let (child, second) = start_json(&soma, START);
    assert_eq!(second["is_new"], false);
    assert_eq!(second["chain_id"], first["chain_id"]);
    let balance = soma.json("balance localnet-2");
    assert_eq!(balance["total_balance"], 300_001_500_000_000_u64);
    assert_eq!(interrupt(child), Some(0));

    // What the genesis fixed cannot be changed by an option.
    let changed = soma.fails(&format!("{START} --epoch-duration-ms 5000"));
    assert!(
        changed["message"]
            .as_str()
            .unwrap()
            .contains("--force-regenesis")
    );

    let line = format!("{START} --epoch-duration-ms 5000 --force-regenesis");
    let (child, third) = start_json(&soma, &line);
    assert_ne!(third["chain_id"], first["chain_id"]);
    // The keys of the network before are gone, and the active address moved on.
    assert_eq!(
        soma.json("wallet active")["address"],
        third["accounts"][0]["address"]
    );
    assert_eq!(soma.json("send 1 --to localnet-2")["status"], "success");
    assert_eq!(interrupt(child), Some(0));
}

#[test]
fn a_localnet_whose_blocks_are_lost_does_not_begin_again_in_silence() {
    let soma = Soma::new();
    let dir = soma.dir().join("net");
    let line = format!("{START} --data-dir {}", dir.display());
    let (child, _) = start_json(&soma, &line);
    for _ in 0..3 {
        soma.ok("send 1.5 --to localnet-2");
    }
    assert_eq!(interrupt(child), Some(0));
    std::fs::remove_dir_all(dir.join("chain")).unwrap();
    let refused = soma.fails(&format!("{line} --log-level error"));
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("its chain ends at 0"), "{message}");
}

#[test]
fn a_localnet_says_whose_accounts_it_replaces() {
    let soma = Soma::new();
    let (child, first) = start_json(&soma, START);
    assert_eq!(first["replaced_data_dir"], Value::Null);
    assert_eq!(interrupt(child), Some(0));
    let dir = soma.dir().join("other");
    let (child, second) = start_json(&soma, &format!("{START} --data-dir {}", dir.display()));
    assert_eq!(second["replaced_data_dir"], first["data_dir"]);
    assert_eq!(interrupt(child), Some(0));
    // They are back when it starts again; of one that is gone nothing is said.
    std::fs::remove_dir_all(dir).unwrap();
    let (child, third) = start_json(&soma, START);
    assert_eq!(third["replaced_data_dir"], Value::Null);
    assert_eq!(third["accounts"], first["accounts"]);
    assert_eq!(interrupt(child), Some(0));
}

#[test]
fn folders_and_files_that_are_no_localnets_are_left_alone() {
    let soma = Soma::new();
    let dir = soma.dir().join("foreign");
    std::fs::create_dir_all(dir.join("snapshots")).unwrap();
    std::fs::write(dir.join("keys.json"), "{\"mine\":1}").unwrap();
    let alone = "start localnet --small-model --fullnode-rpc-port 0 --no-faucet --admin-port 0 \
                 --no-scorer --no-blobs";
    let named = format!("{alone} --data-dir {}", dir.display());
    for line in [named.clone(), format!("{named} --force-regenesis")] {
        let refused = soma.fails(&line);
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains("no localnet wrote this"), "{message}");
    }
    assert!(dir.join("snapshots").exists());
    let kept = std::fs::read_to_string(dir.join("keys.json")).unwrap();
    assert_eq!(kept, "{\"mine\":1}");

    let file = soma.fails(&format!("{named}/keys.json"));
    assert_eq!(file["code"], "File");
    let absent = soma.fails(&format!("{alone} --network.config {}/x", dir.display()));
    assert_eq!(absent["code"], "File");
}

#[test]
fn a_localnet_says_where_it_is_and_what_to_try() {
    let soma = Soma::new();
    let (child, out) = start(
        &soma,
        &format!("{START} --data-dir {}/net", soma.dir().display()),
    );
    let mut lines = Vec::new();
    for line in out.lines() {
        let line = line.unwrap();
        let is_last = line.contains("Ctrl-C");
        lines.push(line);
        if is_last {
            break;
        }
    }
    let dir = soma.dir().display().to_string();
    let text = lines
        .iter()
        .map(|line| match line.split_once("http://127.0.0.1:") {
            Some((label, _)) => format!("{label}http://127.0.0.1:PORT"),
            None => line.clone(),
        })
        .collect::<Vec<_>>()
        .join("\n");
    // The program is called by its path where a shell would not find it.
    let text = text.replace(env!("CARGO_BIN_EXE_soma"), "soma");
    insta::assert_snapshot!(masked(&text, &[(&dir, "DIR")]), @"
    Localnet is ready: epoch 0, block HEIGHT, new
      RPC:     http://127.0.0.1:PORT
      Faucet:  http://127.0.0.1:PORT
      Scorer:  http://127.0.0.1:PORT
      Blobs:   http://127.0.0.1:PORT
      Admin:   http://127.0.0.1:PORT
      Models:  small
      Data:    DIR/net
      Account: localnet-1 [id 1] (300000 SOMA)
    Try in another terminal:
      soma status
      soma send 1.5 --to localnet-2
      soma objects list localnet-2
    Press Ctrl-C to stop.
    ");
    for command in [
        "status",
        "send 1.5 --to localnet-2",
        "objects list localnet-2",
    ] {
        soma.ok(command);
    }
    assert_eq!(interrupt(child), Some(0));
}

#[test]
fn a_port_in_use_is_said_so() {
    let soma = Soma::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let line = format!(
        "start localnet --fullnode-rpc-port {port} --no-faucet --admin-port 0 --scorer-port 0 --blobs-port 0 --log-level error"
    );
    let error = soma.fails(&line);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains(&port.to_string()),
        "{error}"
    );
}

#[test]
fn a_localnet_of_four_validators_runs_each_in_a_process() {
    let soma = Soma::new();
    let line = format!("{START} --validators 4 --no-scorer");
    let (child, net) = start_json(&soma, &line.replace(" --scorer-port 0", ""));
    let urls = net["validators"].as_array().unwrap();
    assert_eq!(urls.len(), 4);
    assert_eq!(soma.json("send 1.5 --to localnet-2")["status"], "success");
    for url in urls {
        let url = url.as_str().unwrap();
        soma.json(&format!("env new other-{} --rpc {url}", &url[17..]));
        let env = format!("--env other-{}", &url[17..]);
        let status = soma.json(&format!("status {env}"));
        assert_eq!(status["consensus"]["is_voting"], true, "{status}");
        assert_eq!(status["consensus"]["peers"], 3, "{status}");
        // The block may be on its way.
        while soma.json(&format!("balance localnet-2 {env}"))["total_balance"]
            != 300_001_500_000_000_u64
        {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
    assert_eq!(
        soma.json("validator list")["validators"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(interrupt(child), Some(0));

    // All of them go on from where they were.
    let (child, _) = start_json(&soma, &START.replace("--small-model ", ""));
    assert_eq!(soma.json("send 1.5 --to localnet-2")["status"], "success");
    assert_eq!(interrupt(child), Some(0));
}
