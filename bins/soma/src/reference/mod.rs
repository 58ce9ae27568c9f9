//! `docs/cli.md`, written from the command tree and hand-written examples.

mod examples;

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory, Id};

use crate::arguments::Cli;
use examples::EXAMPLES;

const INTRODUCTION: &str = include_str!("introduction.md");

/// The reference of all commands as Markdown.
pub fn markdown() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\n## Global options\n\n");
    let globals = root.get_arguments().filter(|arg| arg.is_global_set());
    globals.for_each(|arg| write_argument(&mut text, arg));
    text.push_str("\n## Transaction options\n\n");
    text.push_str(
        "Commands that send a transaction take these; the first four exclude each other.\n\n",
    );
    if let Some(send) = root.find_subcommand("send") {
        let options = send
            .get_arguments()
            .filter(|arg| is_transaction_option(arg));
        options.for_each(|arg| write_argument(&mut text, arg));
    }
    text.push_str("\n## Commands\n");
    let globals: Vec<&Id> = root
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .map(Arg::get_id)
        .collect();
    for command in root.get_subcommands() {
        write_command(&mut text, command, "soma", &globals);
    }
    text
}

/// Paths of all commands that do something, such as `wallet new`.
pub fn command_paths() -> Vec<String> {
    fn walk(command: &Command, path: &str, paths: &mut Vec<String>) {
        for child in visible(command) {
            let path = format!("{path} {}", child.get_name()).trim().to_owned();
            match visible(child).next() {
                Some(_) => walk(child, &path, paths),
                None => paths.push(path),
            }
        }
    }
    let mut paths = Vec::new();
    walk(&Cli::command(), "", &mut paths);
    paths
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    let children = command.get_subcommands();
    children.filter(|child| !child.is_hide_set() && child.get_name() != "help")
}

fn is_transaction_option(arg: &Arg) -> bool {
    arg.get_help_heading() == Some("Transaction options")
}

// Writing to a string cannot fail, so the results of `write!` are dropped here and below.
fn write_command(text: &mut String, command: &Command, path: &str, globals: &[&Id]) {
    let path = format!("{path} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default();
    if visible(command).next().is_some() {
        for child in visible(command) {
            write_command(text, child, &path, globals);
        }
        return;
    }
    let _ = write!(text, "\n### `{path}`\n\n{about}.\n");
    let aliases: Vec<_> = command.get_all_aliases().collect();
    if !aliases.is_empty() {
        let _ = writeln!(text, "\nAlso: `{}`.", aliases.join("`, `"));
    }
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !globals.contains(&arg.get_id()))
        .filter(|arg| !arg.is_hide_set() && !is_transaction_option(arg))
        .filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
        .collect();
    if !own.is_empty() {
        text.push('\n');
        own.into_iter().for_each(|arg| write_argument(text, arg));
    }
    if command.get_arguments().any(is_transaction_option) {
        text.push_str("\nTakes the [transaction options](#transaction-options).\n");
    }
    let name = path.trim_start_matches("soma ");
    for example in EXAMPLES.iter().filter(|example| example.command == name) {
        let _ = write!(text, "\n```sh\n{}\n```\n", example.line);
        if !example.json.is_empty() {
            let _ = write!(text, "\nWith `--json`:\n\n```json\n{}\n```\n", example.json);
        }
    }
}

fn write_argument(text: &mut String, arg: &Arg) {
    let value = match arg.get_action().takes_values() {
        true => arg
            .get_value_names()
            .map(|names| {
                names
                    .iter()
                    .map(|name| name.as_str())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .unwrap_or_default(),
        false => String::new(),
    };
    let name = match (arg.get_long(), arg.get_short()) {
        (Some(long), Some(short)) => format!("-{short}, --{long} {value}"),
        (Some(long), None) => format!("--{long} {value}"),
        _ => value,
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "- `{}`: {help}", name.trim());
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    let choices = arg.get_possible_values();
    let choices: Vec<_> = choices
        .iter()
        .filter(|choice| !choice.is_hide_set())
        .map(|choice| choice.get_name())
        .collect();
    // Of a single one nothing can be chosen.
    if choices.len() > 1 {
        let _ = write!(text, "; one of `{}`", choices.join("`, `"));
    }
    if !defaults.is_empty() && arg.get_action().takes_values() {
        let _ = write!(text, "; default `{}`", defaults.join(" "));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(text, "; variable `{}`", variable.to_string_lossy());
    }
    let _ = match arg.get_all_aliases() {
        Some(aliases) if !aliases.is_empty() => {
            writeln!(text, ". Also `--{}`", aliases.join("`, `--"))
        }
        _ => writeln!(text),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_in_docs_is_current() {
        // Tests run in the folder of their package.
        let path = "../../docs/cli.md";
        let written = markdown();
        if std::env::var_os("SOMA_UPDATE_DOCS").is_some() {
            std::fs::write(path, &written).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap();
        assert!(
            stored == written,
            "docs/cli.md is old; run this test with SOMA_UPDATE_DOCS=1"
        );
    }

    #[test]
    fn choices_and_variables_are_written_as_help_does() {
        let text = markdown();
        for line in [
            "- `--reason REASON`: What is wrong; one of `weights-unavailable`, `weights-mismatch`, \
             `undecryptable`, `plaintext-mismatch`, `invalid-weights`; default `invalid-weights`\n",
            "; default `us-east-1`; variable `SOMA_S3_REGION`\n",
            "Only secp256k1 exists; default `secp256k1`\n",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }

    #[test]
    fn every_command_has_an_example_and_every_example_a_command() {
        let paths = command_paths();
        for path in &paths {
            let has_one = EXAMPLES.iter().any(|example| example.command == path);
            assert!(has_one, "`soma {path}` has no example");
        }
        for example in EXAMPLES {
            let is_known = paths.iter().any(|path| path == example.command);
            assert!(is_known, "no command `{}`", example.command);
            if !example.json.is_empty() {
                let json: Result<serde_json::Value, _> = serde_json::from_str(example.json);
                assert!(json.is_ok(), "{}: {json:?}", example.command);
            }
        }
    }
}
