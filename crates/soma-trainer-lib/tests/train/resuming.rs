//! A run that ends and goes on is the run that never ended.

use std::fs;

use soma_trainer::{Finished, Outcome, Start};

use crate::support::{World, file};

const FILES: [&str; 4] = [
    "weights.safetensors",
    "moment_1.safetensors",
    "moment_2.safetensors",
    "curve.csv",
];

type Files = Vec<(&'static str, Vec<u8>)>;

fn files(outcome: &Outcome) -> Files {
    let read = |name| (name, fs::read(file(outcome, name)).expect("file"));
    FILES.into_iter().map(read).collect()
}

/// Names of the files that the two runs left with different bytes.
fn differing(one: &Files, other: &Files) -> Vec<&'static str> {
    let differs = one.iter().zip(other).filter(|(one, other)| one != other);
    differs.map(|((name, _), _)| *name).collect()
}

const NONE: [&str; 0] = [];

fn uninterrupted() -> World {
    let mut world = World::new(6);
    world.held_out = vec![b"a white chicken".to_vec()];
    world.config.evaluate_every = 2;
    world
}

#[test]
fn a_resumed_run_gives_the_same_bits() {
    let mut whole = uninterrupted();
    let expected = whole.trained();
    let mut parts = uninterrupted();
    // A run evaluates after its last step; the uninterrupted one does so after this one too.
    parts.config.steps = 4;
    parts.trained();
    parts.config.steps = 6;
    let outcome = parts.run(Start::Resume).expect("resumed");
    assert_eq!(parts.notes.started, [(0, false), (4, true)]);
    assert_eq!((outcome.step, outcome.best), (expected.step, expected.best));
    assert_eq!(differing(&files(&outcome), &files(&expected)), NONE);
}

#[test]
fn a_run_that_is_stopped_within_a_step_is_saved_before_it_and_goes_on_to_the_same_bits() {
    let mut whole = uninterrupted();
    let expected = whole.trained();
    let mut stopped = uninterrupted();
    // The first of two micro-batches of the third step.
    stopped.notes.stop_at = Some(5);
    let outcome = stopped.run(Start::Random).expect("stopped");
    assert_eq!((outcome.finished, outcome.step), (Finished::Stopped, 2));
    assert_eq!(stopped.notes.saved, [2]);
    stopped.notes = Default::default();
    let outcome = stopped.run(Start::Resume).expect("resumed");
    assert_eq!(outcome.finished, Finished::Complete);
    assert_eq!(differing(&files(&outcome), &files(&expected)), NONE);
}

#[test]
fn a_run_whose_data_fails_is_saved_and_goes_on_to_the_same_bits() {
    let mut whole = uninterrupted();
    let expected = whole.trained();
    let mut failing = uninterrupted();
    failing.text.readable = 9;
    assert_eq!(failing.refused(Start::Random), "NotAFile");
    assert_eq!(failing.notes.saved, [4]);
    failing.text.readable = u64::MAX;
    let outcome = failing.run(Start::Resume).expect("resumed");
    assert_eq!(differing(&files(&outcome), &files(&expected)), NONE);
}

#[test]
fn a_run_that_is_told_to_stop_at_once_can_be_resumed_too() {
    let mut world = uninterrupted();
    world.notes.stop.stop();
    let outcome = world.trained();
    assert_eq!((outcome.finished, outcome.step), (Finished::Stopped, 0));
    world.notes = Default::default();
    let outcome = world.run(Start::Resume).expect("resumed");
    assert_eq!(
        differing(&files(&outcome), &files(&uninterrupted().trained())),
        NONE
    );
}

#[test]
fn a_complete_run_that_is_resumed_stays_as_it_is() {
    let mut world = uninterrupted();
    let before = world.trained();
    // Whoever writes a checkpoint anew does not write this.
    fs::write(file(&before, "mark"), "").expect("marked");
    let outcome = world.run(Start::Resume).expect("resumed");
    assert_eq!((outcome.finished, outcome.step), (Finished::Complete, 6));
    assert_eq!(outcome, before);
    assert_eq!(world.notes.saved, [6]);
    assert!(file(&before, "mark").exists(), "the only checkpoint stays");
}

#[test]
fn a_run_that_is_resumed_and_stopped_before_a_step_stays_as_it_is() {
    let mut world = uninterrupted();
    world.notes.stop_at = Some(5);
    let before = world.run(Start::Random).expect("stopped");
    fs::write(file(&before, "mark"), "").expect("marked");
    world.notes = Default::default();
    world.notes.stop.stop();
    let outcome = world.run(Start::Resume).expect("resumed");
    assert_eq!(outcome, before);
    assert!(world.notes.saved.is_empty() && file(&before, "mark").exists());
}

#[test]
fn settings_that_a_run_is_resumed_with_are_kept_without_a_step_too() {
    let mut world = uninterrupted();
    world.config.keep_checkpoints = 1;
    let before = files(&world.trained());
    world.config.patience = Some(4);
    let outcome = world.run(Start::Resume).expect("resumed");
    assert_eq!(world.notes.saved, [6, 6]);
    assert_eq!(differing(&files(&outcome), &before), NONE);
    let state = fs::read_to_string(file(&outcome, "state.json")).expect("state");
    assert!(state.contains("\"patience\": 4"), "{state}");
    let all = fs::read_dir(world.folder.path().join("checkpoints")).expect("folder");
    assert_eq!(all.count(), 1, "nothing is left beside");
}

#[test]
fn a_run_goes_on_from_a_checkpoint_that_a_crash_left_aside() {
    let mut whole = uninterrupted();
    let expected = whole.trained();
    let mut world = uninterrupted();
    world.notes.stop_at = Some(5);
    world.run(Start::Random).expect("stopped");
    let checkpoints = world.folder.path().join("checkpoints");
    let (step, aside) = ("step-000000002", "replaced-000000002");
    fs::rename(checkpoints.join(step), checkpoints.join(aside)).expect("aside");
    fs::create_dir(checkpoints.join("partial")).expect("half of another");
    world.notes = Default::default();
    let outcome = world.run(Start::Resume).expect("resumed");
    assert_eq!(world.notes.started, [(2, true)]);
    assert_eq!(differing(&files(&outcome), &files(&expected)), NONE);
    assert!(checkpoints.join(step).exists() && !checkpoints.join(aside).exists());
}
