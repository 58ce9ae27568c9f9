//! `soma demo`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use soma_demo::{DemoConfig, DomainConfig, Outcome, Watch, report};
use soma_progress::Progress;
use soma_service::stop_signal;

use super::start::own_program;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;
use crate::storage::{StorageOptions, help_of_storage};

/// Play the whole game on this machine: train on real files, publish, submit, cheat, audit, claim
#[derive(Clone, Debug, Args)]
#[command(mut_args(|arg| help_of_storage(
    arg,
    "Where to upload: a folder, `s3://BUCKET/PREFIX`, or the URL of a blob server; default the network's own blob server"
)))]
pub struct Demo {
    /// A kind of data and where its files are; at least three. Default Rust sources, prose and manifests in cargo's registry folder
    #[arg(long = "domain", value_name = "NAME=PATH[,PATH…]")]
    pub domains: Vec<Domain>,
    /// Size of the models: small, mini, base, large or v1
    #[arg(long, value_name = "SIZE", default_value = "mini")]
    pub model_size: String,
    /// Optimizer steps of each model
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Epochs in which targets are filled
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub rounds: u64,
    /// Targets that each submitter fills in an epoch, at most
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub fills: Option<u64>,
    /// Chooses data, weights and order
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Validators, each beside the first in a process of its own; all of them audit
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub validators: u8,
    /// Small models that learn in seconds
    #[arg(long, conflicts_with_all = ["model_size", "steps"])]
    pub quick: bool,
    /// Where everything is kept; default a temporary folder
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Where the report with its plots is written
    #[arg(long, value_name = "FILE", default_value = "soma-demo.html")]
    pub report: PathBuf,
    /// Where blobs are put; default the network's own blob server.
    #[command(flatten)]
    pub storage: StorageOptions,
}

/// A domain as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain(DomainConfig);

impl FromStr for Domain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not NAME=PATH, such as poems=/home/me/poems");
        let (name, paths) = text.split_once('=').ok_or_else(fail)?;
        let paths: Vec<PathBuf> = paths
            .split(',')
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .collect();
        if name.is_empty() || paths.is_empty() || name.contains(['/', '\\']) {
            return Err(fail());
        }
        Ok(Self(DomainConfig {
            name: name.to_owned(),
            paths,
            extensions: Vec::new(),
        }))
    }
}

impl Demo {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        let config = self.config()?;
        // Minutes before there is something to write.
        let was_there = self.report.exists();
        File::options()
            .append(true)
            .create(true)
            .open(&self.report)
            .map_err(CliError::file(&self.report))?;
        let watch = Arc::new(Shown::default());
        let outcome = tokio::select! {
            outcome = soma_demo::run(config, watch.clone()) => outcome.map_err(CliError::from),
            // Dropped with its network and its temporary folder.
            () = stop_signal() => Err(CliError::Stopped),
        };
        watch.end();
        if outcome.is_err() && !was_there {
            // Nothing is in it. One that stays is no harm.
            let _ = std::fs::remove_file(&self.report);
        }
        let output = finish(&outcome?, &self.report)?;
        context.say(&format!("Report: {}", self.report.display()));
        Ok(output)
    }

    fn config(&self) -> Result<DemoConfig, CliError> {
        let base = match self.quick {
            true => DemoConfig::quick(),
            false => DemoConfig {
                model_size: self.model_size.clone(),
                ..DemoConfig::default()
            },
        };
        let domains = self.domains.iter().map(|domain| domain.0.clone());
        Ok(DemoConfig {
            domains: match self.domains.is_empty() {
                true => base.domains,
                false => domains.collect(),
            },
            steps: self.steps.unwrap_or(base.steps),
            fills: self.fills.unwrap_or(base.fills),
            rounds: self.rounds,
            seed: self.seed,
            validators: self.validators.into(),
            program: own_program(),
            storage: self.storage.named()?,
            folder: self.folder.clone(),
            ..base
        })
    }
}

/// Writes the report. The table is shown whatever went wrong.
fn finish(outcome: &Outcome, report: &Path) -> Result<Output, CliError> {
    let written = std::fs::write(report, report::html(outcome));
    let passed = outcome.passed();
    let mut output = Output::new(outcome, report::text(outcome));
    output.json["passed"] = passed.into();
    output.json["report"] = match &written {
        Ok(()) => report.display().to_string().into(),
        Err(_) => serde_json::Value::Null,
    };
    let output = Box::new(output);
    match (passed, written) {
        (true, Ok(())) => Ok(*output),
        (false, _) => Err(CliError::DemoFailed { output }),
        (true, Err(error)) => Err(CliError::NoReport {
            path: report.to_owned(),
            reason: error.to_string(),
            output,
        }),
    }
}

/// Shows the game on standard error.
#[derive(Default)]
struct Shown(Mutex<Option<(String, Progress)>>);

impl Shown {
    fn end(&self) {
        let mut bar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bar)) = bar.take() {
            bar.finish();
        }
    }
}

impl Watch for Shown {
    fn say(&self, text: &str) {
        self.end();
        eprintln!("{text}");
    }

    fn training(&self, domain: &str, done: u64, of: u64, text: &str) {
        let mut bar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = bar.as_ref().is_none_or(|(name, _)| name != domain);
        if is_other {
            *bar = Some((domain.to_owned(), Progress::new("steps", Some(of))));
        }
        if let Some((_, bar)) = bar.as_ref() {
            bar.message(text);
            bar.set(done);
        }
    }
}

#[cfg(test)]
mod tests {
    use soma_demo::Check;

    use super::*;

    #[test]
    fn domains_are_read_and_what_is_none_is_refused() {
        let domain: Domain = "poems=/a,/b c".parse().unwrap();
        assert_eq!(domain.0.name, "poems");
        assert_eq!(domain.0.paths, [PathBuf::from("/a"), PathBuf::from("/b c")]);
        for bad in ["poems", "=/a", "poems=", "a/b=/c", "poems=,"] {
            assert!(bad.parse::<Domain>().is_err(), "{bad}");
        }
    }

    fn outcome(holds: bool) -> Outcome {
        Outcome {
            checks: vec![Check {
                name: "supply".to_owned(),
                holds,
                detail: "all <SOMA> counted".to_owned(),
            }],
            ..Outcome::default()
        }
    }

    #[test]
    fn the_table_is_not_lost_whatever_goes_wrong_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let output = finish(&outcome(true), &path).unwrap();
        assert_eq!(output.json["passed"], true);
        assert!(output.text.contains("supply"), "{}", output.text);
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains("all &lt;SOMA&gt; counted"), "{page}");

        let error = finish(&outcome(false), &path).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), ("DemoFailed", 1));
        assert!(error.output().unwrap().text.contains("supply"));
        let nowhere = folder.path().join("no").join("report.html");
        for (holds, code) in [(true, "File"), (false, "DemoFailed")] {
            let error = finish(&outcome(holds), &nowhere).unwrap_err();
            assert_eq!((error.code(), error.exit_code()), (code, 1));
            let output = error.output().unwrap();
            assert!(output.text.contains("supply"));
            assert!(output.json["report"].is_null());
        }
    }
}
