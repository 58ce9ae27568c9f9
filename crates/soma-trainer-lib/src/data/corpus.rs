//! Everything that is known of the documents without holding their text.

use rayon::prelude::*;

use super::find::{SourceFile, find};
use super::index::{Block, Edge, Index};
use super::split::{Side, Split};
use super::{DataConfig, DataError, LeftOut, Summary};

/// The files, their blocks and the split; memory grows with the number of files and blocks only.
#[derive(Debug)]
pub(super) struct Corpus {
    pub(super) config: DataConfig,
    pub(super) files: Vec<SourceFile>,
    /// In order of files, and of places in a file.
    pub(super) blocks: Vec<Block>,
    pub(super) split: Split,
    pub(super) summary: Summary,
}

impl Corpus {
    /// Finds and indexes the documents that `config` takes.
    ///
    /// Errors: all but `Changed` and `FolderNotEmpty`.
    pub(super) fn open(config: DataConfig) -> Result<Self, DataError> {
        let mut split = Split::new(config.split_seed, config.held_out_fraction)?;
        let mut left = LeftOut::default();
        let files = find(&config, &mut left)?;
        // Files are read beside each other; what they give is put together in their order.
        let read: Result<Vec<Index>, DataError> = files
            .par_iter()
            .enumerate()
            .map(|(at, file)| Index::of(at, file, &split, &config))
            .collect();
        let mut all = Index {
            left,
            ..Index::default()
        };
        read?.into_iter().for_each(|index| all.append(index));
        if config.held_out_fraction > 0.0 {
            fill_both_sides(&mut all, &mut split);
        }
        let summary = Summary {
            files: files.len() as u64,
            training: all.training,
            held_out: all.held_out,
            left_out: all.left,
        };
        if summary.training.documents == 0 {
            let found = found(&summary);
            return Err(DataError::NoDocuments { found });
        }
        Ok(Self {
            config,
            files,
            blocks: all.blocks,
            split,
            summary,
        })
    }

    /// That the file of `block` is not what it was.
    pub(super) fn changed(&self, block: Block, reason: String) -> DataError {
        DataError::Changed {
            path: self.files[block.file].path.clone(),
            reason,
        }
    }
}

/// Moves one document where all are on one side: the one that is next to the other side by its
/// hash, so that the limit still tells the sides apart. A single document is for training.
fn fill_both_sides(all: &mut Index, split: &mut Split) {
    let (training, held_out) = (all.training.documents, all.held_out.documents);
    let moved = match (training, held_out) {
        (2.., 0) => all.least.map(|edge| (edge, Side::HeldOut)),
        (0, 1..) => all.greatest.map(|edge| (edge, Side::Training)),
        _ => None,
    };
    let Some((edge, to)) = moved else {
        return;
    };
    match to {
        Side::HeldOut => {
            split.limit = edge.hash.saturating_add(1);
            all.training.remove(edge.size);
            all.held_out.add(edge.size);
        }
        Side::Training => {
            split.limit = edge.hash;
            all.held_out.remove(edge.size);
            all.training.add(edge.size);
        }
    }
    let own = all
        .blocks
        .iter_mut()
        .filter(|block| block.file == edge.file);
    for (at, block) in own.enumerate() {
        move_document(block, at, &edge, to);
    }
}

fn move_document(block: &mut Block, at: usize, edge: &Edge, to: Side) {
    let moved = match edge.block {
        Some(only) if only == at => edge.size.sequences,
        Some(_) => return,
        None => block.training + block.held_out,
    };
    match to {
        Side::HeldOut => {
            block.training -= moved;
            block.held_out += moved;
        }
        Side::Training => {
            block.held_out -= moved;
            block.training += moved;
        }
    }
}

fn found(summary: &Summary) -> String {
    let left = &summary.left_out;
    let mut text = format!("{} files", summary.files);
    let kinds = [
        (left.empty, "empty documents"),
        (left.too_long, "documents above the limit of size"),
        (left.unreadable, "that cannot be read"),
    ];
    for (count, kind) in kinds.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!(", {count} {kind}"));
    }
    if let Some(first) = &left.first_unreadable {
        text.push_str(&format!(" (the first: {first})"));
    }
    text
}
