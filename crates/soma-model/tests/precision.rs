//! Linear maps in 16-bit brain floats: another computation, within a tenth of what audits tolerate.

use soma_model::evaluate::SeededNoise;
use soma_model::{
    Cpu, Device, EvaluateOptions, Evaluation, ModelBackend, ModelConfig, OnDevice, Precision,
    TokenizedData, weights,
};

/// Relative; audits tolerate 1 %.
const TOLERANCE: f64 = 1e-3;

struct Evaluate<'a> {
    file: &'a [u8],
    size: ModelConfig,
    precision: Precision,
}

impl OnDevice for Evaluate<'_> {
    type Output = Evaluation;

    fn run<B: ModelBackend>(self, device: B::Device) -> Evaluation {
        let model = weights::read_as::<B>(self.file, &self.size, self.precision, &device).unwrap();
        let text = "fn main() { println!(\"a text of some length\"); }\n".repeat(60);
        let data = TokenizedData::new(text.as_bytes()).unwrap();
        let options = EvaluateOptions::default();
        model
            .evaluate_many(&[&data], &SeededNoise(1), &options, &device)
            .remove(0)
    }
}

fn compare(device: Device) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let size = ModelConfig::MINI;
    let model = weights::random::<Cpu>(&size, 3, &Default::default());
    weights::write(&model, &path).unwrap();
    let file = std::fs::read(path).unwrap();
    let evaluate = |device: Device, precision| {
        let file = &file[..];
        let work = Evaluate {
            file,
            size,
            precision,
        };
        device.run(work).unwrap()
    };
    let exact = evaluate(Device::Cpu, Precision::F32);
    let rounded = evaluate(device, Precision::Bf16);
    let difference = (exact.loss - rounded.loss).abs() / exact.loss;
    assert!(difference > 1e-7, "nothing was rounded");
    assert!(
        difference < TOLERANCE,
        "{} and {}",
        exact.loss,
        rounded.loss
    );
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let (a, b) = (&exact.embedding, &rounded.embedding);
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    assert!(1.0 - cosine < TOLERANCE, "distance {}", 1.0 - cosine);
}

#[test]
fn the_loss_hardly_changes() {
    compare(Device::Cpu);
}

#[cfg(feature = "cuda")]
#[test]
fn the_loss_hardly_changes_on_cuda() {
    Device::Cuda(0).check_precision(Precision::Bf16).unwrap();
    compare(Device::Cuda(0));
}

/// Not every driver has these numbers; the device says so then.
#[cfg(feature = "wgpu")]
#[test]
fn the_loss_hardly_changes_on_wgpu_where_the_driver_can() {
    match Device::Wgpu(None).check_precision(Precision::Bf16) {
        Ok(()) => compare(Device::Wgpu(None)),
        Err(error) => assert_eq!(error.name(), "DevicePrecision"),
    }
}
