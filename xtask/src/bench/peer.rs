//! The published Python package that ours is measured against.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;

use crate::command::workspace;

/// The peer's implementation of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Framework {
    /// Flax on JAX, jitted.
    Flax,
    /// PyTorch, eager.
    Torch,
}

/// The package, in a virtual environment of its own.
pub(crate) struct Peer {
    framework: Framework,
    python: PathBuf,
}

impl Framework {
    /// What is installed. Versions are fixed, so that figures of different days compare.
    pub(crate) const fn requirements(self) -> &'static [&'static str] {
        match self {
            Self::Flax => &[
                "soma-models==0.1.7",
                "flax==0.12.8",
                "jax==0.10.2",
                "jaxlib==0.10.2",
                "optax==0.2.8",
            ],
            Self::Torch => &["soma-models==0.1.7", "torch==2.15.0", "numpy==2.4.6"],
        }
    }

    /// As the command line has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Flax => "flax",
            Self::Torch => "torch",
        }
    }
}

impl Peer {
    /// Installs the package when it is not there.
    pub(crate) fn install(framework: Framework) -> Result<Self> {
        let environment = format!("python-{}", framework.name());
        let python = crate::python::with_pinned(&environment, framework.requirements())?;
        Ok(Self { framework, python })
    }

    /// What the peer is, for people.
    pub(crate) fn label(&self) -> String {
        let [package, rest @ ..] = self.framework.requirements() else {
            return self.framework.name().to_owned();
        };
        let framework = rest.first().copied().unwrap_or_default();
        format!(
            "{} on {}",
            package.replace("==", " "),
            framework.replace("==", " ")
        )
    }

    /// The command that does `task`, `forward` or `training`, with what is in `folder`.
    pub(crate) fn command(&self, task: &str, folder: &Path) -> Vec<OsString> {
        vec![
            self.python.clone().into(),
            script("peer.py"),
            self.framework.name().into(),
            task.into(),
            folder.into(),
        ]
    }

    /// `command` in a process that tells the peak of its memory.
    pub(crate) fn with_peak_memory(&self, command: Vec<OsString>) -> Vec<OsString> {
        let mut line = vec![self.python.clone().into(), script("peak_memory.py")];
        line.extend(command);
        line
    }
}

fn script(name: &str) -> OsString {
    workspace().join("xtask/python").join(name).into()
}
