//! The forward pass as a process that is told when to work, for `cargo xtask bench scoring`.
//!
//! `bench_forward make FOLDER SIZE SEQUENCES` writes random weights of a size, an input of that many
//! full sequences, and SIGReg's noise for it and for the first steps of training. `bench_forward
//! serve FOLDER` loads the weights, says `ready`, and answers the lines of its input: `run` with the
//! seconds of one forward pass from tokens to logits, `check PATH` with the loss, after it wrote the
//! logits to PATH as little-endian 32-bit floats.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write, stdin, stdout};
use std::path::Path;
use std::time::Instant;

use soma_model::config::MAX_SEQ_LEN;
use soma_model::noise::sigreg_noise;
use soma_model::sigreg::SLICES;
use soma_model::tokenizer::{self, Sequence};
use soma_model::{Batch, Cpu, EvaluateOptions, ModelConfig, V1Model, weights};

/// The allocator and its settings are those of the programs that people run.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Tensors in large pages.
// SAFETY: the name and the type are those that the allocator reads its settings from.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 11] = b"thp:always\0";

/// Matrices of noise that are written.
const NOISES: u64 = 4;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", folder, size, sequences] => make(Path::new(folder), size, sequences.parse()?),
        ["serve", folder] => serve(Path::new(folder)),
        _ => Err("say `make FOLDER SIZE SEQUENCES` or `serve FOLDER`".into()),
    }
}

fn make(folder: &Path, size: &str, sequences: usize) -> Outcome<()> {
    let config = ModelConfig::preset(size)?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join("config.json"), serde_json::to_string(&config)?)?;
    let input: Vec<u8> = (0..sequences * MAX_SEQ_LEN)
        .map(|at| (at * 31 % 251) as u8)
        .collect();
    fs::write(folder.join("input.bin"), input)?;
    let noise: Vec<f32> = (0..NOISES)
        .flat_map(|number| sigreg_noise(0, number, config.embedding_dim, SLICES))
        .collect();
    write_numbers(&folder.join("noise.f32"), &noise)?;
    let model = weights::random::<Cpu>(&config, 1, &Default::default());
    weights::write(&model, &folder.join("weights.safetensors"))?;
    Ok(())
}

fn serve(folder: &Path) -> Outcome<()> {
    let config: ModelConfig =
        serde_json::from_str(&fs::read_to_string(folder.join("config.json"))?)?;
    let input = fs::read(folder.join("input.bin"))?;
    let sequences: Vec<Sequence> = tokenizer::sequences(&input).collect();
    let sequences: Vec<&Sequence> = sequences.iter().collect();
    let device = Default::default();
    let file = BufReader::with_capacity(1 << 20, File::open(folder.join("weights.safetensors"))?);
    let model: V1Model<Cpu> = weights::read(file, &config, &device)?;
    let forward = || {
        let batch = Batch::new(&sequences, &config, &device);
        model.predict(model.encode(&batch)).into_data()
    };
    answer("ready")?;
    for line in stdin().lines() {
        let line = line?;
        match line.split_once(' ') {
            None if line == "run" => {
                let start = Instant::now();
                std::hint::black_box(forward());
                answer(start.elapsed().as_secs_f64())?;
            }
            Some(("check", path)) => {
                let logits: Vec<f32> = forward().iter::<f32>().collect();
                write_numbers(Path::new(path), &logits)?;
                let result = model.evaluate(&input, &EvaluateOptions::default(), &device)?;
                answer(result.loss)?;
            }
            _ => return Err(format!("unknown command: {line}").into()),
        }
    }
    Ok(())
}

fn answer(text: impl std::fmt::Display) -> Outcome<()> {
    let mut output = stdout();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}

fn write_numbers(path: &Path, numbers: &[f32]) -> Outcome<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for number in numbers {
        file.write_all(&number.to_le_bytes())?;
    }
    Ok(file.flush()?)
}
