//! `soma submit`.

use std::io::BufRead;
use std::path::PathBuf;

use serde_json::Value;

use crate::journey::{EMBEDDING, World};
use crate::start::{interrupt, start};

/// A world with an active model, and some texts.
pub(crate) fn world() -> (World, PathBuf) {
    let world = World::new();
    let soma = &world.soma;
    let weights = soma.dir().join("weights.safetensors");
    let weights = weights.display();
    soma.ok(&format!("model init-weights {weights} --model-size small"));
    let publish = format!(
        "model publish --weights {weights} --embedding {EMBEDDING} --no-wait --sender alice"
    );
    let committed = soma.json(&publish);
    world.advance();
    let again = committed["reveal_command"].as_str().unwrap();
    let again = again.strip_prefix("soma ").unwrap();
    soma.ok(again);
    world.advance();
    let texts = soma.dir().join("texts");
    std::fs::create_dir(&texts).unwrap();
    for name in ["a", "b", "c", "d"] {
        let text = format!("the text {name} has words for a model to score");
        std::fs::write(texts.join(name), text).unwrap();
    }
    (world, texts)
}

fn events(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn data_is_tried_then_submitted_then_paid() {
    let (world, texts) = world();
    let soma = &world.soma;
    let source = format!("--source {} --sender bob", texts.display());
    let dry = soma.json(&format!("submit once {source} --dry-run"));
    let planned = dry["planned"].as_array().unwrap();
    assert!(!planned.is_empty());
    assert_eq!(dry["submitted"], serde_json::json!([]));
    let shown = soma.ok(&format!("submit once {source} --dry-run"));
    assert!(shown.starts_with("TARGET") && shown.contains("dry run"));
    assert_eq!(soma.json("balance bob")["nonce"], 0);

    // One target, then as many as the money may go into.
    let target = planned[0]["target_id"].as_str().unwrap();
    let one = soma.json(&format!("submit once {source} --target {target}"));
    assert_eq!(one["submitted"][0]["target_id"], target);
    assert_eq!(one["stats"]["filled"], 1);
    let run = soma.ok(&format!("submit run {source} --hits 3 --json"));
    let run = events(&run);
    let last = run.last().unwrap();
    assert_eq!(
        (&last["event"], &last["filled"]),
        (&"ended".into(), &3.into())
    );
    let filled = soma.json("target list --status filled");
    assert_eq!(filled["targets"].as_array().unwrap().len(), 4);

    world.advance();
    world.advance();
    let epoch = soma.json("status")["epoch"].as_u64().unwrap();
    let paid = soma.ok(&format!("submit run {source} --until-epoch {epoch}"));
    assert!(paid.contains("4 claimed"), "{paid}");
    // The chain takes data of earlier epochs no more.
    let used = one["submitted"][0]["path"].as_str().unwrap();
    let error = soma.fails(&format!("submit once --source {used} --sender bob"));
    assert_eq!(error["code"], "NothingToScore");
}

#[test]
fn a_run_ends_cleanly_when_it_is_interrupted() {
    let (world, texts) = world();
    let soma = &world.soma;
    let line = format!(
        "submit run --source {} --sender bob --json",
        texts.display()
    );
    let (child, out) = start(soma, &line);
    let mut lines = out.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"opened\"")));
    let rest = std::thread::spawn(move || lines.collect::<Vec<_>>());
    assert_eq!(interrupt(child), Some(0));
    let last = rest.join().unwrap().pop().unwrap();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(last["event"], "ended");
    // All that was sealed is opened: two transactions for each filled target.
    let filled = soma.json("target list --status filled --limit 1000");
    let filled = filled["targets"].as_array().unwrap().len();
    assert_eq!(last["filled"], filled);
    assert_eq!(soma.json("balance bob")["nonce"], 2 * filled);
}

#[test]
fn what_makes_no_sense_is_said_before_anything_is_sent() {
    let (world, texts) = world();
    let soma = &world.soma;
    let source = format!("--source {} --sender bob", texts.display());
    for line in [
        "submit once --sender bob".to_owned(),
        format!("submit run {source} --url-prefix https://a --max-bytes 5"),
        format!("submit run {source} --url-prefix https://a --storage /tmp"),
        format!("submit run {source} --dry-run"),
        format!("submit once {source} --storage ftp://a"),
        // Validators elsewhere open neither this environment's blob server nor files.
        format!("submit once {source} --rpc-url https://node.example"),
        format!("submit once {source} --storage /tmp --rpc-url https://node.example"),
    ] {
        assert_eq!(soma.run(&line).code, 2, "{line}");
    }
    // Nor loopback addresses, for all that is known of this network.
    let rpc = soma.json("status")["rpc_url"].as_str().unwrap().to_owned();
    soma.ok(&format!(
        "env new bare --rpc {rpc} --scorer {rpc} --offline"
    ));
    let asked = soma.run(&format!(
        "submit once {source} --env bare --url-prefix http://127.0.0.1:1/texts"
    ));
    assert_eq!(asked.code, 2, "{}", asked.err);
    assert!(asked.err.contains("--yes"), "{}", asked.err);
    let empty = soma.dir().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let unknown = format!("0x{}", "11".repeat(32));
    for (line, code) in [
        (
            format!("submit once {source} --max-bytes 0"),
            "InvalidSettings",
        ),
        (
            "submit once --source /no/such --sender bob".to_owned(),
            "SourceUnreadable",
        ),
        (
            format!("submit once --source {} --sender bob", empty.display()),
            "NoCandidates",
        ),
        (
            format!("submit once {source} --target {unknown}"),
            "NotFound",
        ),
        (
            format!("submit once {source} --max-bonds 0.000000001"),
            "MaxBondsReached",
        ),
        (
            format!("submit once {source} --url-prefix nowhere"),
            "InvalidSettings",
        ),
        (
            format!("submit once {source} --url-prefix file:///tmp --rpc-url https://node.example"),
            "InvalidArgument",
        ),
    ] {
        assert_eq!(soma.fails(&line)["code"], code, "{line}");
    }
    assert_eq!(soma.json("balance bob")["nonce"], 0);
}
