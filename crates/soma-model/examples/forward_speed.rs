//! Time of a forward pass on a device, with random weights, in each precision that the device has:
//! `cargo run --release --example forward_speed -- [PRESET] [SEQUENCES] [DEVICE]`.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use soma_model::{
    Batch, Cpu, Device, EvaluateOptions, ModelBackend, ModelConfig, OnDevice, Precision, V1Model,
    tokenizer, weights,
};

/// Passes before those that count: a GPU's kernels are compiled and tuned in them.
const WARM_UP: usize = 3;
/// Passes whose median counts.
const PASSES: usize = 7;

struct Forward<'a> {
    weights: &'a Path,
    config: ModelConfig,
    precision: Precision,
    sequences: usize,
}

impl OnDevice for Forward<'_> {
    type Output = Result<(f64, f64), Box<dyn Error>>;

    /// The seconds of a pass, from tokens to logits in the host's memory, and the loss of the first
    /// 4 KiB.
    fn run<B: ModelBackend>(self, device: B::Device) -> Self::Output {
        let file = BufReader::with_capacity(1 << 20, File::open(self.weights)?);
        let model: V1Model<B> = weights::read_as(file, &self.config, self.precision, &device)?;
        let data: Vec<u8> = (0..self.sequences * 1_024)
            .map(|at| (at * 31 % 251) as u8)
            .collect();
        let sequences: Vec<_> = tokenizer::sequences(&data).collect();
        let sequences: Vec<_> = sequences.iter().collect();
        let mut times = Vec::new();
        for _ in 0..WARM_UP + PASSES {
            let start = Instant::now();
            let batch = Batch::new(&sequences, &self.config, &device);
            let logits = model.predict(model.encode(&batch));
            std::hint::black_box(logits.into_data());
            times.push(start.elapsed().as_secs_f64());
        }
        let counted = &mut times[WARM_UP..];
        counted.sort_by(f64::total_cmp);
        let options = EvaluateOptions::default();
        let start = &data[..data.len().min(4_096)];
        let loss = model.evaluate(start, &options, &device)?.loss;
        Ok((counted[PASSES / 2], loss))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let preset = arguments.next().unwrap_or_else(|| "base".to_owned());
    let config = ModelConfig::preset(&preset)?;
    let sequences: usize = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let device: Device = arguments
        .next()
        .map_or(Ok(Device::Cpu), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("weights.safetensors");
    let model = weights::random::<Cpu>(&config, 1, &Default::default());
    weights::write(&model, &path)?;
    drop(model);
    for precision in [Precision::F32, Precision::Bf16] {
        if device.check_precision(precision).is_err() {
            continue;
        }
        let (seconds, loss) = device.run(Forward {
            weights: &path,
            config,
            precision,
            sequences,
        })??;
        let speed = (sequences * 1_024) as f64 / seconds;
        println!(
            "{preset} on {device} in {precision}, {sequences} × 1024 tokens: {:.1} ms, \
             {speed:.0} tokens/s, loss {loss:.6}",
            seconds * 1_000.0
        );
    }
    Ok(())
}
