//! Keys.

use std::io::Write;
use std::process::Stdio;

use crate::program::{Ran, Soma, masked};

#[test]
fn a_wallet_without_a_password_is_made_only_on_request() {
    let soma = Soma::new();
    let refused = soma.fails("wallet new");
    assert_eq!(refused["code"], "Password");
    assert!(
        refused["hint"]
            .as_str()
            .unwrap()
            .contains("--password-file")
    );

    let made = soma.json("wallet new --alias alice --unencrypted");
    assert_eq!(made["encrypted"], false);
    let words = made["recovery_phrase"].as_str().unwrap();
    assert_eq!(words.split(' ').count(), 12);
    soma.ok("wallet new --word-length word24");
    insta::assert_snapshot!(masked(&soma.ok("wallet list"), &[]), @"
       ALIAS  ADDRESS                                                             PROTECTION
    *  alice  [id 1]  none
       key-2  [id 2]  none
    ");
    let address = made["address"].as_str().unwrap();
    assert_eq!(soma.ok("wallet active").trim(), address);

    soma.ok("wallet switch --address key-2");
    assert_ne!(soma.json("wallet active")["address"], address);
    soma.ok("wallet rename key-2 bob");
    assert_eq!(soma.fails("wallet rename bob alice")["code"], "Keystore");
    let entry = soma.json("wallet switch alice");
    assert_eq!(entry["alias"], "alice");
    let refused = soma.run("wallet remove alice");
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    soma.ok("wallet remove alice --yes");
    assert_eq!(soma.fails("wallet active")["code"], "NoActiveAddress");
}

#[test]
fn an_exported_key_and_a_phrase_can_be_imported_again() {
    let soma = Soma::new();
    let made = soma.json("wallet new --alias alice --unencrypted");
    let exported = soma.json("wallet export");
    let secret = exported["secret_key"].as_str().unwrap();
    soma.ok("wallet remove --address alice --yes");
    let again = soma.json(&format!("wallet import {secret} --alias again"));
    assert_eq!(again["address"], made["address"]);
    soma.ok("wallet remove again --yes");

    let mut child = soma
        .command("wallet import - --json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let phrase = made["recovery_phrase"].as_str().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{phrase}").unwrap();
    drop(stdin);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert!(ran.out.contains(made["address"].as_str().unwrap()));
    assert_eq!(
        soma.fails("wallet import not-a-key")["code"],
        "InvalidSecretKey"
    );
}

#[test]
fn a_wallet_with_a_password_needs_it() {
    let soma = Soma::new();
    let with_password = |password: &str, line: &str| {
        let mut command = soma.command(line);
        Ran::of(&command.env("SOMA_PASSWORD", password).output().unwrap())
    };
    let ran = with_password("correct horse", "wallet new --alias alice --json");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("\"encrypted\": true"));
    assert_eq!(soma.fails("wallet export alice")["code"], "Password");
    let wrong = with_password("wrong", "wallet export alice --json");
    assert!(wrong.err.contains("WrongPassword"), "{}", wrong.err);
    assert_eq!(
        with_password("correct horse", "wallet export alice").code,
        0
    );
    // Names and addresses are no secret.
    assert!(soma.ok("wallet list").contains("password"));

    let file = soma.dir().join("password");
    std::fs::write(&file, "correct horse\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    soma.ok(&format!("wallet export --password-file {}", file.display()));
}
