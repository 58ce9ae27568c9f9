//! Help texts.

use crate::program::Soma;

#[test]
fn help_is_short_and_stable() {
    let soma = Soma::new();
    insta::assert_snapshot!("help", soma.ok("--help"));
    insta::assert_snapshot!("help_send", soma.ok("send -h"));
    insta::assert_snapshot!("help_wallet", soma.ok("wallet -h"));
    insta::assert_snapshot!("help_tx", soma.ok("tx -h"));
    insta::assert_snapshot!("help_start_localnet", soma.ok("start localnet -h"));
}

#[test]
fn each_command_says_which_storage_it_takes_by_default() {
    let soma = Soma::new();
    for (command, default) in [
        ("model publish", "the environment's blob server"),
        ("demo", "the network's own blob server"),
        ("doctor", "none"),
    ] {
        let help = soma.ok(&format!("{command} -h"));
        let mut lines = help.lines();
        let line = lines.find(|line| line.contains("--storage <PLACE>"));
        let expected =
            format!("or the URL of a blob server; default {default} [env: SOMA_STORAGE=");
        assert!(
            line.is_some_and(|line| line.contains(&expected)),
            "{command}: {line:?}"
        );
    }
}

#[test]
fn help_and_version_need_no_settings() {
    let soma = Soma::new();
    assert!(soma.ok("--version").starts_with("soma "));
    assert!(soma.ok("completions bash").contains("_soma"));
    assert_eq!(std::fs::read_dir(soma.dir()).unwrap().count(), 0);
}
