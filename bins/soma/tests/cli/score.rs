//! `soma score`, `soma doctor`, `soma start scoring`.

use std::io::BufRead;
use std::path::PathBuf;

use serde_json::Value;
use soma_model::{Cpu, ModelConfig, weights};
use soma_sdk::types::Checksum;
use soma_sdk::{Client, CommitModel};

use crate::localnet::{Bench, direction_of};
use crate::program::{Ran, Soma};
use crate::start::{interrupt, start};

/// Weights of the small model in a file.
fn weights_file(soma: &Soma, name: &str, seed: u64) -> PathBuf {
    let model = weights::random::<Cpu>(&ModelConfig::SMALL, seed, &Default::default());
    let path = soma.dir().join(name);
    weights::write(&model, &path).unwrap();
    path
}

fn loss(score: &Value) -> f64 {
    score["loss"].as_f64().unwrap()
}

#[test]
fn files_are_scored_with_weights_files() {
    let soma = Soma::new();
    let one = weights_file(&soma, "one.safetensors", 1);
    let two = weights_file(&soma, "two.safetensors", 2);
    let data = soma.dir().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("a"), b"some text").unwrap();
    std::fs::write(data.join("b"), b"").unwrap();
    let line = format!(
        "score {} --weights {} {}",
        data.display(),
        one.display(),
        two.display()
    );
    let scored = soma.json(&line);
    let files = scored["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    let scores = files[0]["scores"].as_array().unwrap();
    let best = if loss(&scores[0]) < loss(&scores[1]) {
        &one
    } else {
        &two
    };
    assert_eq!(files[0]["winner"], best.display().to_string());
    assert_eq!(files[0]["size"], 9);
    assert!(scores[0]["bits_per_byte"].as_f64().unwrap() > 0.0);
    assert_eq!(files[1]["error"]["code"], "EmptyData");
    let text = soma.ok(&line);
    assert!(
        text.starts_with("FILE") && text.contains("BITS/BYTE"),
        "{text}"
    );
    assert_eq!(text.matches("best").count(), 1);
}

#[test]
fn a_run_that_scores_nothing_fails_and_says_why() {
    let soma = Soma::new();
    let weights = weights_file(&soma, "weights.safetensors", 1);
    let empty = soma.dir().join("empty");
    std::fs::write(&empty, b"").unwrap();
    let line = format!("score {} --weights {}", empty.display(), weights.display());
    let ran = soma.run(&line);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("the data is empty"), "{}", ran.out);
    assert!(ran.err.contains("nothing was scored"), "{}", ran.err);
    let ran = soma.run(&format!("{line} --json"));
    assert_eq!(ran.code, 1);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["files"][0]["error"]["code"], "EmptyData");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["code"], "NothingScored");

    let asked = soma.run(&format!("score {}", empty.display()));
    for option in ["--weights", "--model", "--target"] {
        assert!(asked.err.contains(option), "{}", asked.err);
    }
}

