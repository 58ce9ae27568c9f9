//! Reports and challenges, by commands: what a validator and a doubter do by hand.
//!
//! The network has no scorer, so nobody but these commands reports anything.

use serde_json::Value;
use soma_crypto::SecretKey;

use crate::localnet::{Bench, active_model, submission, text};

/// A network whose validator has its key in the wallet, and three filled targets.
fn world() -> (Bench, String, Vec<String>) {
    let bench = Bench::new();
    let soma = &bench.soma;
    let keys = bench.net().keys();
    for (name, account) in [("validator", keys.first()), ("carol", &keys.accounts[2])] {
        soma.import(name, &account.secret_key);
    }
    soma.ok("wallet switch alice");
    let model = active_model(&bench);
    let targets = soma.json("target list --limit 3");
    let targets: Vec<_> = targets["targets"].as_array().unwrap().iter().collect();
    let targets: Vec<_> = targets
        .iter()
        .map(|target| text(target, "id").to_owned())
        .collect();
    for target in &targets {
        soma.ok(&submission(&bench, target, &model, target));
    }
    (bench, model, targets)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value:#}"))
}

#[test]
fn a_reported_fraud_is_slashed_and_its_challenger_paid() {
    let (bench, _, targets) = world();
    let soma = &bench.soma;
    let balance = |who: &str| number(&soma.json(&format!("balance {who}"))["total_balance"]);
    let info = |target: &str| soma.json(&format!("target info {target}"));
    let [fraud, cleared, doubted] = [&targets[0], &targets[1], &targets[2]];
    let bond = number(&info(fraud)["fill"]["bond"]);
    assert!(bond > 0);

    // Only members of the committee report, and only once is a submission challenged.
    let report = |target: &str| format!("target report {target} --reason wrong-loss");
    let refused = soma.fails(&format!("{} --sender bob", report(fraud)));
    assert_eq!(refused["code"], "NotAValidator");
    let before = balance("bob");
    let challenge = |target: &str| format!("target challenge {target} --yes");
    let made = soma.json(&format!("{} --sender bob", challenge(fraud)));
    assert_eq!(made["status"], "success");
    let refused = soma.fails(&format!("{} --sender carol", challenge(fraud)));
    assert_eq!(refused["code"], "TargetAlreadyChallenged");
    let refused = soma.fails(&challenge(doubted));
    assert_eq!(refused["code"], "CannotReportOneself");
    for target in [fraud, cleared] {
        soma.ok(&format!("{} --sender validator", report(target)));
    }
    let shown = info(fraud);
    assert_eq!(shown["reports"][0]["reason"], "wrong_loss");
    assert_eq!(number(&shown["challenge"]["bond"]), bond);
    soma.ok(&format!(
        "target report {cleared} --undo-report --sender validator"
    ));
    assert_eq!(info(cleared).get("reports"), None);
    let challenger_paid = balance("bob");
    assert!(before - challenger_paid >= bond);
    let before = balance("carol");
    soma.ok(&format!("{} --sender carol", challenge(doubted)));
    let doubter_paid = balance("carol");
    assert!(before - doubter_paid >= bond);

    bench.advance_epoch();
    bench.advance_epoch();
    assert_eq!(info(fraud)["status"], "fraud");
    for target in [cleared, doubted] {
        assert_eq!(info(target)["status"], "claimable");
    }
    // The bond comes back with half of the submitter's; one that was wrong stays away.
    assert_eq!(balance("bob"), challenger_paid + bond + bond / 2);
    assert_eq!(balance("carol"), doubter_paid);
    let refused = soma.fails(&format!("target claim {fraud}"));
    assert_eq!(refused["code"], "TargetNotFilled");
    assert_eq!(soma.json("network")["supply"]["ok"], true);
}

