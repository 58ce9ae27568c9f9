//! `soma demo`, played to the end with blobs in an S3-compatible store.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use soma_test_s3::{ACCESS_KEY_ID, BUCKET, S3Server, SECRET_ACCESS_KEY};
use tokio::runtime::Runtime;

use crate::program::{Ran, Soma};

/// Files of letters that no other domain has; the option that names them.
fn domain(root: &Path, name: &str, letters: &[u8]) -> String {
    let folder = root.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let mut state = 7u32;
    for number in 0..80 {
        let mut text = format!("{number} ").into_bytes();
        for _ in 0..1_500 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push(letters[(state >> 16) as usize % letters.len()]);
        }
        std::fs::write(folder.join(number.to_string()), text).unwrap();
    }
    format!("--domain {name}={}", folder.display())
}

#[test]
fn the_demo_is_played_to_the_end_with_domains_of_ones_own_and_an_s3_store() {
    let soma = Soma::new();
    let runtime = Runtime::new().unwrap();
    let bucket = soma.dir().join("s3");
    let server = runtime.block_on(S3Server::start(&bucket));
    let domains = [
        domain(soma.dir(), "digits", b"0123456789 "),
        domain(soma.dir(), "capitals", b"ABCDEFGHIJ KLMN"),
        domain(soma.dir(), "signs", b"()[]{}<>;:,.!?"),
    ];
    let report = soma.dir().join("report.html");
    let line = format!(
        "demo --quick --json {} --storage s3://{BUCKET}/demo --report {} --folder game",
        domains.join(" "),
        report.display()
    );
    let mut command = soma.command(&line);
    command
        .current_dir(soma.dir())
        .env("SOMA_S3_ENDPOINT", server.endpoint())
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);

    let outcome: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(outcome["passed"], true);
    let checks = outcome["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["holds"] == true));
    let cheats = outcome["cheats"].as_array().unwrap();
    assert!(cheats.len() >= 8, "{cheats:?}");
    for cheat in cheats {
        assert_eq!(cheat["result"], cheat["expected"], "{cheat}");
    }
    let names: Vec<_> = outcome["domains"].as_array().unwrap().iter().collect();
    assert_eq!(names[2]["name"], "signs");
    assert_eq!(outcome["report"], report.display().to_string());
    let page = std::fs::read_to_string(&report).unwrap();
    for text in ["<svg", "signs", "capitals", "digits"] {
        assert!(page.contains(text), "no {text} in the report");
    }
    // Weights of three specialists, and data of as many submitters; one piece may fill several
    // targets.
    let kept = bucket.join(BUCKET).join("demo");
    let blobs = std::fs::read_dir(kept).unwrap().count();
    assert!(blobs >= 6, "{blobs} blobs");
}

#[test]
fn a_validator_that_is_killed_is_named_at_the_end_of_the_demo() {
    let soma = Soma::new();
    let report = soma.dir().join("report.html");
    let domains = [
        domain(soma.dir(), "digits", b"0123456789 "),
        domain(soma.dir(), "capitals", b"ABCDEFGHIJ KLMN"),
        domain(soma.dir(), "signs", b"()[]{}<>;:,.!?"),
    ];
    // Three of four agree without the killed one, and its own node is asked for its audits.
    let line = format!(
        "demo --model-size small --steps 1 --validators 4 {} --report {}",
        domains.join(" "),
        report.display()
    );
    let mut command = soma.command(&line);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("Epoch 0:")));
    let parent = demo.id().to_string();
    let mut newest = Command::new("pgrep");
    let newest = newest.args(["--newest", "--parent", &parent]).output();
    let id = String::from_utf8(newest.unwrap().stdout).unwrap();
    let killed = Command::new("kill").args(["-KILL", id.trim()]).status();
    assert!(killed.unwrap().success());
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(demo.wait().unwrap().code(), Some(1), "{said:?}");
    let error = said
        .iter()
        .find(|line| line.starts_with("Error: "))
        .unwrap();
    let expected = "Error: validator 4: its process ended (signal: 9";
    assert!(error.starts_with(expected), "{error}");
    // It lay in a temporary folder.
    assert!(!error.contains("log"), "{error}");
}

#[test]
fn what_the_demo_cannot_be_played_with_is_said_at_once() {
    let soma = Soma::new();
    let nowhere = soma.dir().join("no").join("report.html");
    let refused = soma.fails(&format!("demo --quick --report {}", nowhere.display()));
    assert_eq!(refused["code"], "File");
    let report = soma.dir().join("report.html");
    let line = format!("demo --quick --storage s3 --report {}", report.display());
    let refused = soma.run(&line);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("s3://BUCKET"), "{}", refused.err);
}
