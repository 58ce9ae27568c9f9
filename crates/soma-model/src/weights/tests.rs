use std::io::Cursor;

use burn_flex::Flex;

use super::*;
use crate::v1::V1Model;

type Model = V1Model<Flex>;

fn file(config: &ModelConfig) -> Vec<u8> {
    let model: Model = random(config, 1, &Default::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    write(&model, &path).unwrap();
    std::fs::read(path).unwrap()
}

fn load(bytes: &[u8]) -> Result<Model, WeightsError> {
    read(Cursor::new(bytes), &ModelConfig::SMALL, &Default::default())
}

/// Why the file is not read; a check without a model says the same.
fn refusal(bytes: &[u8]) -> String {
    let refused = load(bytes).map(|_| ()).unwrap_err().to_string();
    let checked = check(Cursor::new(bytes), &ModelConfig::SMALL);
    assert_eq!(checked.unwrap_err().to_string(), refused);
    refused
}

/// The file with its header as changed by `change`.
fn with_header(bytes: &[u8], change: impl FnOnce(String) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let header = change(header);
    let mut changed = (header.len() as u64).to_le_bytes().to_vec();
    changed.extend(header.bytes());
    changed.extend(&bytes[8 + length..]);
    changed
}

#[test]
fn a_model_that_is_written_and_read_is_the_same_file_again() {
    let bytes = file(&ModelConfig::SMALL);
    check(Cursor::new(&bytes), &ModelConfig::SMALL).unwrap();
    let model = load(&bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.safetensors");
    write(&model, &path).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    assert_eq!(model.config(), ModelConfig::SMALL);
}

#[test]
fn the_list_of_tensors_is_that_of_the_architecture() {
    let count = |config| {
        let list = tensors(&config);
        let numbers: usize = list.iter().map(|t| t.shape.iter().product::<usize>()).sum();
        (list.len(), numbers as u64)
    };
    for (_, config) in ModelConfig::presets() {
        assert_eq!(count(config).1, config.parameter_count());
    }
    assert_eq!(count(ModelConfig::V1), (389, 1_209_684_232));
    assert_eq!(count(ModelConfig::SMALL).0, 37);
}

#[test]
fn every_defect_is_named() {
    let good = file(&ModelConfig::SMALL);
    let renamed = with_header(&good, |h| h.replace("final_norm.beta", "final_norm.bete"));
    assert!(refusal(&renamed).contains("`final_norm.beta` is missing"));
    let extra = r#"{"extra":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"#;
    let added = with_header(&good, |h| h.replacen('{', extra, 1));
    assert!(refusal(&added).contains("`extra` does not belong"));
    let wide = with_header(&good, |h| h.replacen("[264,16]", "[16,264]", 1));
    assert!(refusal(&wide).contains("`embedding.weight` has shape [16, 264]"));
    let short = with_header(&good, |h| h.replacen("[264,16]", "[263,16]", 1));
    assert!(refusal(&short).contains("`embedding.weight` has shape [263, 16]"));
    for dtype in ["I32", "F64", "F99"] {
        let other = with_header(&good, |h| {
            h.replacen(
                r#""embedding.weight":{"dtype":"F32""#,
                &format!(r#""embedding.weight":{{"dtype":"{dtype}""#),
                1,
            )
        });
        let error = refusal(&other);
        assert!(error.contains(&format!("`embedding.weight` holds {dtype}; only F32")));
    }
    let negative = with_header(&good, |h| h.replacen("[264,16]", "[-264,16]", 1));
    assert!(refusal(&negative).contains("tensor `embedding.weight` in its header"));
    let moved = with_header(&good, |h| h.replacen("[0,16896]", "[4,16900]", 1));
    assert!(refusal(&moved).contains("tensor `embedding.weight` is not at bytes 0..16896"));
    assert!(refusal(&good[..good.len() - 1]).contains("cut off"));
    assert!(refusal(&good[..5]).contains("cut off"));
    assert!(refusal(&[]).contains("cut off"));
    let mut longer = good.clone();
    longer.push(0);
    assert!(refusal(&longer).contains("longer"));
    let mut other = good.clone();
    let end = other.len();
    other[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = refusal(&other);
    assert!(error.contains("holds NaN at place") && error.contains("weights must be finite"));
}

#[test]
fn claims_of_a_header_cost_nothing() {
    let huge = |length: u64| {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(b"{}");
        bytes
    };
    assert!(refusal(&huge(u64::MAX)).contains("claims a header"));
    assert!(refusal(&huge(8 << 20)).contains("cut off"));
    assert!(refusal(&huge(2)).contains("is missing"));
    let elements = |text: &str| {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.bytes());
        bytes
    };
    let trillion = r#"{"embedding.weight":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}"#;
    assert!(refusal(&elements(trillion)).contains("[1000000000000]"));
    let overflow = r#"{"embedding.weight":{"dtype":"F32","shape":[18446744073709551615,9],"data_offsets":[0,9]}}"#;
    assert!(!refusal(&elements(overflow)).is_empty());
    assert!(refusal(&elements("[[[[")).contains("not a weights file"));
    // Nor do they fill an error.
    let long = "x".repeat(1 << 20);
    let dims = vec!["1"; 1 << 19].join(",");
    let good = file(&ModelConfig::SMALL);
    let info = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
    for header in [
        with_header(&good, |h| {
            h.replacen('{', &format!(r#"{{"{long}":{info},"#), 1)
        }),
        with_header(&good, |h| h.replacen("F32", &long, 1)),
        with_header(&good, |h| h.replacen("[264,16]", &format!("[{dims}]"), 1)),
        with_header(&good, |h| {
            h.replacen("[264,16]", &format!(r#""{long}""#), 1)
        }),
        elements(&format!(r#"{{"{long}":1}}"#)),
        elements(&format!(r#""{long}""#)),
    ] {
        assert!(refusal(&header).len() < 600);
    }
}

#[test]
fn half_floats_are_read() {
    let good = file(&ModelConfig::SMALL);
    let model = load(&good).unwrap();
    for dtype in [Dtype::BF16, Dtype::F16] {
        let half = halved(&good, dtype);
        let again = load(&half).unwrap();
        let far = (model.predictor.weight.val() - again.predictor.weight.val())
            .abs()
            .max()
            .into_scalar();
        assert!(far > 0.0 && far < 2e-3, "{far}");
    }
}

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// The file in floats of 16 bits.
fn halved(bytes: &[u8], dtype: Dtype) -> Vec<u8> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let convert = |number: f32| match dtype {
        Dtype::BF16 => half::bf16::from_f32(number).to_le_bytes(),
        _ => half::f16::from_f32(number).to_le_bytes(),
    };
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let numbers = view.data().as_chunks().0.iter();
            let bytes = numbers
                .flat_map(|b| convert(f32::from_le_bytes(*b)))
                .collect();
            (name, view.shape().to_vec(), bytes)
        })
        .collect();
    let views = data.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(dtype, shape.clone(), bytes).unwrap();
        (name, view)
    });
    safetensors::serialize(views, None).unwrap()
}
