//! Cheaters: one for each kind of fraud. All of them follow the protocol as far as it can be
//! checked at once; the rest is left to the audit.

use std::path::{Path, PathBuf};

use soma_crypto::sealed::{fresh_key, seal};
use soma_sdk::api::TargetView;
use soma_sdk::blobs::{BlobRef, Store};
use soma_sdk::types::{Address, Checksum, ModelId, Shannons, TargetId, WeightsKey};
use soma_sdk::{Account, AuditFilter, CommitModel, PageRequest, SdkError, SubmitData};

use super::scout::{Score, Scored};
use crate::error::DemoError;
use crate::outcome::CheatOutcome;

/// How a submission lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// Other bytes lie behind the URL.
    WrongData,
    /// Nothing lies behind the URL.
    MissingData,
    /// The loss is better than what was measured.
    FalseLoss,
    /// The data lies elsewhere than said.
    FalseEmbedding,
    /// Another model has a lower loss.
    WrongWinner,
}

impl Lie {
    pub(super) const ALL: [Self; 5] = [
        Self::WrongData,
        Self::MissingData,
        Self::FalseLoss,
        Self::FalseEmbedding,
        Self::WrongWinner,
    ];

    /// In words.
    fn text(self) -> &'static str {
        match self {
            Self::WrongData => "other data behind the URL",
            Self::MissingData => "no data behind the URL",
            Self::FalseLoss => "loss better than it is",
            Self::FalseEmbedding => "embedding moved to the target",
            Self::WrongWinner => "another model named the winner",
        }
    }

    /// What the audit must find.
    fn expected(self) -> &'static str {
        match self {
            Self::WrongData => "slashed: data_mismatch",
            Self::MissingData => "slashed: data_unavailable",
            Self::FalseLoss => "slashed: wrong_loss",
            Self::FalseEmbedding => "slashed: wrong_embedding",
            Self::WrongWinner => "slashed: wrong_winner",
        }
    }
}

/// A submission that lies, once it is in a block.
#[derive(Clone, Debug)]
pub(super) struct LyingFill {
    pub(super) lie: Lie,
    pub(super) target: TargetId,
    pub(super) cheater: Address,
    pub(super) bond: Shannons,
}

/// Submits a lie for one of `targets` with one of `scored`; both are taken out.
pub(super) async fn submit(
    account: &Account,
    lie: Lie,
    scored: &mut Vec<Scored>,
    targets: &mut Vec<TargetView>,
    folder: &Path,
) -> Result<Option<LyingFill>, DemoError> {
    let Some((target, data, score)) = choose(lie, scored, targets) else {
        return Ok(None);
    };
    let (target, data) = (targets.swap_remove(target), scored.swap_remove(data));
    let path = folder.join(format!("{lie:?}-{}", target.id));
    let truth = target.embedding.clone().unwrap_or_default();
    match lie {
        Lie::WrongData => write(&path, &vec![b'x'; data.bytes.len()])?,
        Lie::MissingData => {}
        _ => write(&path, &data.bytes)?,
    }
    let url = format!("file://{}", path.display());
    let submit = SubmitData {
        target: target.id,
        url: &url,
        checksum: soma_crypto::checksum(&data.bytes),
        size: data.bytes.len() as u64,
        model: score.model,
        embedding: match lie {
            Lie::FalseEmbedding => &truth,
            _ => &score.numbers,
        },
        loss: match lie {
            Lie::FalseLoss => score.loss / 2.0,
            _ => score.loss,
        },
        scored_with: None,
    };
    account.submit_data(&submit).await?;
    let view = account.client().target(&target.id, false).await?;
    Ok(Some(LyingFill {
        lie,
        target: target.id,
        cheater: account.address(),
        bond: view.fill.map_or(Shannons(0), |fill| fill.bond),
    }))
}

/// Data and target with which the lie is not found out at once.
fn choose(lie: Lie, scored: &[Scored], targets: &[TargetView]) -> Option<(usize, usize, Score)> {
    for (place, target) in targets.iter().enumerate() {
        for (number, data) in scored.iter().enumerate() {
            let (winner, loser) = (data.winner()?, data.loser()?);
            let fits = match lie {
                Lie::WrongData | Lie::MissingData | Lie::FalseLoss => winner.hits(target),
                Lie::FalseEmbedding => !winner.hits(target),
                // By three times what audits tolerate, or naming it is no lie.
                Lie::WrongWinner => loser.hits(target) && loser.loss > 1.03 * winner.loss + 0.03,
            };
            if fits {
                let score = if lie == Lie::WrongWinner {
                    loser
                } else {
                    winner
                };
                return Some((place, number, score.clone()));
            }
        }
    }
    None
}

/// What became of lies, once their epoch and the next are over.
pub(super) async fn results(
    client: &soma_sdk::Client,
    fills: &[LyingFill],
) -> Result<Vec<CheatOutcome>, DemoError> {
    let mut all = Vec::new();
    for fill in fills {
        let target = client.target(&fill.target, false).await?;
        let caught = target.status == "fraud";
        let audits = AuditFilter {
            target: Some(fill.target),
            ..AuditFilter::default()
        };
        let audits = client.audits(&audits, &PageRequest::default()).await?;
        let reason = audits.items.first().and_then(|audit| audit.reason.clone());
        let result = match (caught, reason) {
            (true, Some(reason)) => format!("slashed: {reason}"),
            (true, None) => "slashed".to_owned(),
            (false, _) => format!("undetected: target is {}", target.status),
        };
        all.push(CheatOutcome {
            kind: fill.lie.text().to_owned(),
            address: fill.cheater,
            expected: fill.lie.expected().to_owned(),
            result,
            lost: if caught { fill.bond } else { Shannons(0) },
            caught,
        });
    }
    Ok(all)
}

