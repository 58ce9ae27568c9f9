//! Weights go both ways between this workspace and the published Python package: trained on one
//! side, they give the same logits and the same loss on the other.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::bench::{Framework, Measure, Peer, Side, Tolerance, make_model, print};
use crate::command::{build_example, example, program, workspace};

/// Full sequences that both sides score, and the peer trains on.
const SEQUENCES: usize = 2;
/// Steps of training on each side.
const STEPS: u32 = 10;

/// Exchange trained weights with the published Python package, in both directions.
#[derive(Args)]
pub(crate) struct Interop {
    /// Size of the model.
    #[arg(long, default_value = "mini")]
    model_size: String,
    /// The peer's implementation.
    #[arg(long, value_enum, default_value = "flax")]
    peer: Framework,
    /// End with one line of JSON for each measure.
    #[arg(long)]
    json: bool,
}

impl Interop {
    /// Trains, exchanges, compares.
    ///
    /// # Errors
    /// When the sides differ by more than the tolerance of the golden values.
    pub(crate) fn run(self) -> Result<()> {
        build_example("soma-model", "bench_forward")?;
        let soma = Soma(program("soma")?);
        let peer = Peer::install(self.peer)?;
        let folder = tempfile::tempdir()?;
        let folder = folder.path();
        make_model(folder, &self.model_size, SEQUENCES)?;
        let weights = folder.join("weights.safetensors");
        let random = std::fs::read(&weights)?;

        eprintln!("training here, for the peer to read");
        std::fs::copy(self.train(&soma, folder)?, &weights)?;
        let ours = std::fs::read(&weights)?;
        ensure!(ours != random, "training changed nothing");
        let mut measures = compare("trained_here", folder, &soma, &peer)?;

        eprintln!("training by the peer, to be read here");
        let saved = folder.join("saved.safetensors");
        let line = peer.command("training", folder);
        let mut side = Side::start("the peer", &line, 1)?;
        for _ in 0..STEPS {
            side.number("run")?;
        }
        let answer = side.ask(&format!("save {}", saved.display()))?;
        ensure!(answer == "saved", "the peer answered `{answer}`");
        drop(side);
        std::fs::copy(&saved, &weights)?;
        ensure!(
            std::fs::read(&weights)? != ours,
            "the peer's training changed nothing"
        );
        measures.extend(compare("trained_by_the_peer", folder, &soma, &peer)?);
        print(&measures, self.json)
    }

    /// Trains on the sources of this workspace; the weights.
    fn train(&self, soma: &Soma, folder: &Path) -> Result<String> {
        let sources = workspace().join("crates");
        let steps = STEPS.to_string();
        let mut line: Vec<OsString> = vec!["train".into(), sources.into(), "--out".into()];
        line.push(folder.join("run").into());
        let options = [
            "--extension",
            "rs",
            "--model-size",
            &self.model_size,
            "--steps",
            &steps,
            "--accumulation",
            "1",
            "--learning-rate",
            "1e-3",
            "--evaluate-every",
            "0",
            "--evaluated-bytes",
            "4096",
        ];
        line.extend(options.map(OsString::from));
        let trained = soma.run(&line, folder)?;
        let weights = trained["weights"].as_str();
        Ok(weights.context("`soma train` named no weights")?.to_owned())
    }
}

/// Logits and loss on both sides, and the loss that `soma score` says.
fn compare(name: &str, folder: &Path, soma: &Soma, peer: &Peer) -> Result<Vec<Measure>> {
    let tolerance = Tolerance::of_the_fixtures()?;
    let serve: Vec<OsString> = vec![example("bench_forward"), "serve".into(), folder.into()];
    let mut ours = Side::start("ours", &serve, 1)?;
    let mut theirs = Side::start("the peer", &peer.command("forward", folder), 1)?;
    let mut measures = tolerance.compare(name, folder, &mut ours, &mut theirs)?;
    let again = theirs.number(&format!("check {}", folder.join("again.f32").display()))?;
    let line = [
        "score".into(),
        folder.join("input.bin").into(),
        "--weights".into(),
        folder.join("weights.safetensors").into(),
    ];
    let scored = soma.run(&line, folder)?;
    let loss = scored["files"][0]["scores"][0]["loss"].as_f64();
    let loss = loss.with_context(|| format!("`soma score` said no loss: {scored}"))?;
    let difference = tolerance.difference([(loss, again)].into_iter())?;
    measures.push(tolerance.row(&format!("score_{name}"), difference));
    Ok(measures)
}

/// The program `soma`.
struct Soma(PathBuf);

impl Soma {
    /// What a command prints as JSON, with settings of its own in `folder`.
    fn run(&self, line: &[OsString], folder: &Path) -> Result<Value> {
        let output = Command::new(&self.0)
            .env("SOMA_CONFIG_DIR", folder.join("settings"))
            .args(line)
            .arg("--json")
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(
            output.status.success(),
            "{line:?} failed: {}",
            output.status
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
