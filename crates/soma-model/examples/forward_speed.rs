//! Time of a forward pass on the CPU: `cargo run --release --example forward_speed -- [PRESET] [SEQUENCES]`.

use std::time::Instant;

use soma_model::{Batch, Cpu, ModelConfig, tokenizer, weights};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let config = ModelConfig::preset(&arguments.next().unwrap_or_else(|| "base".to_owned()))?;
    let count: usize = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let device = Default::default();
    let model = weights::random::<Cpu>(&config, 1, &device);
    let data: Vec<u8> = (0..count * 1_024).map(|at| (at * 31 % 251) as u8).collect();
    let sequences: Vec<_> = tokenizer::sequences(&data).collect();
    let sequences: Vec<_> = sequences.iter().collect();
    let mut times = Vec::new();
    for _ in 0..7 {
        let start = Instant::now();
        let batch = Batch::new(&sequences, &config, &device);
        let logits = model.predict(model.encode(&batch));
        std::hint::black_box(logits.into_data());
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{count} × 1024 tokens: {:.3} s, {:.0} tokens/s",
        times[3],
        data.len() as f64 / times[3]
    );
    Ok(())
}