/// A model whose owner cheats.
#[derive(Clone, Debug)]
pub(super) struct CheatingModel {
    pub(super) kind: &'static str,
    /// What must become of it.
    expected: &'static str,
    pub(super) id: ModelId,
    pub(super) owner: Address,
    key: WeightsKey,
    embedding: Vec<f32>,
}

/// How a model's owner cheats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// Those of somebody else.
    Copied,
    /// Sealed under another key than the one that will be revealed.
    Undecryptable,
    /// Good ones, with an embedding of another length.
    WrongEmbedding,
}

/// Creates a model and commits to weights with which something is wrong.
pub(super) async fn commit(
    account: &Account,
    how: Weights,
    weights: &Path,
    store: &Store,
    folder: &Path,
    dim: usize,
) -> Result<CheatingModel, DemoError> {
    let key = fresh_key();
    let sealed_with = match how {
        Weights::Undecryptable => fresh_key(),
        Weights::Copied | Weights::WrongEmbedding => key,
    };
    let (blob, plaintext) = upload_sealed(weights, &sealed_with, store, folder).await?;
    let numbers = match how {
        Weights::WrongEmbedding => dim + 1,
        Weights::Copied | Weights::Undecryptable => dim,
    };
    let mut embedding = vec![0.0_f32; numbers];
    if let Some(first) = embedding.first_mut() {
        *first = 1.0;
    }
    let (id, _) = account.create_model(None, 0).await?;
    let commit = CommitModel {
        model: id,
        url: &blob.url,
        checksum: blob.checksum,
        size: blob.size,
        plaintext_checksum: plaintext,
        key,
        embedding: &embedding,
    };
    // `commit_model` would refuse what is seen to be a copy.
    account.execute(commit.to_kind()?).await?;
    Ok(CheatingModel {
        kind: match how {
            Weights::Copied => "weights of somebody else",
            Weights::Undecryptable => "weights that no key opens",
            Weights::WrongEmbedding => "embedding of another length",
        },
        expected: match how {
            Weights::Copied => "refused: WeightsAlreadyRevealed",
            Weights::Undecryptable => "slashed: undecryptable",
            Weights::WrongEmbedding => "refused: EmbeddingDimensionMismatch",
        },
        id,
        owner: account.address(),
        key,
        embedding,
    })
}

async fn upload_sealed(
    weights: &Path,
    key: &WeightsKey,
    store: &Store,
    folder: &Path,
) -> Result<(BlobRef, Checksum), DemoError> {
    let to = folder.join(format!("sealed-{}", soma_crypto::checksum(key.0)));
    let (from, place, key) = (weights.to_owned(), to.clone(), *key);
    let sealed = tokio::task::spawn_blocking(move || {
        let reader = std::fs::File::open(&from).map_err(DemoError::file(&from))?;
        let writer = std::fs::File::create(&place).map_err(DemoError::file(&place))?;
        seal(
            std::io::BufReader::new(reader),
            std::io::BufWriter::new(writer),
            &key,
        )
        .map_err(DemoError::step("sealing"))
    });
    let report = sealed.await.map_err(DemoError::step("sealing"))??;
    Ok((store.upload(&to).await?, report.plaintext_checksum))
}

/// Reveals; what the chain says of it when it refuses.
pub(super) async fn reveal(
    account: &Account,
    model: &CheatingModel,
) -> Result<Option<String>, DemoError> {
    let revealed = account
        .reveal_model(model.id, model.key, &model.embedding)
        .await;
    match revealed {
        Ok(_) => Ok(None),
        Err(SdkError::TransactionFailed { name, .. }) => Ok(Some(name)),
        Err(error) => Err(error.into()),
    }
}

/// What became of a model: `refused` is the name of the error when its reveal was.
pub(super) async fn result(
    client: &soma_sdk::Client,
    model: &CheatingModel,
    stake: Shannons,
    refused: Option<String>,
) -> Result<CheatOutcome, DemoError> {
    let view = client.model(&model.id, false).await?;
    let left = view.pool.map_or(Shannons(0), |pool| pool.stake);
    let lost = Shannons(stake.0.saturating_sub(left.0));
    let ended = view.status == "inactive";
    let audits = AuditFilter {
        model: Some(model.id),
        ..AuditFilter::default()
    };
    let audits = client.audits(&audits, &PageRequest::default()).await?;
    let reason = audits.items.first().and_then(|audit| audit.reason.clone());
    let result = match (refused, reason) {
        (Some(name), _) => format!("refused: {name}"),
        (None, Some(reason)) if ended && lost.0 > 0 => format!("slashed: {reason}"),
        (None, None) if ended && lost.0 > 0 => "slashed".to_owned(),
        (None, _) => format!("undetected: model is {}", view.status),
    };
    Ok(CheatOutcome {
        kind: model.kind.to_owned(),
        address: model.owner,
        expected: model.expected.to_owned(),
        caught: !result.starts_with("undetected"),
        result,
        lost,
    })
}

fn write(path: &PathBuf, bytes: &[u8]) -> Result<(), DemoError> {
    std::fs::write(path, bytes).map_err(DemoError::file(path))
}
