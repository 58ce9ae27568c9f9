//! Passwords and where they come from: a prompt, an environment variable, a file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::private_file::{FileError, refuse_exposed};

// Long enough for any passphrase; a wrong path (a device, a huge file) costs nothing.
const MAX_PASSWORD_BYTES: u64 = 4096;

/// A password. Overwritten when dropped, and it never prints.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password that is not empty.
    ///
    /// # Errors
    /// [`PasswordError::Empty`].
    pub fn new(text: impl Into<String>) -> Result<Self, PasswordError> {
        let text = Zeroizing::new(text.into());
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        Ok(Self(text))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// Why no password could be had. No message repeats the password.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Nothing was given.
    #[error("the password is empty; give at least one character")]
    Empty,
    /// The second entry differs from the first.
    #[error("the two passwords differ; try again")]
    Differ,
    /// There is no terminal, or it cannot be read.
    #[error(
        "cannot ask for the password: {0}; without a terminal it comes from a variable or a file"
    )]
    Prompt(#[source] io::Error),
    /// Ctrl-C was typed instead.
    #[error("no password was typed: interrupted")]
    Interrupted,
    /// The environment variable is missing or is not text.
    #[error("the environment variable {0} is not set to a password")]
    Env(String),
    /// The password file cannot be used.
    #[error("cannot read the password: {0}")]
    File(#[from] FileError),
    /// The password file holds something else.
    #[error("the password file {} is not one line of text of at most 4096 bytes", .0.display())]
    NotOneLine(PathBuf),
    /// Not a name of a source.
    #[error("invalid password source: expected `prompt`, `env:VARIABLE` or `file:PATH`")]
    Source,
}

/// Where a password is read from. As text: `prompt`, `env:VARIABLE`, `file:PATH`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PasswordSource {
    /// Typed at the terminal, unseen.
    #[default]
    Prompt,
    /// An environment variable, for services. Other processes of the same user can read it.
    Env(String),
    /// A file of mode 0600 with one line.
    File(PathBuf),
}

impl FromStr for PasswordSource {
    type Err = PasswordError;

    fn from_str(text: &str) -> Result<Self, PasswordError> {
        match text.split_once(':') {
            None if text == "prompt" => Ok(Self::Prompt),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(PasswordError::Source),
        }
    }
}

impl PasswordSource {
    /// Reads the password of an existing keystore.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn read(&self) -> Result<Password, PasswordError> {
        match self {
            Self::Prompt => prompt("Password: "),
            Self::Env(name) => {
                Password::new(std::env::var(name).map_err(|_| PasswordError::Env(name.clone()))?)
            }
            Self::File(path) => read_file(path),
        }
    }

    /// Reads a password for a new keystore: at a prompt it is asked for twice.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn read_new(&self) -> Result<Password, PasswordError> {
        if *self != Self::Prompt {
            return self.read();
        }
        let first = prompt("New password: ")?;
        if first.0 != prompt("The same again: ")?.0 {
            return Err(PasswordError::Differ);
        }
        Ok(first)
    }
}

/// Asks for one line at the terminal, which does not show it.
///
/// # Errors
/// There is no terminal, or it cannot be read; [`io::ErrorKind::Interrupted`] after Ctrl-C.
pub fn read_unseen(question: &str) -> io::Result<Zeroizing<String>> {
    with_interrupt_after(|| rpassword::prompt_password(question)).map(Zeroizing::new)
}

fn prompt(question: &str) -> Result<Password, PasswordError> {
    let typed = read_unseen(question).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => PasswordError::Interrupted,
        _ => PasswordError::Prompt(error),
    });
    Password::new(std::mem::take(&mut *typed?))
}

/// Ctrl-C at a prompt raises SIGINT in this thread while the terminal is changed. It is taken only
/// after the prompt has put the terminal back: else the shell would go on without echo.
#[cfg(unix)]
fn with_interrupt_after<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal};
    let mut interrupt = SigSet::empty();
    interrupt.add(Signal::SIGINT);
    let before = interrupt.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let answer = ask();
    before.thread_set_mask()?;
    answer
}

#[cfg(not(unix))]
fn with_interrupt_after<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    ask()
}

fn read_file(path: &PathBuf) -> Result<Password, PasswordError> {
    let io_error = |source| FileError::Io {
        action: "read",
        path: path.clone(),
        source,
    };
    let file = File::open(path).map_err(io_error)?;
    refuse_exposed(&file, path)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD_BYTES as usize + 1));
    file.take(MAX_PASSWORD_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    let text = std::str::from_utf8(&bytes)
        .ok()
        .map(|text| text.trim_end_matches(['\r', '\n']));
    match text {
        Some(line) if bytes.len() as u64 <= MAX_PASSWORD_BYTES && !line.contains(['\r', '\n']) => {
            Password::new(line)
        }
        _ => Err(PasswordError::NotOneLine(path.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn file_with(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_source_reads_from_its_text() {
        assert_eq!(
            "prompt".parse::<PasswordSource>().unwrap(),
            PasswordSource::Prompt
        );
        let env = PasswordSource::Env("A".into());
        assert_eq!("env:A".parse::<PasswordSource>().unwrap(), env);
        let file = PasswordSource::File("/a:b".into());
        assert_eq!("file:/a:b".parse::<PasswordSource>().unwrap(), file);
        for text in ["", "env:", "file:", "secret", "pass:secret"] {
            let error = text.parse::<PasswordSource>().unwrap_err();
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = PasswordSource::Env("SOMA_NO_SUCH_VARIABLE".into())
            .read()
            .unwrap_err();
        assert!(error.to_string().contains("SOMA_NO_SUCH_VARIABLE"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_gives_its_line_without_the_line_end() {
        for content in ["pass word", "pass word\n", "pass word\r\n"] {
            let (_folder, path) = file_with(content.as_bytes(), 0o600);
            let password = PasswordSource::File(path).read().unwrap();
            assert_eq!(password.as_bytes(), b"pass word");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_no_password_is_refused() {
        for content in [&b"a\nb"[..], b"\xff\xfe", &[b'x'; 5000]] {
            let (_folder, path) = file_with(content, 0o600);
            let error = PasswordSource::File(path).read().unwrap_err();
            assert!(matches!(error, PasswordError::NotOneLine(_)));
        }
        let (_folder, path) = file_with(b"\n", 0o600);
        assert!(matches!(
            PasswordSource::File(path).read(),
            Err(PasswordError::Empty)
        ));
        let (_folder, path) = file_with(b"secret", 0o644);
        let error = PasswordSource::File(path).read().unwrap_err().to_string();
        assert!(
            error.contains("chmod 600") && !error.contains("secret"),
            "{error}"
        );
    }

    #[test]
    fn a_password_never_prints() {
        assert_eq!(
            format!("{:?}", Password::new("secret").unwrap()),
            "Password"
        );
        assert!(matches!(Password::new(""), Err(PasswordError::Empty)));
    }
}
