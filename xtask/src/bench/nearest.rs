//! Exact nearest models against numpy's brute force in 32-bit floats, on the same threads.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use soma_targets::ModelIndex;
use soma_types::{Embedding, ModelId, Shannons};

use super::{Measure, median};

const NEAREST: usize = 3;
const BATCH: usize = 64;
const RUNS: usize = 9;
/// Between the sides: threads of a pool spin for some time after their work, which would take a
/// core from the other side.
const REST: Duration = Duration::from_millis(200);

/// What numpy runs: brute force with the same weighting and selection. Answers each line of its
/// input with the milliseconds of one run.
const PEER: &str = r#"
import sys, time
import numpy as np
models, dim, batch = map(int, sys.argv[1:4])
rng = np.random.default_rng(1)
def unit(count):
    x = rng.standard_normal((count, dim), dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)
X, Q = unit(models), unit(batch)
root = np.sqrt(rng.uniform(1, 100, models)).astype(np.float32)
def one():
    return np.argpartition((1 - X @ Q[0]) / root, 3)[:3]
def many():
    return np.argpartition((1 - Q @ X.T) / root[None, :], 3, axis=1)[:, :3]
work = {"one": one, "many": many}
one(); many()
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    work[line.strip()]()
    print((time.perf_counter() - start) * 1e3, flush=True)
"#;

struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(threads: usize, models: usize, dim: usize) -> Result<Self> {
        let python = crate::python::with("numpy")?;
        let mut command = Command::new(python);
        command.args([
            "-c",
            PEER,
            &models.to_string(),
            &dim.to_string(),
            &BATCH.to_string(),
        ]);
        for name in ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(name, threads.to_string());
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().context("no input")?;
        let output = BufReader::new(process.stdout.take().context("no output")?);
        let mut peer = Self {
            process,
            input,
            output,
        };
        let ready = peer.line()?;
        ensure!(ready == "ready", "numpy did not start: {ready}");
        Ok(peer)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn run(&mut self, work: &str) -> Result<f64> {
        writeln!(self.input, "{work}")?;
        Ok(self.line()?.parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The benchmark is over; a process that is gone already is fine.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn random_embedding(seed: u64, dim: usize) -> Result<Embedding> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    // Sums of uniform numbers are near enough to normal ones here.
    let values: Vec<f32> = (0..dim)
        .map(|_| {
            let bits = rng.next_u64();
            (0..4)
                .map(|part| ((bits >> (16 * part)) as u16 as f32) - 32_767.5)
                .sum()
        })
        .collect();
    Ok(Embedding::from_f32(&values)?)
}

/// Times of one direction and of a batch, and the machine's streaming read.
pub(crate) fn measure(threads: usize, models: usize, dim: usize) -> Result<Vec<Measure>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    pool.install(|| {
        let mut index = ModelIndex::new(dim);
        let embeddings = (0..models as u64)
            .into_par_iter()
            .map(|seed| random_embedding(seed, dim))
            .collect::<Result<Vec<_>>>()?;
        for (number, embedding) in (0u64..).zip(embeddings) {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let stake = Shannons(1_000_000_000 * (1 + number % 100));
            index.insert(ModelId(id), embedding, stake)?;
        }
        let queries = (0..BATCH as u64)
            .map(|n| random_embedding(u64::MAX - n, dim))
            .collect::<Result<Vec<_>>>()?;
        let mut peer = Peer::start(threads, models, dim)?;
        let one = compare(&mut peer, "one", || {
            index.nearest(&queries[0], NEAREST);
        })?;
        let many = compare(&mut peer, "many", || {
            index.nearest_batch(&queries, NEAREST);
        })?;
        drop(peer);
        let scanned = (models * dim) as f64 / 1e6 / one.0;
        let stream = streaming_read(threads);
        let label = format!("{models} models × {dim}, {threads} threads, peer: numpy float32");
        Ok(vec![
            row(format!("nearest 3, 1 direction, {label}"), one),
            row(format!("nearest 3, {BATCH} directions, {label}"), many),
            Measure {
                measure: "coarse bytes scanned for 1 direction, peer: streaming read".to_owned(),
                ratio: Some(scanned / stream),
                ours: scanned,
                peer: Some(stream),
                unit: "GB/s",
            },
        ])
    })
}

fn row(measure: String, (ours, peer, ratio): (f64, f64, f64)) -> Measure {
    Measure {
        measure,
        ratio: Some(ratio),
        ours,
        peer: Some(peer),
        unit: "ms",
    }
}

/// Medians of ours, the peer's, and of the ratios pair by pair. Each side runs twice on a machine
/// that is quiet otherwise, and the second time counts: the first wakes its threads.
fn compare(peer: &mut Peer, work: &str, run: impl Fn()) -> Result<(f64, f64, f64)> {
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        std::thread::sleep(REST);
        run();
        let start = Instant::now();
        run();
        let mine = start.elapsed().as_secs_f64() * 1e3;
        std::thread::sleep(REST);
        peer.run(work)?;
        let other = peer.run(work)?;
        ours.push(mine);
        theirs.push(other);
        ratios.push(other / mine);
    }
    Ok((median(ours), median(theirs), median(ratios)))
}

/// Speed of reading memory once, in GB/s.
fn streaming_read(threads: usize) -> f64 {
    let buffer = vec![1u64; 1 << 27];
    let part = buffer.len().div_ceil(threads.max(1));
    let runs = (0..5).map(|_| {
        let start = Instant::now();
        let sum: u64 = buffer
            .par_chunks(part)
            .map(|part| part.iter().fold(0u64, |sum, word| sum.wrapping_add(*word)))
            .sum();
        std::hint::black_box(sum);
        (buffer.len() * 8) as f64 / 1e9 / start.elapsed().as_secs_f64()
    });
    median(runs.collect())
}