#[test]
fn what_cannot_be_scored_is_named() {
    let soma = Soma::new();
    let good = weights_file(&soma, "good.safetensors", 1);
    let bad = soma.dir().join("bad.safetensors");
    let mut bytes = std::fs::read(&good).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    std::fs::write(&bad, bytes).unwrap();
    let (good, bad) = (good.display(), bad.display());
    for (line, code) in [
        (format!("score {good} --weights {bad}"), "InvalidWeights"),
        (format!("score {good} --weights /no/such"), "Io"),
        (format!("score /no/such --weights {good}"), "File"),
        (
            format!("score {good} --weights {good} --device cuda:9"),
            "DeviceFailed",
        ),
        (
            format!("score {good} --weights {good} --model-size mini"),
            "InvalidWeights",
        ),
    ] {
        assert_eq!(soma.fails(&line)["code"], code, "{line}");
    }
    let refused = soma.fails(&format!("score {good} --weights {good} {bad}"));
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains(&bad.to_string()), "{refused}");
    for line in [
        format!("score {good}"),
        format!("score {good} --weights {good} --dry-run"),
        format!("score {good} --weights {good} --device gpu"),
        format!("score {good} --weights {good} --model-size huge"),
    ] {
        assert_eq!(soma.run(&line).code, 2, "{line}");
    }
    let target = format!("0x{}", "66".repeat(32));
    let foreign = soma.run(&format!(
        "score {good} --target {target} --dry-run --seed 7"
    ));
    assert_eq!(foreign.code, 2, "{}", foreign.err);
    for part in ["--dry-run", "--seed 7"] {
        assert!(foreign.err.contains(part), "{}", foreign.err);
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_is_too_large_is_not_read() {
    let soma = Soma::new();
    let weights = weights_file(&soma, "weights.safetensors", 1);
    let folder = soma.dir().join("data");
    std::fs::create_dir(&folder).unwrap();
    for name in ["a", "c"] {
        std::fs::write(folder.join(name), name).unwrap();
    }
    // More than any memory; it takes no room on the disk.
    let huge = std::fs::File::create(folder.join("b")).unwrap();
    huge.set_len(1 << 43).unwrap();
    // Links to folders are not followed, or this would have no end.
    std::os::unix::fs::symlink(&folder, folder.join("d")).unwrap();
    let line = format!("score {} --weights {}", folder.display(), weights.display());
    let scored = soma.json(&line);
    let files = scored["files"].as_array().unwrap();
    assert_eq!(files.len(), 3, "{scored}");
    assert_eq!(files[1]["error"]["code"], "DataTooLarge", "{scored}");
    assert_eq!(files[1]["size"], 1_u64 << 43);
    assert!(files[1]["checksum"].is_null());
    for (at, name) in [(0, "a"), (2, "c")] {
        let alone = format!(
            "score {} --weights {}",
            folder.join(name).display(),
            weights.display()
        );
        let alone = soma.json(&alone);
        assert_eq!(files[at]["checksum"], alone["files"][0]["checksum"]);
        let difference = loss(&files[at]["scores"][0]) - loss(&alone["files"][0]["scores"][0]);
        assert!(difference.abs() < 1e-6);
    }
}

#[test]
fn a_submission_is_judged_before_money_moves() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let file = weights_file(soma, "weights.safetensors", 7);
    let (model, reveal) = committed(soma, 7);
    bench.advance_epoch();
    soma.ok(&reveal);
    bench.advance_epoch();

    // The model of the network scores as its file does.
    let data = soma.dir().join("data");
    std::fs::write(&data, b"what a target may want").unwrap();
    let data = data.display();
    let here = soma.json(&format!("score {data} --weights {}", file.display()));
    let line = format!("score {data} --model {model} --allow-private-addresses");
    let there = soma.json(&line);
    let score = |scored: &Value| loss(&scored["files"][0]["scores"][0]);
    assert!((score(&here) - score(&there)).abs() < 1e-6);
    // Another command may use the kept downloads at the same time.
    let lock = std::fs::File::create(soma.dir().join("blobs").join("lock")).unwrap();
    lock.lock().unwrap();
    assert!((score(&soma.json(&line)) - score(&there)).abs() < 1e-6);
    drop(lock);
    // A kept download that was damaged on the disk is replaced.
    for folder in ["blobs", "blobs-2"] {
        for file in std::fs::read_dir(soma.dir().join(folder).join("blobs")).unwrap() {
            let file = file.unwrap().path();
            let mut bytes = std::fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&file, bytes).unwrap();
        }
    }
    let ran = soma.run(&line);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("was damaged"), "{}", ran.err);

    let targets = soma.json("target list --limit 50");
    let mut hits = 0;
    for target in targets["targets"].as_array().unwrap() {
        let id = target["id"].as_str().unwrap();
        let line = format!("score {data} --target {id} --dry-run --allow-private-addresses");
        let scored = soma.json(&line);
        let verdict = &scored["files"][0]["dry_run"];
        assert_eq!(verdict["bond"], 22 * 65);
        let is_near = verdict["distance"].as_f64() <= verdict["threshold"].as_f64();
        assert_eq!(verdict["would_hit"], is_near, "{verdict}");
        if is_near {
            hits += 1;
            assert!(verdict["expected_reward"].as_u64().unwrap() > 0);
            assert!(soma.ok(&line).contains("would hit"));
        } else {
            assert_eq!(verdict["reasons"][0], "DistanceExceedsThreshold");
        }
        if hits == 1 {
            break;
        }
    }
    // Data that was submitted before is refused, and so is a model that is no longer active.
    let id = targets["targets"][0]["id"].as_str().unwrap();
    let line = format!("score {data} --target {id} --dry-run --allow-private-addresses");
    let reasons = |scored: &Value| scored["files"][0]["dry_run"]["reasons"].to_string();
    assert!(!reasons(&soma.json(&line)).contains("DuplicateData"));
    let other = targets["targets"][1]["id"].as_str().unwrap();
    let direction = direction_of(&bench, other);
    soma.ok(&format!(
        "target submit --target-id {other} --data-file {data} --data-url file://{data} \
         --model-id {model} --embedding {direction} --loss-score 1"
    ));
    assert!(
        !reasons(&soma.json(&line)).contains("DuplicateData"),
        "one's own, in this epoch"
    );
    soma.ok(&format!("model deactivate {model} --yes"));
    bench.advance_epoch();
    let late = reasons(&soma.json(&line));
    for reason in ["TargetExpired", "ModelNotActive", "DuplicateData"] {
        assert!(late.contains(reason), "{late}");
    }
}

