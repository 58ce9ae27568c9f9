//! Reveals that are due. A commit whose weights are not revealed in the next epoch costs half the
//! stake, so whatever command its owner runs next says so, with the command that reveals them.
//!
//! ```text
//! SETTINGS/publish/NAME/publication.json    soma model publish, update
//!                 /elsewhere/…              folders of `--state` and of `soma train --publish`
//!                 /commits/MODEL-….json     soma model commit
//! ```

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use soma_sdk::api::{ErrorCode, Status};
use soma_sdk::types::{Address, ChainId, Epoch, ModelId, WeightsKey};
use soma_sdk::workflows::publish::{Publication, is_at_work, peek};
use soma_sdk::{Client, SdkError};
use soma_trainer::arguments::quoted;

use super::commits::{self, Fate, KeptCommit};
use crate::context::Context;
use crate::error::CliError;
use crate::output::duration;

/// Folder of publications in the settings folder.
pub(super) const FOLDER: &str = "publish";

/// Folder in it of files that each hold the path of another folder.
const ELSEWHERE: &str = "elsewhere";

/// How long a command that is about something else waits for the node.
const PATIENCE: Duration = Duration::from_secs(3);

/// The folder of a publication, where none is named: one for each model, and one for each account's
/// new model.
pub(super) fn folder(context: &Context, model: Option<ModelId>, owner: &Address) -> PathBuf {
    let name = model.map_or_else(|| format!("new-{owner}"), |model| model.to_string());
    context.dir.dir().join(FOLDER).join(name)
}

/// Remembers a folder that publications are kept in, so that their reveals are warned of.
///
/// # Errors
/// The settings folder cannot be written.
pub(in crate::commands) fn remember(context: &Context, folder: &Path) -> Result<(), CliError> {
    let all = context.dir.dir().join(FOLDER);
    let folder = std::path::absolute(folder).map_err(CliError::file(folder))?;
    if std::path::absolute(&all).is_ok_and(|all| folder.parent() == Some(&all)) {
        return Ok(());
    }
    let elsewhere = all.join(ELSEWHERE);
    let text = folder.to_string_lossy().into_owned();
    let name = soma_crypto::checksum(text.as_bytes()).to_string();
    let write = || {
        std::fs::create_dir_all(&elsewhere)?;
        std::fs::write(elsewhere.join(name), text)
    };
    write().map_err(CliError::file(&elsewhere))
}

/// All folders that publications may lie in.
fn folders(context: &Context) -> Vec<PathBuf> {
    let all = context.dir.dir().join(FOLDER);
    let paths = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.flatten().map(|entry| entry.path()).collect()
    };
    let elsewhere = paths(&all.join(ELSEWHERE)).into_iter();
    let elsewhere = elsewhere.filter_map(|file| std::fs::read_to_string(file).ok());
    let mut folders = paths(&all);
    folders.extend(elsewhere.map(PathBuf::from));
    folders
}

/// A commit that waits for its reveal, as this machine knows it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::commands) struct Due {
    pub(in crate::commands) model: ModelId,
    /// The one epoch in which it counts; the first that may be while it is not committed.
    pub(in crate::commands) reveal_epoch: Epoch,
    /// False while the commit's transaction may still be executed, and is in no block yet.
    is_committed: bool,
    /// What reveals it.
    pub(in crate::commands) command: String,
    /// A program is at work on it.
    pub(in crate::commands) in_progress: bool,
    #[serde(skip)]
    chain_id: ChainId,
    #[serde(skip)]
    key: WeightsKey,
    /// Of `soma model commit`.
    #[serde(skip)]
    is_kept_commit: bool,
    /// The commit of a publication whose answer was lost: the chain may have it.
    #[serde(skip)]
    signed: Option<KeptCommit>,
    /// The commit that was missed, as the chain says: nothing can be done about it any more.
    #[serde(skip)]
    missed: Option<KeptCommit>,
}

impl Due {
    /// What is due in a folder of publications.
    pub(in crate::commands) fn in_folder(context: &Context, folder: &Path) -> Option<Self> {
        let publication = peek(folder).ok()??;
        Self::of(context, folder, &publication)
    }

    fn of(context: &Context, folder: &Path, publication: &Publication) -> Option<Self> {
        publication.needs_reveal().then_some(())?;
        let signed = KeptCommit::of(publication);
        let reveal_epoch = match (publication.committed, &signed) {
            (Some(committed), _) => committed.epoch.next(),
            (None, Some(signed)) => signed.reveal_epoch,
            (None, None) => return None,
        };
        Some(Self {
            model: publication.model?,
            reveal_epoch,
            is_committed: signed.is_none(),
            command: again(context, folder, publication),
            in_progress: is_at_work(folder),
            chain_id: publication.chain_id,
            key: publication.key,
            is_kept_commit: false,
            signed,
            missed: None,
        })
    }

