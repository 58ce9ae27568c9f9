//! Weights with a number that is none are refused by the tensor's name, in every type of number.

use std::io::Cursor;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use soma_model::{Cpu, ModelConfig, V1Model, weights};

/// The small model's file with all numbers zero and of type `dtype`; `place` of the tensor `name`
/// holds `bytes`.
fn file(dtype: Dtype, name: &str, place: usize, bytes: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let model = weights::random::<Cpu>(&ModelConfig::SMALL, 1, &Default::default());
    weights::write(&model, &path).unwrap();
    let read = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&read).unwrap();
    let width = bytes.len();
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(tensor, view)| {
            let mut data = vec![0; view.shape().iter().product::<usize>() * width];
            if tensor == name {
                data[place * width..][..width].copy_from_slice(bytes);
            }
            (tensor.to_owned(), view.shape().to_vec(), data)
        })
        .collect();
    let views = data.iter().map(|(name, shape, data)| {
        let view = TensorView::new(dtype, shape.clone(), data).unwrap();
        (name.as_str(), view)
    });
    serialize(views, None).unwrap()
}

#[test]
fn infinite_numbers_and_those_that_are_none_are_refused_in_every_type() {
    let name = "final_norm.gamma";
    for (dtype, good, bad) in [
        (
            Dtype::F32,
            1.0_f32.to_le_bytes().to_vec(),
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]
                .map(|number| number.to_le_bytes().to_vec()),
        ),
        (
            Dtype::F16,
            0x3c00_u16.to_le_bytes().to_vec(),
            [0x7e00_u16, 0x7c00, 0xfc00].map(|bits| bits.to_le_bytes().to_vec()),
        ),
        (
            Dtype::BF16,
            0x3f80_u16.to_le_bytes().to_vec(),
            [0x7fc0_u16, 0x7f80, 0xff80].map(|bits| bits.to_le_bytes().to_vec()),
        ),
    ] {
        let read = |bytes: &[u8]| {
            let file = Cursor::new(file(dtype, name, 3, bytes));
            weights::read::<Cpu>(file, &ModelConfig::SMALL, &Default::default())
        };
        let model: Result<V1Model<Cpu>, _> = read(&good);
        assert!(model.is_ok(), "{dtype:?}: {:?}", model.err());
        for bytes in bad {
            let error = read(&bytes).map(|_| ()).unwrap_err();
            assert_eq!(error.name(), "NotFinite", "{dtype:?} {bytes:?}: {error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
