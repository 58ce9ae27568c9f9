//! `soma score`: what models say of data, before money moves.

mod files;
mod judge;
mod models;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use soma_blobs::BlobError;
use soma_scoring::error::LoadError;
use soma_scoring::{ModelSource, PieceScores, Scorer, ScorerConfig, ScoringError, TokenizedData};
use soma_sdk::types::{Embedding, ModelId, TargetId};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Output, table};
use files::DataFile;
use judge::Judge;
use models::Models;
pub(super) use models::size_of;

/// Score files with models: loss, bits per byte, distance
#[derive(Clone, Debug, Args)]
pub struct Score {
    /// Files to score, and folders whose files are scored
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Score with weights files of this machine, not sealed
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub weights: Vec<PathBuf>,
    /// Score with models of the network
    #[arg(long = "model", alias = "model-id", num_args = 1.., value_name = "ID")]
    pub models: Vec<ModelId>,
    /// Score with the active models of a target, and measure the distance to it
    #[arg(long, alias = "target-id", value_name = "ID", conflicts_with_all = ["weights", "models"])]
    pub target: Option<TargetId>,
    /// Say whether a submission would hit the target, its bond and reward, or why not
    #[arg(long)]
    pub dry_run: bool,
    /// Where models run: cpu, wgpu, wgpu:N, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: soma_scoring::Device,
    /// Size of the models; default by their file or the network
    #[arg(long, value_name = "SIZE")]
    pub model_size: Option<String>,
    /// Seed of the noise; the network uses 0
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Download weights from private addresses and files too; always so on a localnet
    #[arg(long)]
    pub allow_private_addresses: bool,
}

impl Score {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        if self.dry_run && self.target.is_none() {
            let text = "--dry-run needs --target: which target would be hit?";
            return Err(CliError::Usage(text.to_owned()));
        }
        if self.dry_run && self.seed != 0 {
            let text = format!(
                "--dry-run scores as the network does, with seed 0; leave out --seed {}",
                self.seed
            );
            return Err(CliError::Usage(text));
        }
        if self.weights.is_empty() && self.models.is_empty() && self.target.is_none() {
            let text = "say what to score with: weights of this machine with --weights FILE, models of \
                        the network with --model ID, or those of a target with --target ID";
            return Err(CliError::Usage(text.to_owned()));
        }
        // Before anything is downloaded.
        self.device.probe().map_err(ScoringError::from)?;
        let files = files::find(&self.paths)?;
        let mut judge = match self.target {
            Some(id) => Some(Judge::of(context, id).await?),
            None => None,
        };
        let (scored, names) = match self.score(context, &files, judge.as_ref()).await {
            Err(error) if is_damaged_download(&error) => {
                context.say("A kept download was damaged: getting it again.");
                self.score(context, &files, judge.as_ref()).await?
            }
            scored => scored?,
        };
        if let (Some(judge), true) = (&mut judge, self.dry_run) {
            let read = scored.iter().filter(|one| one.file.is_read);
            let checksums = read.map(|one| one.file.name.checksum);
            judge.look_up(context, checksums).await?;
        }
        let output = report(&scored, &names, judge.as_ref(), self.dry_run);
        if scored.iter().any(|one| one.result.is_ok()) {
            return Ok(output);
        }
        Err(CliError::NothingScored {
            files: scored.len(),
            output: Box::new(output),
        })
    }

    /// Scores `files` with the models that are named, and gives these their names.
    async fn score(
        &self,
        context: &Context,
        files: &[DataFile],
        judge: Option<&Judge>,
    ) -> Result<(Vec<Scored>, Vec<String>), CliError> {
        let models = Models::find(context, self, judge).await?;
        let mut config = ScorerConfig::new(models.size, self.device);
        if let Some(judge) = judge {
            config.max_data_bytes = judge.max_bytes();
        }
        let (files, seed) = (files.to_vec(), self.seed);
        let scored = tokio::task::spawn_blocking(move || {
            let scorer = Scorer::new(config)?;
            score_all(&scorer, &files, &models, seed)
        });
        let scored = scored.await;
        scored.map_err(|error| CliError::Invalid(format!("scoring stopped: {error}")))?
    }
}

/// True when a kept download is not what it was; it is gone then, and a second try gets it anew.
fn is_damaged_download(error: &CliError) -> bool {
    matches!(error, CliError::Model { error, .. }
        if matches!(**error, LoadError::Blob(BlobError::Damaged { .. })))
}

/// A file with what the models say of it.
struct Scored {
    file: DataFile,
    result: Result<PieceScores, ScoringError>,
}

/// Sequences that go through a model before the next file is read.
const SEQUENCES: usize = 64;

/// Scores every file, small ones together, with a bar where somebody watches.
fn score_all(
    scorer: &Scorer,
    files: &[DataFile],
    models: &Models,
    seed: u64,
) -> Result<(Vec<Scored>, Vec<String>), CliError> {
    let sources: Vec<&dyn ModelSource> = models.all.iter().map(|(_, model)| &**model).collect();
    let bar = progress(files.len());
    let mut scored = Vec::new();
    let mut files = files.iter().peekable();
    while let Some(first) = files.peek() {
        bar.set_message(first.path.display().to_string());
        let (mut group, mut sequences) = (Vec::new(), 0);
        while sequences < SEQUENCES
            && let Some(file) = files.next()
        {
            let (file, tokens) = tokenize(scorer, file.clone())?;
            sequences += tokens.as_ref().map_or(0, TokenizedData::sequences);
            group.push((file, tokens));
        }
        bar.inc(group.len() as u64);
        let group = score_group(scorer, group, &sources, seed);
        scored.extend(group.map_err(|error| named(error, models))?);
    }
    bar.finish_and_clear();
    let names = models.all.iter().map(|(name, _)| name.clone()).collect();
    Ok((scored, names))
}