/// Commits weights of this seed as a new model of alice, and gives what reveals them.
fn committed(soma: &Soma, seed: u64) -> (String, String) {
    let file = weights_file(soma, &format!("weights-{seed}"), seed);
    let key = soma_crypto::sealed::fresh_key();
    let opened = std::fs::read(&file).unwrap();
    let (sealed, _) = soma_crypto::sealed::seal_bytes(&opened, &key).unwrap();
    let place = soma.dir().join(format!("sealed-{seed}"));
    std::fs::write(&place, sealed).unwrap();
    let model = soma.json("model create")["model_id"].clone();
    let model = model.as_str().unwrap().to_owned();
    let embedding = ["1"; 16].join(",");
    soma.ok(&format!(
        "model commit {model} --weights-file {0} --weights-url file://{0} --decryption-key {key} \
         --embedding {embedding}",
        place.display()
    ));
    let reveal = format!("model reveal {model} --decryption-key {key} --embedding {embedding}");
    (model, reveal)
}

#[test]
fn a_model_that_ended_decides_over_nothing() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let models = [5, 6].map(|seed| committed(soma, seed));
    bench.advance_epoch();
    models.iter().for_each(|(_, reveal)| {
        soma.ok(reveal);
    });
    bench.advance_epoch();
    let data = soma.dir().join("data");
    std::fs::write(&data, b"what two models may want").unwrap();
    let data = data.display();
    let targets = soma.json("target list --limit 50");
    let targets = targets["targets"].as_array().unwrap();
    let has_both = |target: &&Value| target["models"].as_array().unwrap().len() == 2;
    let target = targets.iter().find(has_both).unwrap()["id"].as_str();
    let line = format!(
        "score {data} --target {} --allow-private-addresses",
        target.unwrap()
    );
    let dry = format!("{line} --dry-run");
    let before = soma.json(&dry)["files"][0].clone();
    assert_eq!(before["scores"].as_array().unwrap().len(), 2);
    let winner = before["winner"].as_str().unwrap();
    let other = models.iter().find(|(model, _)| model != winner).unwrap();

    // Who predicts the data best has ended: the other one wins.
    soma.ok(&format!("model deactivate {winner} --yes"));
    bench.advance_epoch();
    let after = soma.json(&dry)["files"][0].clone();
    assert_eq!(after["winner"], *other.0);
    assert_eq!(after["scores"].as_array().unwrap().len(), 1);
    let scores = before["scores"].as_array().unwrap();
    let score = scores.iter().find(|score| score["model"] == *other.0);
    let measured = |value: &Value| value["distance"].as_f64().unwrap();
    let difference = measured(&after["dry_run"]) - measured(score.unwrap());
    assert!(difference.abs() < 1e-6, "{after}");
    let reasons = after["dry_run"]["reasons"].to_string();
    assert!(reasons.contains("TargetExpired"), "{reasons}");
    assert!(!reasons.contains("ModelNotActive"), "{reasons}");

    // With none left nobody can win.
    soma.ok(&format!("model deactivate {} --yes", other.0));
    bench.advance_epoch();
    let none = soma.json(&dry)["files"][0].clone();
    assert_eq!(none["scores"], serde_json::json!([]));
    assert_eq!(
        none["dry_run"]["reasons"],
        serde_json::json!(["TargetExpired", "ModelNotActive"])
    );
    assert!(
        soma.ok(&dry)
            .contains("would not hit: TargetExpired, ModelNotActive")
    );
    let refused = soma.fails(&line)["message"].to_string();
    assert!(refused.contains("--model"), "{refused}");
}

