//! Publishing when something is wrong: with the weights, the reveal, or the model.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use soma_crypto::sealed::{fresh_key, seal_bytes};

use crate::journey::{EMBEDDING, World};
use crate::program::Soma;
use crate::start::{interrupt, start};

/// What waits so long never comes.
const PATIENCE: Duration = Duration::from_secs(120);

fn weights(soma: &Soma, size: &str) -> PathBuf {
    let path = soma.dir().join(format!("{size}.safetensors"));
    soma.ok(&format!(
        "model init-weights {} --model-size {size}",
        path.display()
    ));
    path
}

fn file(soma: &Soma, name: &str, bytes: &[u8]) -> PathBuf {
    let path = soma.dir().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn publish(weights: &std::path::Path) -> String {
    format!(
        "model publish --weights {} --embedding {EMBEDDING} --no-wait --sender alice",
        weights.display()
    )
}

fn word(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A command as it was printed, without the program.
fn printed(command: &str) -> &str {
    command.strip_prefix("soma ").unwrap()
}

#[test]
fn weights_that_no_validator_could_load_are_not_committed() {
    let world = World::new();
    let soma = &world.soma;
    let good = std::fs::read(weights(soma, "small")).unwrap();
    let mut not_finite = good.clone();
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let model = word(&soma.json("model create --sender alice")["model_id"]);
    for (name, bytes, text) in [
        ("garbage", &b"no weights at all"[..], "claims a header"),
        ("cut", &good[..end - 1], "cut off"),
        ("nan", &not_finite, "NaN"),
        (
            "mini",
            &std::fs::read(weights(soma, "mini")).unwrap(),
            "shape",
        ),
    ] {
        let plain = file(soma, name, bytes);
        let key = fresh_key();
        let sealed = file(soma, "sealed", &seal_bytes(bytes, &key).unwrap().0);
        for line in [
            publish(&plain),
            format!(
                "model seal --weights {} --output {}.sealed",
                plain.display(),
                plain.display()
            ),
            format!(
                "model commit {model} --weights-file {} --weights-url http://a/w --decryption-key \
                 {key} --embedding {EMBEDDING} --sender alice",
                sealed.display()
            ),
        ] {
            let refused = soma.fails(&line);
            assert_eq!(refused["code"], "Weights", "{line}: {refused}");
            let message = word(&refused["message"]);
            assert!(message.contains(text), "{line}: {message}");
        }
    }
    let key = fresh_key();
    let sealed = file(soma, "sealed", &seal_bytes(&good, &key).unwrap().0);
    for (key, embedding, text) in [
        (key, "1,2,3", "3 numbers, this network's have 16"),
        (fresh_key(), EMBEDDING, "do not open with this key"),
    ] {
        let refused = soma.fails(&format!(
            "model commit {model} --weights-file {} --weights-url http://a/w --decryption-key \
             {key} --embedding {embedding} --sender alice",
            sealed.display()
        ));
        let message = word(&refused["message"]);
        assert!(message.contains(text), "{message}");
    }
    // Nothing but the creation was sent.
    assert_eq!(soma.json("balance alice")["nonce"], 1);
}

#[test]
fn weights_are_not_written_over_unasked() {
    let soma = Soma::new();
    let path = weights(&soma, "small");
    let before = std::fs::read(&path).unwrap();
    let file = path.display();
    for line in [
        format!("model init-weights {file} --model-size small --seed 2"),
        format!("model average {file} {file} --out {file}"),
    ] {
        let refused = soma.run(&line);
        assert_eq!(refused.code, 2, "{line}");
        assert!(refused.err.contains("--yes"), "{}", refused.err);
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    soma.ok(&format!(
        "model init-weights {file} --model-size small --seed 2 --yes"
    ));
    assert_ne!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn what_the_chain_would_refuse_is_refused_before_any_work() {
    let world = World::new();
    let soma = &world.soma;
    let data = corpus(soma);
    let out = soma.dir().join("run");
    let model = word(&soma.json("model create --sender alice")["model_id"]);
    for (more, code) in [
        (
            "--sender alice --stake-amount 0.5".to_owned(),
            "ModelMinStakeNotMet",
        ),
        (format!("--sender bob --model {model}"), "NotModelOwner"),
    ] {
        let refused = soma.fails(&format!(
            "train {} --out {} --model-size small --steps 1 --publish {more}",
            data.display(),
            out.display()
        ));
        assert_eq!(refused["code"], code, "{refused}");
    }
    assert!(!out.join("checkpoints").exists());
    let weights = weights(soma, "small");
    let options = format!("--weights {} --embedding {EMBEDDING}", weights.display());
    for (line, code) in [
        (
            "publish --sender alice --stake-amount 0.5".to_owned(),
            "ModelMinStakeNotMet",
        ),
        (format!("update {model} --sender bob"), "NotModelOwner"),
    ] {
        let refused = soma.fails(&format!("model {line} {options}"));
        assert_eq!(refused["code"], code, "{refused}");
        // Nothing is under way.
        assert_eq!(soma.run(&format!("model {line} --abandon")).code, 2);
    }
    // A run that is not there is not made, either.
    let nowhere = soma.dir().join("nowhere");
    let line = format!("train {} --resume -o {}", data.display(), nowhere.display());
    for line in [line.clone(), format!("{line} --publish --sender alice")] {
        assert_eq!(soma.fails(&line)["code"], "Training");
    }
    assert!(!nowhere.exists());
}

#[test]
fn every_command_says_which_reveal_is_due_and_how_it_is_done() {
    let world = World::new();
    let soma = &world.soma;
    let weights = weights(soma, "small");
    // Kept where nobody would look, and committed by hand.
    let state = soma.dir().join("my state");
    let mut elsewhere = soma.command(&publish(&weights));
    elsewhere.args(["--state".as_ref(), state.as_os_str()]);
    let done = elsewhere.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let model = word(&soma.json("model create --sender alice")["model_id"]);
    // An owner has one active model with the same weights.
    let others = soma.dir().join("others");
    let init = format!(
        "model init-weights {} --model-size small --seed 2",
        others.display()
    );
    soma.ok(&init);
    let sealed = soma.dir().join("sealed");
    let sealing = soma.json(&format!(
        "model seal --weights {} --output {}",
        others.display(),
        sealed.display()
    ));
    let key = word(&sealing["decryption_key"]);
    let kept = std::fs::read_to_string(word(&sealing["key_file"])).unwrap();
    assert_eq!(kept.trim(), key);
    let commit = format!(
        "model commit {model} --weights-file {0} --weights-url file://{0} --decryption-key {key} \
         --embedding {EMBEDDING} --sender alice",
        sealed.display()
    );
    soma.ok(&commit);

    let state = format!("--state '{}'", state.display());
    let by_hand = format!("soma model reveal {model} --sender 0x");
    let warned = soma.run("wallet list").err;
    assert_eq!(warned.matches("REVEAL DUE").count(), 2, "{warned}");
    for text in [&state, &by_hand] {
        assert!(warned.contains(text), "{warned}");
    }
    assert_eq!(soma.run("wallet list --json").err, "");
    // A node that cannot be asked is no reason to be silent.
    let alone = soma.run("wallet list --rpc-url http://127.0.0.1:1").err;
    assert_eq!(alone.matches("REVEAL DUE").count(), 2, "{alone}");

    world.advance();
    let due = soma.json("status")["reveals_due"].clone();
    let due = due.as_array().unwrap();
    assert_eq!(due.len(), 2);
    assert!(soma.run("balance alice").err.contains("REVEAL NOW"));
    // The commands work as they are, also where no storage is known: everything is uploaded.
    let rpc = word(&soma.json("status")["rpc_url"]);
    soma.ok(&format!("env new bare --rpc {rpc}"));
    for due in due {
        let command = word(&due["command"]);
        let program = env!("CARGO_BIN_EXE_soma");
        let line = format!("{program} {} --env bare", printed(&command));
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &line]).env("SOMA_CONFIG_DIR", soma.dir());
        let done = shell.output().unwrap();
        assert!(done.status.success(), "{line}: {done:?}");
    }
    assert_eq!(soma.run("wallet list").err, "");
    assert_eq!(soma.json("status")["reveals_due"], serde_json::json!([]));
    world.advance();
    let info = soma.json(&format!("model info {model}"));
    assert_eq!(info["status"], "active");
}

#[test]
fn neither_a_failed_commit_nor_a_wrong_guess_loses_the_key_that_the_chain_waits_for() {
    let world = World::new();
    let soma = &world.soma;
    let weights = weights(soma, "small");
    let model = word(&soma.json("model create --sender alice")["model_id"]);
    let commit = |name: &str, sender: &str| {
        let sealed = soma.dir().join(name);
        let sealing = soma.json(&format!(
            "model seal --weights {} --output {}",
            weights.display(),
            sealed.display()
        ));
        let key = word(&sealing["decryption_key"]);
        format!(
            "model commit {model} --weights-file {0} --weights-url file://{0} --decryption-key \
             {key} --embedding {EMBEDDING} --sender {sender}",
            sealed.display()
        )
    };
    soma.ok(&commit("first", "alice"));
    // One that cannot be signed, and one that the chain refuses.
    let stranger = format!("0x{}", "11".repeat(32));
    let unsigned = soma.fails(&commit("second", &stranger));
    assert_eq!(unsigned["code"], "KeyNotFound");
    let refused = soma.fails(&commit("third", "alice"));
    assert_eq!(refused["code"], "ModelInvalidState");
    // A reveal that the chain would refuse is not sent, and costs no fee.
    let before = soma.json("balance alice");
    let early = soma.fails(&format!("model reveal {model} --sender alice"));
    assert_eq!(early["code"], "ModelRevealEpochMismatch", "{early}");
    assert_eq!(soma.json("balance alice")["nonce"], before["nonce"]);
    let commits = soma.dir().join("publish").join("commits");
    let kept = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&commits).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.is_file()).collect()
    };
    let due = soma.json("status")["reveals_due"].clone();
    assert_eq!(due.as_array().unwrap().len(), 1, "{due}");
    assert_eq!(due[0]["is_committed"], true);
    assert_eq!(kept().len(), 1);

    // As it is when the commit's answer was lost, and it came an epoch later than was thought.
    let file = &kept()[0];
    let text = std::fs::read_to_string(file).unwrap();
    let mut content: Value = serde_json::from_str(&text).unwrap();
    content["is_executed"] = false.into();
    content["reveal_epoch"] = 0.into();
    std::fs::write(file, content.to_string()).unwrap();
    world.advance();
    let warned = soma.run("balance alice").err;
    assert!(warned.contains("REVEAL NOW"), "{warned}");
    assert_eq!(kept().len(), 1);
    soma.ok(&format!("model reveal {model} --sender alice"));
    assert!(kept().is_empty());
    world.advance();
    let info = soma.json(&format!("model info {model}"));
    assert_eq!(info["status"], "active");
}

