//! State folders that are not what they should be.

use std::path::PathBuf;

use serde_json::{Value, json};
use soma_submitter::{Control, Submitter, SubmitterConfig, SubmitterError};

use crate::world::{ANYWHERE, SUBMITTER, World, is_step, run_until};

async fn open(
    world: &World,
    place: usize,
    config: &SubmitterConfig,
) -> Result<Submitter, SubmitterError> {
    let account = world.account(place);
    Submitter::open(account, config.clone(), Control::default(), |_| {}).await
}

/// A world with a submission that is committed, its settings and its file.
async fn committed() -> (World, SubmitterConfig, PathBuf) {
    let world = World::start(1, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"a text")]);
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    let is_sealed = |event: &_| is_step(event, "committed");
    assert!(run_until(&world, SUBMITTER, config.clone(), is_sealed).await);
    let folder = std::fs::read_dir(config.state.join("submissions")).unwrap();
    let files: Vec<PathBuf> = folder.map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    (world, config, files[0].clone())
}

#[tokio::test]
async fn a_hostile_file_is_an_error_that_names_it() {
    let (world, config, file) = committed().await;
    let good: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let with = |path: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(path).unwrap() = value;
        changed.to_string().into_bytes()
    };
    let mut unknown = good.clone();
    unknown["more"] = json!(1);
    let other = format!("0x{}", "11".repeat(32));
    let hostile: Vec<Vec<u8>> = vec![
        vec![],
        b"{".to_vec(),
        b"\xff\xfe".to_vec(),
        vec![b'['; 1 << 20],
        vec![b' '; 5 << 20],
        unknown.to_string().into_bytes(),
        with("/version", json!(2)),
        with("/target", json!(other)),
        with("/state/name", json!("opened")),
        with("/state/sealed/submission/target", json!(other)),
        with("/state/sealed/submission/salt", json!("0x12")),
        with("/loss", json!("low")),
        with("/piece/size", json!(-1)),
    ];
    let name = file.file_name().unwrap().to_str().unwrap();
    for bytes in hostile {
        std::fs::write(&file, &bytes).unwrap();
        let error = open(&world, SUBMITTER, &config).await.unwrap_err();
        assert_eq!(error.name(), "InvalidJournal", "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    // As it was, it is taken. A half-written file beside it is none.
    std::fs::write(&file, good.to_string()).unwrap();
    std::fs::write(file.with_file_name(".tmpAbC"), b"{").unwrap();
    let submitter = open(&world, SUBMITTER, &config).await.unwrap();
    assert_eq!(submitter.entries().count(), 1);
}

#[tokio::test]
async fn a_state_folder_belongs_to_one_program_one_account_and_one_chain() {
    let (world, config, file) = committed().await;
    let first = open(&world, SUBMITTER, &config).await.unwrap();
    let error = open(&world, SUBMITTER, &config).await.unwrap_err();
    assert_eq!(error.name(), "StateFolder");
    assert!(error.to_string().contains("another submitter"), "{error}");
    drop(first);
    let error = open(&world, 2, &config).await.unwrap_err();
    assert_eq!(error.name(), "WrongAccount");

    let other = World::start(0, ANYWHERE).await;
    let error = open(&other, SUBMITTER, &config).await.unwrap_err();
    assert_eq!(error.name(), "WrongChain");
    assert!(file.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_salt() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_world, config, file) = committed().await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&config.state), 0o700);
    assert_eq!(mode(&file), 0o600);
}
