//! Checkpoints that are whole, few, and believed only when they fit.

use std::fs;

use soma_trainer::data::DataError;
use soma_trainer::{Curve, Observer, Run, Start, StepReport, StopFlag, TrainError};

use crate::support::{Text, World, file};

#[test]
fn the_latest_checkpoints_are_kept() {
    let mut world = World::new(7);
    world.config.checkpoint_every = 2;
    world.config.keep_checkpoints = 2;
    world.trained();
    assert_eq!(world.notes.saved, [2, 4, 6, 7]);
    let mut names: Vec<_> = fs::read_dir(world.folder.path().join("checkpoints"))
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["step-000000006", "step-000000007"]);
}

#[test]
fn the_curve_is_written_beside_and_drawn() {
    let mut world = World::new(5);
    world.held_out = vec![b"glazed with rain water".to_vec()];
    world.config.evaluate_every = 2;
    world.trained();
    let path = world.folder.path();
    let text = fs::read_to_string(path.join("curve.csv")).expect("curve");
    let curve = Curve::from_csv(&text).expect("curve");
    let points = curve.points().iter();
    let held_out: Vec<_> = points
        .map(|point| (point.step, point.held_out.is_some()))
        .collect();
    // The last step is evaluated too.
    assert_eq!(
        held_out,
        [(1, false), (2, true), (3, false), (4, true), (5, true)]
    );
    let picture = fs::read(path.join("curve.png")).expect("picture");
    assert_eq!(picture[..8], *b"\x89PNG\r\n\x1a\n");
}

#[test]
fn damaged_checkpoints_are_refused_by_name() {
    for (name, expected) in [
        ("weights.safetensors", "Weights"),
        ("moment_1.safetensors", "Weights"),
        ("moment_2.safetensors", "Weights"),
        ("curve.csv", "BadState"),
        ("state.json", "BadState"),
    ] {
        let mut world = World::new(2);
        let outcome = world.trained();
        let path = file(&outcome, name);
        let whole = fs::read(&path).expect("file");
        fs::write(&path, &whole[..whole.len() - 7]).expect("cut");
        let error = world.run(Start::Resume).expect_err("refused");
        assert_eq!(error.name(), expected);
        assert!(error.to_string().contains(name), "{error}");
        fs::remove_file(&path).expect("removed");
        let error = world.run(Start::Resume).expect_err("refused");
        assert!(
            matches!(&error, TrainError::File { path: p, .. } if *p == path),
            "{error}"
        );
        fs::write(&path, whole).expect("mended");
        world.run(Start::Resume).expect("whole again");
    }
}

#[test]
fn a_state_of_another_version_is_refused() {
    let mut world = World::new(1);
    let path = file(&world.trained(), "state.json");
    let text = fs::read_to_string(&path).expect("state");
    fs::write(&path, text.replace("\"version\": 1", "\"version\": 2")).expect("written");
    let error = world.run(Start::Resume).expect_err("refused");
    assert!(error.to_string().contains("version is 2"), "{error}");
}

#[test]
fn other_settings_and_other_data_are_refused_by_name() {
    let mut world = World::new(2);
    world.data = Some("these".to_owned());
    world.trained();
    world.config.learning_rate = 1e-3;
    let error = world.run(Start::Resume).expect_err("refused").to_string();
    assert!(
        error.contains("`learning_rate` is 0.001") && error.contains("0.01"),
        "{error}"
    );
    world.config.learning_rate = 1e-2;
    world.config.preset = "mini".to_owned();
    assert_eq!(world.refused(Start::Resume), "OtherConfig");
    world.config.preset = "small".to_owned();
    world.data = Some("those".to_owned());
    assert_eq!(world.refused(Start::Resume), "OtherData");
    world.data = Some("these".to_owned());
    world.config.checkpoint_every = 1;
    world.run(Start::Resume).expect("resumed");
}

#[test]
fn a_run_is_neither_overwritten_nor_resumed_from_nothing() {
    let mut world = World::new(1);
    assert_eq!(world.refused(Start::Resume), "NoCheckpoint");
    assert!(!world.folder.path().join("checkpoints").exists());
    world.trained();
    assert_eq!(world.refused(Start::Random), "RunExists");
}

#[test]
fn what_a_crash_left_half_written_is_cleared() {
    let mut world = World::new(1);
    let partial = world.folder.path().join("checkpoints/partial");
    fs::create_dir_all(&partial).expect("folder");
    fs::write(partial.join("weights.safetensors"), "half").expect("file");
    let outcome = world.trained();
    assert!(!partial.exists() && outcome.checkpoint.exists());
}

#[test]
fn two_trainers_do_not_work_in_one_folder() {
    struct Intruder {
        world: World,
        names: Vec<&'static str>,
    }
    impl Observer for Intruder {
        fn step(&mut self, _report: &StepReport) {
            self.names.push(self.world.refused(Start::Resume));
        }
    }
    let mut world = World::new(1);
    let mut intruder = Intruder {
        world: World::new(1),
        names: Vec::new(),
    };
    std::mem::swap(&mut world.folder, &mut intruder.world.folder);
    Run {
        config: world.config.clone(),
        folder: intruder.world.folder.path().to_owned(),
        start: Start::Random,
        source: &mut Text::default(),
        data: None,
        inputs: None,
        held_out: &[],
        observer: &mut intruder,
        stop: StopFlag::default(),
    }
    .train()
    .expect("trained");
    assert_eq!(intruder.names, ["InUse"]);
}

#[test]
fn errors_of_the_data_keep_their_names() {
    let error = TrainError::from(DataError::BadFraction { fraction: 2.0 });
    assert_eq!(error.name(), "BadFraction");
}