/// A file's data, or why it cannot be scored.
type Tokens = Result<TokenizedData, ScoringError>;

fn tokenize(scorer: &Scorer, mut file: DataFile) -> Result<(DataFile, Tokens), CliError> {
    let (size, max) = (file.name.size, scorer.config().max_data_bytes);
    if size > max {
        return Ok((file, Err(ScoringError::DataTooLarge { size, max })));
    }
    let bytes = file.read(max)?;
    let tokens = scorer.tokenize(&bytes);
    Ok((file, tokens))
}

/// Whoever named a model knows it by that name, not by its place.
fn named(error: ScoringError, models: &Models) -> CliError {
    let code = error.code().name();
    match error {
        ScoringError::Model { model, error } if model < models.all.len() => CliError::Model {
            name: models.all[model].0.clone(),
            code,
            error: Box::new(error),
        },
        error => error.into(),
    }
}

/// Data can be at fault for itself alone; a model is needed for all.
fn score_group(
    scorer: &Scorer,
    group: Vec<(DataFile, Tokens)>,
    sources: &[&dyn ModelSource],
    seed: u64,
) -> Result<Vec<Scored>, ScoringError> {
    let tokens = group.iter().filter_map(|(_, tokens)| tokens.as_ref().ok());
    let pieces: Vec<&TokenizedData> = tokens.collect();
    let scores = match pieces.is_empty() || sources.is_empty() {
        // Where no model of a target is active, data has no scores.
        true => vec![PieceScores(Vec::new()); pieces.len()],
        false => scorer.score_many(&pieces, sources, seed)?,
    };
    let mut scores = scores.into_iter();
    let scored = group.into_iter().map(|(file, tokens)| {
        let result = match tokens {
            Ok(_) => scores.next().ok_or(ScoringError::EmptyData),
            Err(error) => Err(error),
        };
        Scored { file, result }
    });
    Ok(scored.collect())
}

fn progress(files: usize) -> ProgressBar {
    if files < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {eta} left  {wide_msg}");
    let bar = ProgressBar::new(files as u64);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn report(scored: &[Scored], names: &[String], judge: Option<&Judge>, dry_run: bool) -> Output {
    let target = judge.map(|judge| &judge.embedding);
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    let mut all = Vec::new();
    for one in scored {
        let path = one.file.path.display().to_string();
        let mut entry = json!({
            "path": path,
            "size": one.file.name.size,
        });
        if one.file.is_read {
            entry["checksum"] = json!(one.file.name.checksum);
        }
        match &one.result {
            Err(error) => {
                rows.push(without_scores(&path, one, error.code().name()));
                notes.push(format!("{path}: {error}"));
                entry["error"] = json!(error.body());
            }
            Ok(scores) => {
                rows.extend(lines(&path, one, scores, names, target));
                entry["scores"] = json!(views(scores, names, target));
                entry["winner"] = json!(scores.winner().map(|place| &names[place]));
                if let (Some(judge), true) = (judge, dry_run) {
                    let verdict = judge.verdict(&one.file, scores);
                    notes.push(format!("{path}: {}", verdict.text()));
                    entry["dry_run"] = verdict.json();
                }
            }
        }
        all.push(entry);
    }
    let head = [
        "FILE",
        "BYTES",
        "MODEL",
        "LOSS",
        "BITS/BYTE",
        "DISTANCE",
        "",
    ];
    let mut text = table(head, &rows);
    for note in notes {
        text.push_str(&note);
        text.push('\n');
    }
    Output::new(&json!({ "files": all }), text)
}

/// The line of a file that no model scored.
fn without_scores(path: &str, one: &Scored, why: &str) -> [String; 7] {
    let size = one.file.name.size.to_string();
    [path, &size, "-", why, "", "", ""].map(str::to_owned)
}

fn lines(
    path: &str,
    one: &Scored,
    scores: &PieceScores,
    names: &[String],
    target: Option<&Embedding>,
) -> Vec<[String; 7]> {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.6}"));
    if scores.0.is_empty() {
        return vec![without_scores(path, one, "ModelNotActive")];
    }
    let winner = scores.winner();
    let scores = scores.0.iter().zip(names).enumerate();
    scores
        .map(|(place, (score, name))| {
            let view = score.view(target);
            [
                path.to_owned(),
                one.file.name.size.to_string(),
                short(name),
                number(view.loss),
                number(view.bits_per_byte),
                number(view.distance),
                if winner == Some(place) { "best" } else { "" }.to_owned(),
            ]
        })
        .collect()
}

fn views(scores: &PieceScores, names: &[String], target: Option<&Embedding>) -> Vec<Value> {
    let scores = scores.0.iter().zip(names);
    scores
        .map(|(score, name)| {
            let mut view = json!(score.view(target));
            view["model"] = json!(name);
            view
        })
        .collect()
}

/// A name that fits into a table: ids are long.
fn short(name: &str) -> String {
    match name.strip_prefix("0x") {
        Some(digits) if digits.len() > 12 => format!("0x{}…", &digits[..8]),
        _ => name.to_owned(),
    }
}
