//! Real data of different kinds, found on a Rust developer's machine.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use soma_types::Checksum;

use crate::error::DemoError;

/// Larger files are mostly tables and generated code.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Smaller files say little.
const MIN_FILE_BYTES: u64 = 256;
/// The largest file that is held out: every one is scored with several models, by several parties.
const MAX_HELD_OUT_BYTES: u64 = 6 << 10;

/// Files to train on, at least.
const MIN_TRAINING: usize = 16;
/// Held-out files that are looked for, however few bytes are asked for; with half of them it is played
/// still.
const WANTED_HELD_OUT: usize = 8;

/// Files of a domain that liars submit, at most.
const FOR_LIARS: usize = 8;

/// A kind of data that one model specialises in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainConfig {
    /// Its name.
    pub name: String,
    /// Where its files are; none stands for the sources of crates in cargo's registry folder.
    pub paths: Vec<PathBuf>,
    /// Ends of the files' names; none takes all files.
    pub extensions: Vec<String>,
}

impl DomainConfig {
    /// The three that every Rust developer has: Rust sources, prose, manifests.
    pub fn defaults() -> Vec<Self> {
        [("rust", "rs"), ("prose", "md"), ("manifests", "toml")]
            .into_iter()
            .map(|(name, extension)| Self {
                name: name.to_owned(),
                paths: Vec::new(),
                extensions: vec![extension.to_owned()],
            })
            .collect()
    }
}

/// Files of a domain, each content once.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Files to train on.
    pub training: Vec<PathBuf>,
    /// Files that no model sees before they are submitted.
    pub held_out: Vec<PathBuf>,
    /// More of them, for liars: data is taken once.
    pub for_liars: Vec<PathBuf>,
    /// Bytes of the files to train on.
    pub training_bytes: u64,
}

/// Finds the files of all domains: about `bytes` of each, chosen by `seed`, of which every sixth is
/// held out. No content is in two domains or on both sides.
///
/// # Errors
/// [`DemoError::NoData`].
pub fn find(configs: &[DomainConfig], bytes: u64, seed: u64) -> Result<Vec<Domain>, DemoError> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for config in configs {
        found.push(find_one(config, bytes, seed, &mut seen)?);
    }
    Ok(found)
}

fn find_one(
    config: &DomainConfig,
    bytes: u64,
    seed: u64,
    seen: &mut HashSet<Checksum>,
) -> Result<Domain, DemoError> {
    let roots = match config.paths.is_empty() {
        false => config.paths.clone(),
        true => crate_folders(),
    };
    let mut files = Vec::new();
    for root in &roots {
        walk(root, &config.extensions, &mut files);
    }
    files.sort();
    shuffle(&mut files, seed);
    let mut domain = Domain {
        name: config.name.clone(),
        training: Vec::new(),
        held_out: Vec::new(),
        for_liars: Vec::new(),
        training_bytes: 0,
    };
    let mut place = 0;
    for file in files {
        let is_enough =
            domain.training.len() >= MIN_TRAINING && domain.held_out.len() >= WANTED_HELD_OUT;
        if domain.training_bytes >= bytes && is_enough {
            break;
        }
        let Ok(content) = std::fs::read(&file) else {
            continue;
        };
        if !seen.insert(soma_crypto::checksum(&content)) {
            continue;
        }
        // Every sixth is held out; a long one leaves its turn to the next.
        let is_turn = place % 6 == 4;
        if is_turn && content.len() as u64 <= MAX_HELD_OUT_BYTES {
            match domain.for_liars.len() < FOR_LIARS && place % 12 == 4 {
                true => domain.for_liars.push(file),
                false => domain.held_out.push(file),
            }
        } else {
            domain.training_bytes += content.len() as u64;
            domain.training.push(file);
            if is_turn {
                continue;
            }
        }
        place += 1;
    }
    if domain.held_out.len() < WANTED_HELD_OUT / 2 || domain.training.len() < MIN_TRAINING {
        return Err(DemoError::NoData {
            domain: config.name.clone(),
            files: domain.training.len() + domain.held_out.len(),
            roots,
        });
    }
    Ok(domain)
}

/// Where cargo keeps the sources of crates.
fn crate_folders() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    home.map(|home| home.join("registry").join("src"))
        .into_iter()
        .collect()
}

/// Files of a useful size below `path`, links not followed.
fn walk(path: &Path, extensions: &[String], files: &mut Vec<PathBuf>) {
    let Ok(meta) = path.symlink_metadata() else {
        return;
    };
    if meta.is_file() {
        let fits = (MIN_FILE_BYTES..=MAX_FILE_BYTES).contains(&meta.len());
        if fits && has_extension(path, extensions) {
            files.push(path.to_owned());
        }
        return;
    }
    if !meta.is_dir() {
        return;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        // What tools keep for themselves; the folder that was named is looked at in any case.
        if name != "target" && !name.to_string_lossy().starts_with('.') {
            walk(&entry.path(), extensions, files);
        }
    }
}

fn has_extension(path: &Path, extensions: &[String]) -> bool {
    let extension = path.extension().map(|end| end.to_string_lossy());
    extensions.is_empty()
        || extension.is_some_and(|end| {
            extensions
                .iter()
                .any(|known| end.eq_ignore_ascii_case(known))
        })
}

/// Fisher and Yates, by a seed.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    for last in (1..items.len()).rev() {
        let other = (random.next_u64() % (last as u64 + 1)) as usize;
        items.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..files {
            let text = format!("file {n} ").repeat(40);
            std::fs::write(folder.path().join(format!("{n}.rs")), text).unwrap();
        }
        folder
    }

    fn domain(path: &Path) -> DomainConfig {
        DomainConfig {
            name: "rust".to_owned(),
            paths: vec![path.to_owned()],
            extensions: vec!["rs".to_owned()],
        }
    }

    #[test]
    fn every_content_is_taken_once_and_on_one_side() {
        let folder = folder(60);
        for n in 0..20 {
            let copy = folder.path().join(format!("copy-{n}.rs"));
            std::fs::copy(folder.path().join(format!("{n}.rs")), copy).unwrap();
        }
        let found = find(&[domain(folder.path())], u64::MAX, 7).unwrap();
        let one = &found[0];
        let all = one.training.iter().chain(&one.held_out);
        let all = all.chain(&one.for_liars);
        let contents: HashSet<_> = all
            .clone()
            .map(|file| std::fs::read(file).unwrap())
            .collect();
        assert_eq!((all.count(), contents.len()), (60, 60));
        let again = find(&[domain(folder.path())], u64::MAX, 7).unwrap();
        assert_eq!(again[0].training, found[0].training);
        let other = find(&[domain(folder.path())], u64::MAX, 8).unwrap();
        assert_ne!(other[0].training, found[0].training);
    }

    #[test]
    fn enough_files_are_taken_however_few_bytes_are_asked_for() {
        let folder = folder(200);
        let found = find(&[domain(folder.path())], 1, 7).unwrap();
        assert!(found[0].training.len() >= MIN_TRAINING);
        assert_eq!(found[0].held_out.len(), WANTED_HELD_OUT);
    }

    #[test]
    fn too_little_data_is_said_with_the_place_that_was_looked_at() {
        let folder = folder(5);
        let error = find(&[domain(folder.path())], u64::MAX, 7).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("rust") && text.contains(&folder.path().display().to_string()),
            "{text}"
        );
    }
}
