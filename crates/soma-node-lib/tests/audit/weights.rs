//! Sealed weights of the small model, in files.

use std::path::{Path, PathBuf};

use soma_crypto::sealed::{fresh_key, seal_bytes};
use soma_model::{Cpu, ModelConfig, weights};
use soma_types::{Checksum, Url, WeightsManifest};

/// Weights of the small model, all numbers multiplied by `factor`: models of different factors
/// have clearly different losses.
pub(crate) fn weights_file(seed: u64, factor: f32) -> Vec<u8> {
    let model = weights::random::<Cpu>(&ModelConfig::SMALL, seed, &Default::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    weights::write(&model, &path).unwrap();
    let mut file = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(file[..8].try_into().unwrap());
    let start = 8 + usize::try_from(header).unwrap();
    for number in file[start..].chunks_exact_mut(4) {
        let value = f32::from_le_bytes(number.try_into().unwrap());
        number.copy_from_slice(&(value * factor).to_le_bytes());
    }
    file
}

/// Seals `file` and puts it into `folder`.
pub(crate) fn publish(folder: &Path, file: &[u8]) -> WeightsManifest {
    let key = fresh_key();
    let (sealed, report) = seal_bytes(file, &key).unwrap();
    let checksum = soma_crypto::checksum(&sealed);
    WeightsManifest {
        url: url(&put(folder, &checksum, &sealed)),
        checksum,
        size: sealed.len() as u64,
        key,
        plaintext_checksum: report.plaintext_checksum,
    }
}

/// Puts `bytes` under the name of `checksum`, whatever they are.
pub(crate) fn put(folder: &Path, checksum: &Checksum, bytes: &[u8]) -> PathBuf {
    let path = folder.join(checksum.to_string());
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(crate) fn url(path: &Path) -> Url {
    Url::new(format!("file://{}", path.display())).unwrap()
}
