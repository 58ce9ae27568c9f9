//! Averages of weights.

use std::fs;
use std::path::PathBuf;

use soma_model::{Cpu, ModelConfig, weights};
use soma_trainer::average;
use tempfile::TempDir;

use crate::support::numbers;

const SIZE: ModelConfig = ModelConfig::SMALL;

fn random(folder: &TempDir, seed: u64, size: &ModelConfig) -> PathBuf {
    let path = folder.path().join(format!("{seed}.safetensors"));
    let model = weights::random::<Cpu>(size, seed, &Default::default());
    weights::write(&model, &path).expect("written");
    path
}

#[test]
fn every_number_is_the_mean_of_those_of_the_files() {
    let folder = tempfile::tempdir().expect("folder");
    let paths = [1, 2, 3].map(|seed| random(&folder, seed, &SIZE));
    let output = folder.path().join("average.safetensors");
    let [a, b, c] = paths.each_ref().map(|path| numbers(path));
    for (shares, [p, q, r]) in [
        (None, [1.0 / 3.0; 3]),
        (Some([1.0, 0.0, 3.0]), [0.25, 0.0, 0.75]),
    ] {
        let shares = shares.as_ref().map(|shares| &shares[..]);
        average(&paths, shares, &SIZE, &output).expect("averaged");
        let got = numbers(&output);
        for (place, value) in got.iter().enumerate() {
            let [a, b, c] = [a[place], b[place], c[place]].map(f64::from);
            let expected = p * a + q * b + r * c;
            assert!((f64::from(*value) - expected).abs() < 1e-7);
        }
    }
}

#[test]
fn the_average_of_one_file_is_that_file() {
    let folder = tempfile::tempdir().expect("folder");
    let path = random(&folder, 4, &SIZE);
    let output = folder.path().join("same.safetensors");
    average(std::slice::from_ref(&path), None, &SIZE, &output).expect("averaged");
    assert_eq!(
        fs::read(path).expect("file"),
        fs::read(output).expect("file")
    );
}

#[test]
fn files_of_another_size_and_cut_files_are_refused_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().expect("folder");
    let good = random(&folder, 1, &SIZE);
    let output = random(&folder, 9, &SIZE);
    let before = fs::read(&output).expect("file");
    let mut spoiled = fs::read(&good).expect("file");
    let end = spoiled.len();
    let cut = folder.path().join("cut");
    fs::write(&cut, &spoiled[..end - 4]).expect("written");
    let not_finite = folder.path().join("nan");
    spoiled[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&not_finite, spoiled).expect("written");
    let wide = ModelConfig {
        hidden_dim: 64,
        ..SIZE
    };
    let other = random(&folder, 2, &wide);
    for (bad, reason) in [
        (cut, "cut off"),
        (not_finite, "NaN"),
        (other, "linear_inner"),
    ] {
        let name = bad.to_string_lossy().into_owned();
        let error = average(&[good.clone(), bad], None, &SIZE, &output).expect_err("refused");
        assert_eq!(error.name(), "Weights");
        let text = error.to_string();
        assert!(text.contains(reason) && text.contains(&name), "{text}");
        assert_eq!(fs::read(&output).expect("file"), before);
    }
    let left = fs::read_dir(folder.path()).expect("folder").count();
    assert_eq!(left, 5, "nothing half written is left");
}

#[test]
fn shares_must_be_as_many_as_files_and_mean_something() {
    let folder = tempfile::tempdir().expect("folder");
    let paths = [1, 2].map(|seed| random(&folder, seed, &SIZE));
    let output = folder.path().join("average");
    let refused = |paths: &[PathBuf], shares: Option<&[f64]>| {
        let error = average(paths, shares, &SIZE, &output).expect_err("refused");
        error.name()
    };
    assert_eq!(refused(&[], None), "AverageOfWhat");
    assert_eq!(refused(&paths, Some(&[1.0])), "AverageOfWhat");
    for shares in [
        [0.0, 0.0],
        [-1.0, 2.0],
        [f64::NAN, 1.0],
        [f64::INFINITY, 1.0],
    ] {
        assert_eq!(refused(&paths, Some(&shares)), "AverageShares");
    }
}
