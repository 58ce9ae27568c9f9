//! `soma score`, `soma doctor`, `soma start scoring`.

use std::io::BufRead;
use std::path::PathBuf;

use serde_json::Value;
use soma_model::{Cpu, ModelConfig, weights};

use crate::localnet::Bench;
use crate::program::Soma;
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
    for line in [
        format!("score {good}"),
        format!("score {good} --weights {good} --dry-run"),
        format!("score {good} --weights {good} --device gpu"),
        format!("score {good} --weights {good} --model-size huge"),
    ] {
        assert_eq!(soma.run(&line).code, 2, "{line}");
    }
}

#[test]
fn a_submission_is_judged_before_money_moves() {
    let bench = Bench::new();
    let soma = &bench.soma;
    let file = weights_file(soma, "weights.safetensors", 7);
    let key = soma_crypto::sealed::fresh_key();
    let opened = std::fs::read(&file).unwrap();
    let (sealed, _) = soma_crypto::sealed::seal_bytes(&opened, &key).unwrap();
    let place = soma.dir().join("sealed");
    std::fs::write(&place, sealed).unwrap();
    let made = soma.json("model create");
    let model = made["model_id"].as_str().unwrap();
    let embedding = ["1"; 16].join(",");
    soma.ok(&format!(
        "model commit {model} --weights-file {0} --weights-url file://{0} --decryption-key {key} \
         --embedding {embedding}",
        place.display()
    ));
    bench.advance_epoch();
    soma.ok(&format!(
        "model reveal {model} --decryption-key {key} --embedding {embedding}"
    ));
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
    let id = targets["targets"][0]["id"].as_str().unwrap();
    bench.advance_epoch();
    let line = format!("score {data} --target {id} --dry-run --allow-private-addresses");
    let late = soma.json(&line);
    assert_eq!(late["files"][0]["dry_run"]["reasons"][0], "TargetExpired");
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
    let healthy = soma.json(&format!("doctor --scorer {url}"));
    assert_eq!(healthy["ok"], true, "{healthy}");
    assert_eq!(interrupt(child), Some(0));
    let ran = soma.run(&format!("doctor --scorer {url}"));
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("Fix scorer: start one"), "{}", ran.out);
    let odd = soma.run("start scoring --model-size huge");
    assert_eq!(odd.code, 1);
    assert!(odd.err.contains("huge"), "{}", odd.err);
}
