//! Hostile bytes: decoding never panics, never takes much more memory than the input has, and
//! accepts exactly one encoding of every value. A target of its own, for its allocator counts.

use std::alloc::System;
use std::fmt::Debug;
use std::sync::Mutex;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use soma_chain::{Key, StateProof, verify_proof};
use soma_tests::game::Game;
use soma_tests::samples::Samples;
use soma_tests::world::{Setup, World};
use soma_types::bounded::BoundedVec;
use soma_types::codec::{decode, encode};
use soma_types::{Block, Genesis, Proposal, Receipt, SignedTransaction};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts are of the whole process: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Bytes that decoding may take on top of a multiple of its input: error texts and first
/// allocations of lists.
const ALLOWANCE: usize = 16 * 1_024;

/// As [`ALLOWANCE`], for documents with plain lists: these reserve up to 1 MiB each at first.
/// They come from files and nodes that their reader chose.
const ALLOWANCE_FOR_DOCUMENTS: usize = ALLOWANCE + 5 * 1_024 * 1_024;

/// Decodes `bytes`; what is accepted must be their only encoding.
fn decode_checked<T: Serialize + DeserializeOwned>(bytes: &[u8], allowance: usize) -> Option<T> {
    let region = Region::new(ALLOCATOR);
    let decoded = decode::<T>("a sample", bytes);
    let taken = region.change();
    let most = 32 * bytes.len() + allowance;
    assert!(
        taken.bytes_allocated < most,
        "{} bytes for an input of {}",
        taken.bytes_allocated,
        bytes.len()
    );
    let value = decoded.ok()?;
    assert!(encode(&value) == bytes, "a second encoding of one value");
    Some(value)
}

/// The encodings of a good value lead back to it; damaged ones are refused or of another value.
fn check<T>(value: &T, samples: &mut Samples, allowance: usize)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = encode(value);
    assert!(!bytes.is_empty());
    assert_eq!(decode_checked::<T>(&bytes, allowance).as_ref(), Some(value));
    let json = serde_json::to_string(value).expect("has a JSON form");
    assert_eq!(
        &serde_json::from_str::<T>(&json).expect("is read again"),
        value
    );

    for tail in [0, 1, 0xff] {
        let mut longer = bytes.clone();
        longer.push(tail);
        assert!(
            decode_checked::<T>(&longer, allowance).is_none(),
            "bytes left over"
        );
    }
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(
            decode_checked::<T>(&bytes[..length], allowance).is_none(),
            "cut"
        );
    }
    for _ in 0..24 {
        let damaged = samples.damage(&bytes);
        let _ = decode_checked::<T>(&damaged, allowance);
        let text = samples.damage(json.as_bytes());
        let _ = serde_json::from_slice::<T>(&text);
    }
}

#[test]
fn transactions_of_every_kind_have_one_encoding() {
    let _alone = ONE_AT_A_TIME.lock();
    let mut names = std::collections::BTreeSet::new();
    for seed in 0..24 {
        let mut samples = Samples::new(seed);
        for signed in samples.signed() {
            names.insert(signed.transaction.kind.name());
            check(&signed, &mut samples, ALLOWANCE);
        }
    }
    assert_eq!(names.len(), 25);
}

#[test]
fn proposals_and_blocks_have_one_encoding() {
    let _alone = ONE_AT_A_TIME.lock();
    let mut game = Game::new(5);
    game.play(500);
    let mut samples = Samples::new(5);
    let reader = game.world.read();
    for height in 1..=game.tally().blocks {
        let block = reader.block(height).expect("readable").expect("kept");
        check(&block.to_proposal(), &mut samples, ALLOWANCE);
        check(&block, &mut samples, ALLOWANCE);
    }
    for seed in 0..8 {
        let mut samples = Samples::new(seed);
        let mut proposal = reader
            .block(1)
            .expect("readable")
            .expect("kept")
            .to_proposal();
        proposal.transactions = BoundedVec::new(samples.signed()).expect("few");
        check(&proposal, &mut samples, ALLOWANCE);
    }
}

#[test]
fn receipts_genesis_documents_and_proofs_have_one_encoding() {
    let _alone = ONE_AT_A_TIME.lock();
    let mut game = Game::new(6);
    game.play(500);
    let mut samples = Samples::new(6);
    let world = &game.world;
    for height in 1..=game.tally().blocks {
        let receipts = world.read().receipts(height).expect("readable");
        for receipt in receipts.expect("kept") {
            check::<Receipt>(&receipt, &mut samples, ALLOWANCE_FOR_DOCUMENTS);
        }
    }
    for models in [0, 3] {
        let world = World::with(Setup::default().models(models));
        check::<Genesis>(&world.genesis, &mut samples, ALLOWANCE_FOR_DOCUMENTS);
    }
    for key in [
        Key::System,
        Key::Account(world.users[0]),
        Key::Account(soma_types::Address([9; 32])),
    ] {
        let proof = world.chain.prove(&key).expect("provable");
        check::<StateProof>(&proof, &mut samples, ALLOWANCE_FOR_DOCUMENTS);
    }
}

#[test]
fn damaged_proofs_are_refused_without_a_panic_or_much_memory() {
    let _alone = ONE_AT_A_TIME.lock();
    let world = World::with_targets();
    let mut samples = Samples::new(8);
    for number in 0..8 {
        let proof = world
            .chain
            .prove(&Key::Account(world.users[number]))
            .expect("provable");
        for _ in 0..200 {
            let mut damaged = proof.clone();
            damaged.proof = samples.damage(&proof.proof);
            let region = Region::new(ALLOCATOR);
            let verdict = verify_proof(&damaged);
            let taken = region.change().bytes_allocated;
            assert!(
                taken < 64 * damaged.proof.len() + ALLOWANCE,
                "{taken} bytes"
            );
            assert_eq!(verdict.is_ok(), damaged.proof == proof.proof);
        }
    }
}

#[test]
fn a_length_that_is_not_there_takes_no_memory() {
    let _alone = ONE_AT_A_TIME.lock();
    let block = World::new().tick().block.clone();
    let proposal = encode(&block.to_proposal());
    // The list of transactions is the first thing after height, time, parent and proposer.
    let at = 8 + 8 + 32 + 32;
    // 99,999 transactions, and 2^31 − 1.
    for length in [&[0x9f, 0x8d, 0x06][..], &[0xff, 0xff, 0xff, 0xff, 0x07]] {
        let mut bytes = proposal[..at].to_vec();
        bytes.extend_from_slice(length);
        bytes.extend_from_slice(&proposal[at..]);
        assert!(decode_checked::<Proposal>(&bytes, ALLOWANCE).is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_are_never_trouble(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _alone = ONE_AT_A_TIME.lock();
        decode_checked::<SignedTransaction>(&bytes, ALLOWANCE);
        decode_checked::<Proposal>(&bytes, ALLOWANCE);
        decode_checked::<Block>(&bytes, ALLOWANCE);
        decode_checked::<Genesis>(&bytes, ALLOWANCE_FOR_DOCUMENTS);
        decode_checked::<Receipt>(&bytes, ALLOWANCE_FOR_DOCUMENTS);
        decode_checked::<StateProof>(&bytes, ALLOWANCE_FOR_DOCUMENTS);
    }
}