#[test]
fn a_submission_that_nobody_can_judge_pays_nobody_and_costs_nobody() {
    let (bench, _, targets) = world();
    let soma = &bench.soma;
    let balance = |who: &str| number(&soma.json(&format!("balance {who}"))["total_balance"]);
    let target = &targets[0];
    let info = || soma.json(&format!("target info {target}"));
    let bond = number(&info()["fill"]["bond"]);
    let validator = format!("target report {target} --sender validator");
    soma.ok(&format!("{validator} --reason winner-unavailable"));
    let reporter = info()["reports"][0]["validator"].clone();
    let line = format!(
        "Reported by: {} (winner_unavailable)",
        reporter.as_str().unwrap()
    );
    let lines = soma.ok(&format!("target info {target}"));
    assert!(lines.contains(&line), "{lines}");
    soma.ok(&format!("target challenge {target} --yes --sender carol"));
    let before = ["alice", "carol"].map(balance);

    bench.advance_epoch();
    bench.advance_epoch();
    let shown = info();
    assert_eq!(shown["status"], "void");
    assert_eq!(shown.get("fraud_epoch"), None);
    let lines = soma.ok(&format!("target info {target}"));
    let line = format!("Void in epoch: {}", shown["void_epoch"]);
    assert!(lines.contains(&line), "{lines}");
    assert_eq!(["alice", "carol"].map(balance), before.map(|b| b + bond));
    let refused = soma.fails(&format!("target claim {target}"));
    assert_eq!(refused["code"], "TargetNotFilled");
    let listed = soma.json("target list --status void");
    assert_eq!(listed["targets"][0]["id"], target.as_str());
    assert_eq!(soma.json("network")["supply"]["ok"], true);
}

#[test]
fn a_reported_model_is_slashed_unless_the_report_is_taken_back() {
    let (bench, model, _) = world();
    let soma = &bench.soma;
    let info = || soma.json(&format!("model info {model}"));
    let report = format!("validator report-model {model} --sender validator");
    soma.ok(&format!("{report} --reason undecryptable"));
    let shown = info();
    let reporter = text(&shown["reports"][0], "validator");
    assert_eq!(shown["reports"][0]["reason"], "undecryptable");
    let line = format!("Reported by: {reporter} (undecryptable)");
    let lines = soma.ok(&format!("model info {model}"));
    assert!(lines.contains(&line), "{lines}");
    soma.ok(&format!("{report} --undo-report"));
    assert_eq!(info().get("reports"), None);
    bench.advance_epoch();
    assert_eq!(info()["status"], "active");
    let stake = number(&info()["stake"]);

    soma.ok(&format!("{report} --reason undecryptable"));
    bench.advance_epoch();
    let slashed = info();
    assert_ne!(slashed["status"], "active");
    assert!(number(&slashed["stake"]) <= stake / 20 + 1, "{slashed:#}");
    assert_eq!(soma.json("network")["supply"]["ok"], true);
}

#[test]
fn claims_that_fail_are_all_named() {
    let (bench, _, targets) = world();
    let soma = &bench.soma;
    bench.advance_epoch();
    bench.advance_epoch();
    // Whoever has no money for the fee cannot even claim for others.
    soma.import("poor", &SecretKey::generate());
    let line = "target claim-all --everybodys --sender poor";
    let ran = soma.run(&format!("{line} --json"));
    assert_eq!(ran.code, 1, "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["claimed"], Value::Array(Vec::new()));
    assert_eq!(report["received"], 0);
    let failed = report["failed"].as_array().unwrap();
    let mut named: Vec<_> = failed.iter().map(|one| text(one, "target_id")).collect();
    named.sort_unstable();
    let mut expected: Vec<_> = targets.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(named, expected);
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(text(&error, "code"), "InsufficientGas");
    assert!(failed.iter().all(|one| one["code"] == error["code"]));
    let first = text(&failed[0], "message");
    assert!(text(&error, "message").ends_with(first), "{error}");
    assert!(text(&error, "hint").contains("faucet"), "{error}");
    let shown = soma.run(line);
    assert!(shown.out.contains("NOT CLAIMED"), "{}", shown.out);
    assert!(!shown.out.contains("Nothing to claim"), "{}", shown.out);
    assert!(shown.err.contains("3 of 3 claims failed"), "{}", shown.err);
    // They wait for whoever can pay.
    let claimed = soma.json("target claim-all --sender alice");
    assert_eq!(claimed["claimed"].as_array().unwrap().len(), targets.len());
    assert_eq!(claimed["failed"], Value::Array(Vec::new()));
}