#[test]
fn a_publication_whose_commit_was_not_answered_is_warned_of() {
    let world = World::new();
    let soma = &world.soma;
    let state = soma.dir().join("state");
    let line = publish(&weights(soma, "small"));
    let committed = soma.json(&format!("{line} --state {}", state.display()));
    // As it is when the program ended between the signature and the answer.
    let file = state.join("publication.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut content: Value = serde_json::from_str(&text).unwrap();
    let height = content["committed"]["height"].as_u64().unwrap();
    let client = soma_sdk::Client::builder()
        .rpc_url(word(&soma.json("status")["rpc_url"]))
        .build()
        .unwrap();
    let block = client.block(soma_sdk::BlockName::Height(height), true);
    let block = world.runtime.block_on(block).unwrap();
    let mut all = block.transactions.unwrap().into_iter();
    let commit = all.find(|transaction| transaction.kind == "commit_model");
    content["transaction"] = serde_json::to_value(commit.unwrap().bytes).unwrap();
    content["committed"] = Value::Null;
    std::fs::write(&file, content.to_string()).unwrap();

    // Without a node nobody knows whether it was executed; the chain does.
    let alone = soma.run("wallet list --rpc-url http://127.0.0.1:1").err;
    assert!(alone.contains("REVEAL MAY BE DUE"), "{alone}");
    assert!(alone.contains(&state.display().to_string()), "{alone}");
    let epoch = &committed["reveal_epoch"];
    let warned = soma.run("wallet list").err;
    let due = format!("must be revealed in epoch {epoch}");
    assert!(
        warned.contains("REVEAL DUE") && warned.contains(&due),
        "{warned}"
    );
    let due = soma.json("status")["reveals_due"].clone();
    assert_eq!(due.as_array().unwrap().len(), 1, "{due}");
    assert_eq!(due[0]["model"], committed["model_id"]);
    assert_eq!(due[0]["reveal_epoch"], *epoch);
    assert_eq!(due[0]["is_committed"], true);
    world.advance();
    let warned = soma.run("balance alice").err;
    assert!(warned.contains("REVEAL NOW"), "{warned}");
    let revealed = soma.json(printed(&word(&due[0]["command"])));
    assert_eq!(revealed["model_id"], committed["model_id"]);
    assert_eq!(soma.json("status")["reveals_due"], serde_json::json!([]));
}

#[test]
fn nothing_is_committed_where_validators_could_not_open_it() {
    let world = World::new();
    let soma = &world.soma;
    let plain = weights(soma, "small");
    let data = corpus(soma);
    let folder = soma.dir().join("blobs");
    // The environment keeps its name and its blob server, whatever the node.
    for place in [
        String::new(),
        format!("--storage {}", folder.display()),
        "--storage http://192.168.1.5:9126".to_owned(),
        format!(
            "--storage {} --public-url-prefix http://127.0.0.1:8000",
            folder.display()
        ),
    ] {
        for line in [
            publish(&plain),
            format!(
                "train {} --out {} --model-size small --publish --sender alice",
                data.display(),
                soma.dir().join("run").display()
            ),
        ] {
            let line = format!("{line} {place} --rpc-url https://node.example");
            let refused = soma.run(&line);
            assert_eq!(refused.code, 2, "{line}: {}", refused.err);
            assert!(refused.err.contains("--storage"), "{line}: {}", refused.err);
        }
    }
    let model = word(&soma.json("model create --sender alice")["model_id"]);
    let key = fresh_key();
    let bytes = std::fs::read(&plain).unwrap();
    let sealed = file(soma, "sealed", &seal_bytes(&bytes, &key).unwrap().0);
    // It leads here, too, and is no loopback address.
    let rpc = word(&soma.json("status")["rpc_url"]).replace("127.0.0.1", "0.0.0.0");
    let refused = soma.fails(&format!(
        "model commit {model} --weights-file {0} --weights-url file://{0} --decryption-key {key} \
         --embedding {EMBEDDING} --sender alice --yes --rpc-url {rpc}",
        sealed.display()
    ));
    assert_eq!(refused["code"], "InvalidArgument", "{refused}");
    // Nothing but the creation was sent.
    assert_eq!(soma.json("balance alice")["nonce"], 1);
}

#[test]
fn a_publication_is_forgotten_only_by_who_means_it() {
    let world = World::new();
    let soma = &world.soma;
    let weights = weights(soma, "small");
    let line = "model publish --abandon --sender alice";
    assert_eq!(soma.run(line).code, 2);
    let committed = soma.json(&publish(&weights));
    let refused = soma.run(line);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    let forgotten = soma.json(&format!("{line} --yes"));
    assert_eq!(
        (&forgotten["status"], &forgotten["model_id"]),
        (&"abandoned".into(), &committed["model_id"])
    );
    let kept = std::fs::read_to_string(word(&forgotten["kept"])).unwrap();
    assert!(kept.contains("\"key\""), "{kept}");
    // The next begins anew; that of another account is beside it.
    let again = soma.json(&publish(&weights));
    assert_ne!(again["model_id"], committed["model_id"]);
    let others = soma.json(&publish(&weights).replace("alice", "bob"));
    assert_ne!(others["model_id"], again["model_id"]);
    let due = soma.json("status")["reveals_due"].clone();
    assert_eq!(due.as_array().unwrap().len(), 2, "{due}");
}

#[test]
fn training_outlives_its_model_and_publishes_another() {
    let world = World::new();
    let soma = &world.soma;
    let data = corpus(soma);
    let out = soma.dir().join("run");
    let line = format!(
        "train {} --out {} --model-size small --steps 1000000 --accumulation 1 --lr 0.003 \
         --evaluate-every 5 --checkpoint-every 5 --held-out 0.2 --publish --sender alice",
        data.display(),
        out.display()
    );
    let (mut child, said) = start(soma, &line);
    std::thread::spawn(move || std::io::copy(&mut { said }, &mut std::io::sink()));
    let model = |status: &str| {
        let models = soma.json(&format!("model list --owner alice --status {status}"));
        models["models"].as_array().unwrap().clone()
    };
    let until = |what: &str, look: &dyn Fn() -> bool| {
        let begin = Instant::now();
        while !look() {
            assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    until("a commit", &|| !model("pending").is_empty());
    let due = soma.run("wallet list").err;
    assert_eq!(due, "", "the trainer is at work on it");
    world.advance();
    until("the reveal", &|| !model("active").is_empty());
    let first = word(&model("active")[0]["id"]);
    soma.ok(&format!("model deactivate {first} --sender alice --yes"));

    // Whatever was to be published as that model gives way to another one.
    until("another model", &|| {
        let pending = model("pending");
        pending.iter().any(|model| model["id"] != first.as_str())
    });
    assert!(child.try_wait().unwrap().is_none(), "training ended");
    let ending = std::thread::spawn(move || interrupt(child));
    until("the end", &|| {
        world.advance();
        std::thread::sleep(Duration::from_secs(2));
        ending.is_finished()
    });
    assert_eq!(ending.join().unwrap(), Some(0));
    assert!(out.join("best.safetensors").exists());
    let second = &model("active")[0];
    assert_ne!(second["id"], first.as_str());
    let refused = soma.fails(&format!(
        "train {} --out {}-2 --model-size small --publish --model {first} --sender alice",
        data.display(),
        out.display()
    ));
    assert_eq!(refused["code"], "ModelAlreadyInactive");
}

#[test]
fn training_that_is_interrupted_before_a_commit_begins_none() {
    let world = World::new();
    let soma = &world.soma;
    let data = corpus(soma);
    let out = soma.dir().join("run");
    let run = |steps: u32, more: &str| {
        format!(
            "train {} --out {} --model-size small --steps {steps} --accumulation 1 --lr 0.003 \
             --evaluate-every 5 --checkpoint-every 5 --held-out 0.2 {more}",
            data.display(),
            out.display()
        )
    };
    soma.ok(&run(5, ""));
    // Nothing can be uploaded there, so that nothing is committed.
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nowhere.local_addr().unwrap().port();
    drop(nowhere);
    let more = format!("--resume --publish --sender alice --storage http://127.0.0.1:{port}");
    let (child, said) = start(soma, &run(1_000_000, &more));
    std::thread::spawn(move || std::io::copy(&mut { said }, &mut std::io::sink()));
    let begun = out.join("publish").join("publication.json");
    let begin = Instant::now();
    while !begun.exists() {
        assert!(begin.elapsed() < PATIENCE, "nothing is published");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(interrupt(child), Some(0));
    assert_eq!(soma.json("model list")["models"], serde_json::json!([]));
}

#[test]
fn training_starts_from_a_model_of_the_network() {
    let world = World::new();
    let soma = &world.soma;
    let weights = weights(soma, "small");
    let committed = soma.json(&publish(&weights));
    let model = word(&committed["model_id"]);
    world.advance();
    soma.ok(printed(&word(&committed["reveal_command"])));
    let out = soma.dir().join("run");
    let trained = |to: &str, from: &str| {
        let trained = soma.json(&format!(
            "train {} --out {}-{to} --model-size small --steps 1 --accumulation 1 \
             --evaluate-every 0 {from}",
            corpus(soma).display(),
            out.display()
        ));
        std::fs::read(word(&trained["weights"])).unwrap()
    };
    // One step from the model's weights, and not from random ones.
    let after = trained("network", &format!("--from-model {model}"));
    let same = trained("file", &format!("--from {}", weights.display()));
    let other = trained("random", "--seed 5");
    assert!(after == same && after != other);
    let unknown = format!("0x{}", "11".repeat(32));
    let refused = soma.fails(&format!(
        "train {} --out {}-2 --model-size small --from-model {unknown}",
        corpus(soma).display(),
        out.display()
    ));
    assert_eq!(refused["code"], "NotFound");
}

/// Texts to train on.
fn corpus(soma: &Soma) -> PathBuf {
    let folder = soma.dir().join("corpus");
    std::fs::create_dir_all(&folder).unwrap();
    for n in 0..40 {
        let mut file = std::fs::File::create(folder.join(n.to_string())).unwrap();
        let text = format!("a text that repeats itself {n}, ").repeat(20);
        file.write_all(text.as_bytes()).unwrap();
    }
    folder
}
