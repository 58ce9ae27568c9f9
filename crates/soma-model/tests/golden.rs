//! The golden values, on the CPU.

use std::path::Path;

use soma_model::Cpu;
use soma_model::check::{Comparison, check_folder};

#[test]
fn all_golden_values_are_met() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/model-v1");
    let mut all: Vec<Comparison> = Vec::new();
    check_folder::<Cpu>(&folder, &Default::default(), &mut |line| all.push(line)).unwrap();
    let failed: Vec<_> = all.iter().filter(|line| !line.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    // Two sizes with seven inputs, one of them with two batches.
    assert_eq!(all.len(), 2 * (7 * (3 + 3 + 3) + 3));
}