#[test]
fn weights_that_are_too_large_for_a_model_are_not_downloaded() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let made = soma.json("model create --sender alice");
    let model = made["model_id"].as_str().unwrap();
    let key = soma_crypto::sealed::fresh_key();
    let commit = CommitModel {
        model: model.parse().unwrap(),
        url: "http://127.0.0.1:1/weights",
        checksum: Checksum([1; 32]),
        size: 10 << 30,
        plaintext_checksum: Checksum([2; 32]),
        key,
        embedding: &[1.0; 16],
    };
    let client = Client::builder().rpc_url(bench.net().rpc_url());
    let owner = bench.net().keys().accounts[0].secret_key.clone();
    let owner = client.build().unwrap().account(owner);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(owner.commit_model(&commit)).unwrap();
    bench.advance_epoch();
    let embedding = ["1"; 16].join(",");
    soma.ok(&format!(
        "model reveal {model} --decryption-key {key} --embedding {embedding} --sender alice"
    ));
    let data = soma.dir().join("data");
    std::fs::write(&data, b"some text").unwrap();
    let line = format!("score {} --model {model}", data.display());
    let refused = soma.fails(&line)["message"].to_string();
    let size = (10_u64 << 30).to_string();
    assert!(
        refused.contains(model) && refused.contains(&size),
        "{refused}"
    );
}

/// The state and the fix of a check of the doctor.
fn check(ran: &Ran, name: &str) -> (String, String) {
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {report}"));
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (text("state"), text("fix"))
}

#[test]
fn the_doctor_names_what_fails_with_its_fix() {
    let soma = Soma::new();
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    soma.ok(&format!(
        "env new nowhere --offline --rpc {dead} --faucet {dead} --scorer {dead} --blobs {dead} \
         --admin {dead}"
    ));
    soma.ok("env switch nowhere");
    let line = format!("doctor --device cuda:9 --model-size v1 --storage {dead} --json");
    let ran = soma.run(&line);
    assert_eq!(ran.code, 1);
    for (name, fix) in [
        ("device", "cuda"),
        ("node", "soma start localnet"),
        ("faucet", "soma env new"),
        ("scorer", "soma start scoring"),
        ("blobs", "soma start blobs"),
        ("admin", "--admin"),
        ("storage", "--storage"),
    ] {
        let (state, said) = check(&ran, name);
        assert_eq!(state, "failed", "{name}: {}", ran.out);
        assert!(said.contains(fix), "{name}: {said}");
    }
    assert_eq!(check(&ran, "clock").0, "skipped");
    let text = soma.run("doctor --device cuda:9 --model-size v1").out;
    assert!(
        text.contains("Fix device: ") && text.contains("Fix node: "),
        "{text}"
    );
}

