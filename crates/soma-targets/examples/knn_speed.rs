//! Times of the exact nearest models for one direction and for a batch, without a peer.
//!
//! ```text
//! cargo run --release --example knn_speed -- [MODELS] [DIM]
//! ```

use std::time::Instant;

use rayon::prelude::*;
use soma_targets::{ModelIndex, draw_direction};
use soma_types::{Digest, ModelId, Shannons};

const BATCH: u64 = 64;
const NEAREST: usize = 3;
const RUNS: usize = 15;

/// Median milliseconds of `run`.
fn median_ms<T>(run: impl Fn() -> T) -> f64 {
    std::hint::black_box(run());
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(run());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (models, dim) = (number(100_000)?, usize::try_from(number(2_048)?)?);

    let drawn: Vec<_> = (0..models)
        .into_par_iter()
        .map(|number| draw_direction(&Digest([1; 32]), number, dim))
        .collect();
    let mut index = ModelIndex::new(dim);
    for (number, embedding) in (0u64..).zip(drawn) {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let stake = Shannons(1_000_000_000 * (1 + number % 100));
        index.insert(ModelId(id), embedding, stake)?;
    }
    let queries: Vec<_> = (0..BATCH)
        .map(|number| draw_direction(&Digest([2; 32]), number, dim))
        .collect();

    let exact = queries.first().is_none_or(|query| {
        index.nearest(query, NEAREST) == index.nearest_reference(query, NEAREST)
    });
    let one = median_ms(|| queries.first().map(|query| index.nearest(query, NEAREST)));
    let many = median_ms(|| index.nearest_batch(&queries, NEAREST));
    println!("models {models}, components {dim}, as the definition: {exact}");
    println!("1 direction:   {one:.2} ms");
    println!("{BATCH} directions: {many:.2} ms");
    Ok(())
}