    /// What is due of a commit of `soma model commit`.
    pub(super) fn of_commit(context: &Context, commit: &KeptCommit) -> Self {
        let start = format!("soma model reveal {}", commit.model);
        Self {
            model: commit.model,
            reveal_epoch: commit.reveal_epoch,
            is_committed: commit.is_executed,
            command: with_options(context, start, commit.owner),
            in_progress: false,
            chain_id: commit.chain_id,
            key: commit.key,
            is_kept_commit: true,
            signed: None,
            missed: None,
        }
    }

    /// What is lost without it, for who ends the program that is at work on it.
    pub(in crate::commands) fn risk(&self) -> String {
        let Self {
            model,
            reveal_epoch,
            ..
        } = self;
        let due = match self.is_committed {
            true => format!("model {model} must be revealed in epoch {reveal_epoch}"),
            false => format!(
                "a commit to weights of model {model} was signed, and may be executed; it must be \
                 revealed in the epoch after the one in which it is"
            ),
        };
        format!("{due}, or half the stake of a new model is lost")
    }

    /// What people read of it in epoch `now`, which ends in `left`.
    pub(in crate::commands) fn warning(&self, now: Epoch, left_ms: u64) -> String {
        let Self {
            model,
            reveal_epoch,
            command,
            ..
        } = self;
        if !self.is_committed {
            return self.uncertain();
        }
        let left = duration(left_ms);
        match now.cmp(reveal_epoch) {
            Ordering::Less => format!(
                "REVEAL DUE: model {model} must be revealed in epoch {reveal_epoch}, which begins \
                 in at most {left}. Run: {command}"
            ),
            Ordering::Equal => format!(
                "REVEAL NOW: model {model} must be revealed in this epoch, which ends in {left}, or \
                 half the stake of a new model is lost, and the update of another one. Run: {command}"
            ),
            Ordering::Greater if self.is_kept_commit => format!(
                "REVEAL MISSED: model {model} was to be revealed in epoch {reveal_epoch}. See: soma \
                 model info {model}"
            ),
            Ordering::Greater => format!(
                "REVEAL MISSED: model {model} was to be revealed in epoch {reveal_epoch}. See: soma \
                 model info {model}; forget it with: {command} --abandon"
            ),
        }
    }

    /// What people read of it where no node says which epoch this is.
    pub(in crate::commands) fn warning_without_node(&self) -> String {
        let Self {
            model,
            reveal_epoch,
            command,
            ..
        } = self;
        match self.is_committed {
            false => self.uncertain(),
            true => format!(
                "REVEAL DUE: model {model} must be revealed in epoch {reveal_epoch}; the node does \
                 not say which one this is. Run: {command}"
            ),
        }
    }

    /// What people read of a commit that is in no block yet.
    fn uncertain(&self) -> String {
        let Self { model, command, .. } = self;
        format!(
            "REVEAL MAY BE DUE: a commit to weights of model {model} was signed, and may be \
             executed. It must be revealed in the epoch after the one in which it is: see `soma \
             model info {model}`. Then run: {command}"
        )
    }
}

/// The command that goes on with a publication.
pub(super) fn again(context: &Context, folder: &Path, publication: &Publication) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let folder = quoted(&folder.display().to_string());
    let start = match (publication.model, publication.create) {
        (Some(model), None) => format!("soma model update {model} --state {folder}"),
        _ => format!("soma model publish --state {folder}"),
    };
    with_options(context, start, publication.owner)
}

/// The command with what this one was given that it would need, too.
fn with_options(context: &Context, mut command: String, owner: Address) -> String {
    let options = &context.options;
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    for (name, value) in [
        ("--sender", Some(owner.to_string())),
        ("--env", options.env.clone()),
        ("--rpc-url", options.rpc_url.clone()),
        ("--client.config", path(&options.client_config)),
        ("--password-file", path(&options.password_file)),
    ] {
        if let Some(value) = value {
            command.push_str(&format!(" {name} {}", quoted(&value)));
        }
    }
    command
}

/// Publications of all chains that wait for their reveals, as far as this machine knows.
fn published(context: &Context) -> impl Iterator<Item = Due> {
    let folders = folders(context).into_iter();
    folders.filter_map(|folder| Due::in_folder(context, &folder))
}

/// Commits of all chains that wait for their reveals, as far as this machine knows.
pub(in crate::commands) fn known(context: &Context) -> Vec<Due> {
    let commits = commits::all(context);
    let commits = commits.iter().map(|commit| Due::of_commit(context, commit));
    sorted(published(context).chain(commits).collect())
}