#[test]
fn the_doctor_says_which_other_service_answers_at_a_url() {
    let bench = Bench::new();
    let (soma, net) = (&bench.soma, bench.net());
    let (child, mut out) = start(soma, "start blobs --port 0 --json --log-level warn");
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    let ready: Value = serde_json::from_str(&text).unwrap();
    let blobs = ready["url"].as_str().unwrap();
    let node = net.rpc_url();
    let faucet = net.faucet_url().unwrap();
    let admin = net.admin_url().unwrap();
    soma.ok(&format!(
        "env new right --rpc {node} --faucet {faucet} --blobs {blobs} --admin {admin}"
    ));
    let ran = soma.run("doctor --env right --json");
    for name in ["node", "faucet", "blobs", "admin"] {
        assert_eq!(check(&ran, name).0, "ok", "{name}: {}", ran.out);
    }
    soma.ok(&format!(
        "env new mixed --offline --rpc {faucet} --faucet {blobs} --scorer {node} --blobs {admin} \
         --admin {blobs}"
    ));
    let ran = soma.run("doctor --env mixed --json");
    assert_eq!(ran.code, 1);
    for (name, found, fix) in [
        (
            "node",
            format!("{faucet} is not a node: a faucet answers"),
            "soma env switch",
        ),
        (
            "faucet",
            format!("{blobs} is not a faucet: a blob server answers"),
            "--faucet",
        ),
        (
            "scorer",
            format!("{node} is not a scorer: a node answers"),
            "--scorer",
        ),
        (
            "blobs",
            format!("{admin} is not a blob server: the admin service"),
            "--blobs",
        ),
        (
            "admin",
            format!("{blobs} is not the admin service"),
            "--admin",
        ),
    ] {
        let (state, said) = check(&ran, name);
        assert_eq!(state, "failed", "{name}: {}", ran.out);
        assert!(ran.out.contains(&found), "{found}: {}", ran.out);
        assert!(said.contains(fix), "{name}: {said}");
    }
    assert_eq!(interrupt(child), Some(0));
}

#[test]
fn a_scoring_service_runs_until_it_is_stopped_and_the_doctor_sees_it() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let line = "start scoring --small-model --port 0 --json --log-level warn";
    let (child, mut out) = start(soma, line);
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    let ready: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(ready["info"]["model_size"], "small");
    let url = ready["url"].as_str().unwrap();
    let store = soma.dir().join("store");
    let line = format!("doctor --scorer {url} --storage {}", store.display());
    let healthy = soma.json(&line);
    assert_eq!(healthy["ok"], true, "{healthy}");
    assert!(!store.exists(), "the doctor leaves nothing behind");
    assert_eq!(interrupt(child), Some(0));
    let ran = soma.run(&format!("doctor --scorer {url}"));
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("Fix scorer: start one"), "{}", ran.out);
    let odd = soma.run("start scoring --model-size huge");
    assert_eq!(odd.code, 1);
    assert!(odd.err.contains("huge"), "{}", odd.err);
    for option in [
        "--memory 1MiB",
        "--request-memory 100TiB",
        "--precision bf16",
        "--queue 0",
        "--request-timeout 0",
        "--max-data 0",
        "--cache 0",
        "--s3-endpoint notaurl",
        "--s3-bucket box",
        "--cors-origin nowhere",
    ] {
        let refused = soma.run(&format!("start scoring --small-model --port 0 {option}"));
        assert_eq!(refused.code, 1, "{option}");
        let name = option.split(' ').next().unwrap();
        assert!(refused.err.contains(name), "{option}: {}", refused.err);
    }
    for option in ["--s3-region eu", "--s3-virtual-host-style"] {
        let refused = soma.run(&format!("start scoring --small-model --port 0 {option}"));
        assert_eq!(refused.code, 2, "{option}");
        assert!(refused.err.contains("--s3-endpoint"), "{}", refused.err);
    }
    let line =
        "start scoring --small-model --port 0 --s3-endpoint http://127.0.0.1:9 --s3-bucket box";
    let mut command = soma.command(line);
    command.env_remove("AWS_ACCESS_KEY_ID");
    command.env("AWS_SECRET_ACCESS_KEY", "");
    let refused = Ran::of(&command.output().unwrap());
    assert_eq!(refused.code, 1);
    for name in [
        "--s3-bucket box",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ] {
        assert!(refused.err.contains(name), "{name}: {}", refused.err);
    }
    let ran = soma.run("doctor --scorer foo");
    assert!(ran.out.contains("`foo` is no URL"), "{}", ran.out);
}
