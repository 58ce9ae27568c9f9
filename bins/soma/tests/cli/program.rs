//! Running the program in a settings folder of its own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use soma_crypto::SecretKey;

/// The program with a settings folder that is removed afterwards.
pub(crate) struct Soma {
    folder: tempfile::TempDir,
    rpc: Option<String>,
}

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Soma {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            rpc: None,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// All further runs use this node.
    pub(crate) fn use_rpc(&mut self, url: String) {
        self.rpc = Some(url);
    }

    /// Takes a key into the wallet.
    pub(crate) fn import(&self, name: &str, key: &SecretKey) {
        let key = key.to_hex();
        self.ok(&format!(
            "wallet import {} --alias {name} --unencrypted",
            *key
        ));
    }

    /// The program with these arguments, separated by spaces.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_soma"));
        command
            .args(line.split_whitespace())
            .env("SOMA_CONFIG_DIR", self.dir())
            .env_remove("SOMA_PASSWORD")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        if let Some(url) = &self.rpc {
            command.args(["--rpc-url", url]);
        }
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::of(&self.command(line).output().unwrap())
    }

    /// A run that must succeed; its standard output.
    pub(crate) fn ok(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "`soma {line}`: {}", ran.err);
        ran.out
    }

    /// A run that must succeed and print JSON.
    pub(crate) fn json(&self, line: &str) -> Value {
        let text = self.ok(&format!("{line} --json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("`soma {line}`: {error}: {text}"))
    }

    /// A run that must fail with code 1; its error in JSON.
    pub(crate) fn fails(&self, line: &str) -> Value {
        let ran = self.run(&format!("{line} --json"));
        assert_eq!(ran.code, 1, "`soma {line}`: {}{}", ran.out, ran.err);
        serde_json::from_str(&ran.err).unwrap_or_else(|error| panic!("{error}: {}", ran.err))
    }
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

/// Replaces what differs from run to run: ids by their order of appearance, and `values`.
pub(crate) fn masked(text: &str, values: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (value, name) in values {
        text = text.replace(value, name);
    }
    let mut seen: Vec<String> = Vec::new();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find("0x") {
        let digits = rest[start + 2..].bytes();
        let count = digits.take_while(u8::is_ascii_hexdigit).count();
        let id = &rest[start..start + 2 + count];
        out.push_str(&rest[..start]);
        if count < 64 {
            out.push_str(id);
        } else {
            let known = seen.iter().position(|known| known == id);
            let number = known.unwrap_or_else(|| {
                seen.push(id.to_owned());
                seen.len() - 1
            });
            out.push_str(&format!("[id {}]", number + 1));
        }
        rest = &rest[start + 2 + count..];
    }
    without_heights(&(out + rest))
}

/// How many blocks there were before depends on time.
fn without_heights(text: &str) -> String {
    let mut text = text.to_owned();
    for name in ["Block: ", "block "] {
        let parts = text.split(name).enumerate().map(|(place, part)| {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            match place > 0 && rest.len() < part.len() {
                true => format!("HEIGHT{rest}"),
                false => part.to_owned(),
            }
        });
        text = parts.collect::<Vec<_>>().join(name);
    }
    text
}