fn sorted(mut due: Vec<Due>) -> Vec<Due> {
    due.sort_by_key(|due| (due.reveal_epoch, due.model));
    // Several commits of a model are revealed by one command.
    due.dedup_by(|a, b| {
        let is_same = a.command == b.command && a.is_committed == b.is_committed;
        is_same && a.reveal_epoch == b.reveal_epoch && a.missed.is_none() && b.missed.is_none()
    });
    due
}

/// Reveals that wait on the chain of `client`: those that it does not know to be done. Commits
/// that the chain can no longer need are put aside; one that was missed only by who says so.
pub(in crate::commands) async fn due(
    context: &Context,
    client: &Client,
    status: &Status,
) -> Vec<Due> {
    let mut due = Vec::new();
    for one in published(context) {
        if one.chain_id == status.chain_id {
            due.extend(look(client, status.epoch, one).await);
        }
    }
    for commit in commits::all(context) {
        if commit.chain_id == status.chain_id {
            due.extend(follow(context, client, status.epoch, commit).await);
        }
    }
    sorted(due)
}

/// What the chain says of a publication in epoch `now` or later.
async fn look(client: &Client, now: Epoch, due: Due) -> Option<Due> {
    let Some(signed) = &due.signed else {
        return (!is_revealed(client, &due).await).then_some(due);
    };
    let (is_committed, reveal_epoch) = match fate(client, signed).await {
        Ok(Fate::Pending(epoch)) => (true, epoch),
        Ok(Fate::Open) | Err(_) => (false, now.next()),
        Ok(Fate::Revealed | Fate::Over) => return None,
    };
    Some(Due {
        is_committed,
        reveal_epoch,
        ..due
    })
}

/// True where the chain has the weights: they were revealed in another way.
async fn is_revealed(client: &Client, due: &Due) -> bool {
    let model = client.model(&due.model, false).await;
    model.is_ok_and(|model| model.weights.is_some_and(|weights| weights.key == due.key))
}

/// What the chain says of a kept commit in epoch `now` or later.
async fn follow(
    context: &Context,
    client: &Client,
    now: Epoch,
    mut commit: KeptCommit,
) -> Option<Due> {
    let Ok(fate) = fate(client, &commit).await else {
        return Some(Due::of_commit(context, &commit));
    };
    match fate {
        Fate::Pending(epoch) => {
            if !commit.is_executed || commit.reveal_epoch != epoch {
                (commit.is_executed, commit.reveal_epoch) = (true, epoch);
                // For when no node answers; the chain is asked again in any case.
                let _ = commits::keep(context, &commit);
            }
        }
        Fate::Open => (commit.is_executed, commit.reveal_epoch) = (false, now.next()),
        Fate::Over if commit.is_executed && now > commit.reveal_epoch => {
            let due = Due::of_commit(context, &commit);
            return Some(Due {
                missed: Some(commit),
                ..due
            });
        }
        Fate::Revealed | Fate::Over => {
            commits::put_aside(context, &commit);
            return None;
        }
    }
    Some(Due::of_commit(context, &commit))
}

async fn fate(client: &Client, commit: &KeptCommit) -> Result<Fate, SdkError> {
    let balance = client.balance(&commit.owner).await?;
    let model = match client.model(&commit.model, false).await {
        Ok(model) => Some(model),
        Err(error) if error.api_code() == Some(ErrorCode::NotFound) => None,
        Err(error) => return Err(error),
    };
    Ok(commit.fate(&balance, model.as_ref()))
}

/// What waits on the chain of `client`; none when its node does not say so for a while.
pub(super) async fn refresh(context: &Context, client: &Client) -> Option<(Status, Vec<Due>)> {
    let ask = async {
        let status = client.status().await.ok()?;
        let due = due(context, client, &status).await;
        Some((status, due))
    };
    tokio::time::timeout(PATIENCE, ask).await.ok()?
}

/// Warns of reveals that are due and that no program is at work on. A command that is about
/// something else is not kept long by it, and does not fail for it.
pub(in crate::commands) async fn warn(context: &Context) {
    if context.options.json || known(context).iter().all(|due| due.in_progress) {
        return;
    }
    let Ok(client) = context.client() else {
        return;
    };
    match refresh(context, &client).await {
        Some((status, due)) => {
            let left = status.epoch_end_ms.saturating_sub(status.time_ms);
            for due in due.iter().filter(|due| !due.in_progress) {
                context.say(&due.warning(status.epoch, left));
                if let Some(commit) = &due.missed {
                    commits::put_aside(context, commit);
                }
            }
        }
        None => {
            for due in known(context).iter().filter(|due| !due.in_progress) {
                context.say(&due.warning_without_node());
            }
        }
    }
}
