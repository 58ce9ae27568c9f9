//! One pass, dry runs, and reasons why nothing was submitted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use soma_blobs::{FetchConfig, Store, StoreConfig};
use soma_sdk::Client;
use soma_submitter::journal::LostReason;
use soma_submitter::run::Nothing;
use soma_submitter::{
    Control, Limits, Report, Submitter, SubmitterConfig, SubmitterError, SubmitterEvent, Uploads,
};
use soma_types::Shannons;

use crate::tap::Tap;
use crate::world::{ANYWHERE, SUBMITTER, World, run};

async fn once(world: &World, change: impl FnOnce(&mut SubmitterConfig), source: &Path) -> Report {
    try_once(world, change, source).await.unwrap()
}

async fn try_once(
    world: &World,
    change: impl FnOnce(&mut SubmitterConfig),
    source: &Path,
) -> Result<Report, SubmitterError> {
    let mut config = world.config(source, "state");
    config.limits.once = true;
    change(&mut config);
    let account = world.account(SUBMITTER);
    let mut submitter = Submitter::open(account, config, Control::default(), |_| {}).await?;
    submitter.run().await
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_submitted_and_sends_nothing() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"small"), ("b", b"not as small")]);
    let dry = |config: &mut SubmitterConfig| config.limits.dry_run = true;
    let report = once(&world, dry, &source).await;
    assert_eq!(report.nothing(), None);
    assert_eq!((report.planned.len(), report.targets), (5, 5));
    // The smaller one takes the smaller bond for the same reward.
    for planned in &report.planned {
        assert!(planned.path.ends_with("a"));
        assert_eq!(planned.bond.0, 5 * 65);
        assert!(planned.reward.0 > 0);
        assert!(planned.distance <= planned.threshold);
    }
    assert_eq!(world.executed(SUBMITTER).await, 0);

    // What it planned is what a real run does.
    let report = once(&world, |_| {}, &source).await;
    assert_eq!(report.stats.filled, 5);
    let target = world.open_target().await;
    let one = |config: &mut SubmitterConfig| config.limits.target = Some(target);
    let report = once(&world, one, &source).await;
    assert_eq!(report.stats.filled, 1);
    assert_eq!(
        world.client.target(&target, false).await.unwrap().status,
        "filled"
    );
    let report = once(&world, one, &source).await;
    assert_eq!(report.nothing(), Some(Nothing::TargetNotOpen { target }));
}

#[tokio::test]
async fn a_dry_run_keeps_to_the_bound_on_bonds_and_to_nothing_else() {
    let world = World::start(2, ANYWHERE).await;
    let texts: [(&str, &[u8]); 2] = [("a", b"ten bytes!"), ("b", b"ten others")];
    let source = world.files("texts", &texts);
    // Every file is a choice of its own, and there is one slot.
    let run = |dry_run: bool, max_bonds: Option<u64>| {
        let change = move |config: &mut SubmitterConfig| {
            (config.in_flight, config.batch, config.jobs) = (1, 1, 1);
            config.max_bonds = max_bonds.map(Shannons);
            config.limits.dry_run = dry_run;
        };
        once(&world, change, &source)
    };
    assert_eq!(run(true, None).await.planned.len(), 5);
    let report = run(true, Some(3 * 650 - 1)).await;
    assert_eq!(report.planned.len(), 2);
    assert!(report.wanting.unwrap().at_max_bonds);
    let report = run(false, Some(3 * 650 - 1)).await;
    assert_eq!(report.stats.filled, 2);
}

#[tokio::test]
async fn data_that_somebody_else_submitted_is_neither_planned_nor_paid_for() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"everybody has this")]);
    let mut config = world.config(&source, "other state");
    config.limits.hits = Some(1);
    run(&world, 2, config).await;
    for dry_run in [true, true, false] {
        let change = |config: &mut SubmitterConfig| config.limits.dry_run = dry_run;
        let report = once(&world, change, &source).await;
        assert_eq!(report.nothing(), Some(Nothing::DuplicateData));
        assert_eq!((report.stats.lost, report.duplicates), (1, 1));
        assert_eq!(world.executed(SUBMITTER).await, 0);
    }
    // From now on it is not even scored, and other data takes its place.
    let report = once(&world, |_| {}, &source).await;
    assert_eq!(report.nothing(), Some(Nothing::NothingToScore));
    world.files("texts", &[("b", b"nobody but this account has that")]);
    let report = once(&world, |_| {}, &source).await;
    assert_eq!((report.stats.scanned, report.stats.skipped), (1, 1));
    assert!(report.stats.filled > 0 && report.stats.lost == 0);
}

#[tokio::test]
async fn other_data_takes_the_place_of_a_duplicate_in_the_same_run() {
    let world = World::start(2, ANYWHERE).await;
    let texts: [(&str, &[u8]); 2] = [("a", b"small"), ("b", b"not as small")];
    let source = world.files("texts", &texts);
    let mut config = world.config(&source, "other state");
    config.limits.hits = Some(1);
    run(&world, 2, config).await;

    let questions = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&questions);
    let tap = Tap::open(&world, move |line| {
        let is_question = line.contains("/v1/proofs/data/");
        questions.fetch_add(usize::from(is_question), Ordering::SeqCst);
        async { true }
    })
    .await;
    let account = tap.account(&world, &world.account(SUBMITTER));
    let mut config = world.config(&source, "state");
    config.limits.once = true;
    config.in_flight = 1;
    let mut submitter = Submitter::open(account, config, Control::default(), |_| {})
        .await
        .unwrap();
    let report = submitter.run().await.unwrap();
    assert!(report.stats.filled > 1 && report.stats.lost == 1);
    assert!(
        submitter
            .entries()
            .all(|entry| entry.piece.path.ends_with("b"))
    );
    // Each is asked for once, however often it is chosen.
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn no_bond_is_sent_where_none_is_allowed() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"a text")]);
    let none = |config: &mut SubmitterConfig| config.max_bonds = Some(Shannons::ZERO);
    let report = once(&world, none, &source).await;
    let Some(Nothing::MaxBondsReached { needed, available }) = report.nothing() else {
        panic!("{report:?}");
    };
    assert!(needed > Shannons(6 * 65));
    assert_eq!(available, Shannons::ZERO);
    assert_eq!(world.executed(SUBMITTER).await, 0);
}

#[tokio::test]
async fn one_pass_ends_with_an_error_where_no_scorer_answers() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"a text")]);
    let mut config = world.config(&source, "state");
    config.limits.once = true;
    config.limits.patience = Some(Duration::ZERO);
    let client = Client::builder()
        .rpc_url(world.client.rpc_url())
        .scoring_url("http://127.0.0.1:1")
        .retries(0);
    let account = client.build().unwrap();
    let account = account.account(world.account(SUBMITTER).key().clone());
    let submitter = Submitter::open(account, config, Control::default(), |_| {}).await;
    let error = submitter.unwrap().run().await.unwrap_err();
    assert_eq!(error.name(), "Transport", "{error}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn one_pass_ends_with_an_error_where_nothing_can_be_uploaded() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"a text")]);
    let nowhere = |config: &mut SubmitterConfig| {
        let url = "http://127.0.0.1:1".to_owned();
        config.uploads = Uploads::Store(Store::new(StoreConfig::Server { url }).unwrap());
        config.limits.patience = Some(Duration::ZERO);
    };
    let error = try_once(&world, nowhere, &source).await.unwrap_err();
    assert_eq!(error.name(), "UploadFailed", "{error}");
    assert_eq!(world.executed(SUBMITTER).await, 0);
    // What was begun goes on in the next run, which may see targets that are drawn after it.
    let report = once(&world, |_| {}, &source).await;
    assert!(report.stats.filled >= 5, "{report:?}");
}

#[tokio::test]
async fn files_that_are_served_already_are_not_uploaded() {
    let world = World::start(2, ANYWHERE).await;
    let long = vec![b'z'; 2 << 20];
    let source = world.files("my texts", &[("one file", b"served"), ("long", &long)]);
    let prefix = url::Url::from_file_path(&source).unwrap();
    let served = |config: &mut SubmitterConfig| {
        config.uploads = Uploads::served(prefix.as_str(), FetchConfig::local(), None).unwrap();
        config.limits.hits = Some(1);
    };
    let report = once(&world, served, &source).await;
    assert_eq!((report.stats.filled, report.candidates), (1, 1));
    let filled = world.targets("filled").await;
    let url = &filled[0].fill.as_ref().unwrap().data.url;
    assert!(url.ends_with("/my%20texts/one%20file"), "{url}");

    let cut = |config: &mut SubmitterConfig| {
        served(config);
        config.max_bytes = Some(100);
    };
    let error = try_once(&world, cut, &source).await.unwrap_err();
    assert_eq!(error.name(), "InvalidSettings");
}

#[tokio::test]
async fn no_bond_is_sent_for_files_that_their_urls_do_not_give() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("one", b"here")]);
    let other = world.files("others", &[("one", b"what")]);
    let served = |source: &Path, folder: &Path, state: &str| {
        let prefix = url::Url::from_file_path(folder).unwrap();
        let mut config = world.config(source, state);
        config.limits.once = true;
        config.uploads = Uploads::served(prefix.as_str(), FetchConfig::local(), None).unwrap();
        config
    };
    // No URL gives anything: the prefix is wrong.
    for (folder, reason) in [
        (other.as_path(), "has checksum"),
        (Path::new("/no/such"), "No such file"),
    ] {
        let change = |config: &mut SubmitterConfig| *config = served(&source, folder, reason);
        let error = try_once(&world, change, &source).await.unwrap_err();
        assert_eq!(error.name(), "InvalidSettings", "{error}");
        let text = error.to_string();
        let url = url::Url::from_file_path(folder.join("one")).unwrap();
        assert!(text.contains(url.as_str()), "{text}");
        assert!(text.contains(reason), "{text}");
    }
    assert_eq!(world.executed(SUBMITTER).await, 0);

    // Once one does, the others' faults are their own.
    let here = world.files("here", &[("one", b"here")]);
    let mut config = served(&here, &here, "one after the other");
    let uploads = config.uploads.clone();
    run(&world, SUBMITTER, config).await;
    std::fs::write(here.join("one"), "else").unwrap();
    config = served(&world.files("late", &[("one", b"late")]), &here, "later");
    config.uploads = uploads;
    let (stats, told) = run(&world, SUBMITTER, config).await;
    assert_eq!(stats.filled, 0);
    let lost = told.all().into_iter().find_map(|event| match event {
        SubmitterEvent::Step { lost, .. } => lost,
        _ => None,
    });
    let Some(LostReason::Refused { code, message }) = lost else {
        panic!("{:?}", told.all());
    };
    assert_eq!(code, "ChecksumMismatch");
    assert!(message.contains("has checksum"), "{message}");
}

#[tokio::test]
async fn no_bond_is_sent_for_data_that_validators_could_not_open() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("one", b"here")]);
    // It leads here, too, and is no loopback address: validators there do not open the loopback
    // address of this store.
    let rpc = world.client.rpc_url().replace("127.0.0.1", "0.0.0.0");
    let elsewhere = Client::builder()
        .rpc_url(rpc)
        .scoring_url(world.network.scorer_url().unwrap());
    let key = world.account(SUBMITTER).key().clone();
    let account = elsewhere.build().unwrap().account(key);
    let mut config = world.config(&source, "elsewhere");
    config.limits.once = true;
    let submitter = Submitter::open(account, config, Control::default(), |_| {}).await;
    let error = submitter.unwrap().run().await.unwrap_err();
    assert_eq!(error.name(), "InvalidSettings", "{error}");
    assert!(
        error.to_string().contains("leads to this machine"),
        "{error}"
    );

    // Files that are served where downloads do not go.
    let prefix = url::Url::from_file_path(&source).unwrap();
    let served = |warn: Option<fn(&str)>| {
        let prefix = prefix.as_str();
        let uploads = Uploads::served(prefix, FetchConfig::default(), warn);
        move |config: &mut SubmitterConfig| config.uploads = uploads.unwrap()
    };
    let error = try_once(&world, served(None), &source).await.unwrap_err();
    assert_eq!(error.name(), "InvalidSettings", "{error}");
    assert!(error.to_string().contains("not opened here"), "{error}");
    assert_eq!(world.executed(SUBMITTER).await, 0);
    // Who was warned may know better.
    let report = once(&world, served(Some(|_| {})), &source).await;
    assert!(report.stats.filled > 0, "{report:?}");
}

#[tokio::test]
async fn long_files_are_cut_and_their_pieces_submitted() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("lines", b"one\ntwo\nthree\nfour\n")]);
    let cut = |config: &mut SubmitterConfig| config.max_bytes = Some(8);
    let report = once(&world, cut, &source).await;
    assert_eq!((report.candidates, report.stats.scanned), (3, 3));
    let filled = world.targets("filled").await;
    let sizes = filled
        .iter()
        .map(|target| target.fill.as_ref().unwrap().data.size);
    // "four\n" takes the smallest bond.
    assert_eq!(sizes.collect::<Vec<_>>(), [5; 5]);
}

#[tokio::test]
async fn nothing_submitted_has_a_reason() {
    let nobody = World::start(0, ANYWHERE).await;
    let source = nobody.files("texts", &[("a", b"a text")]);
    let report = once(&nobody, |_| {}, &source).await;
    assert!(matches!(
        report.nothing(),
        Some(Nothing::NoModels | Nothing::NoTargets)
    ));

    // A distance of a billionth.
    let hard = World::start(2, 1).await;
    let source = hard.files("texts", &[("a", b"a text")]);
    let report = once(&hard, |_| {}, &source).await;
    let Some(Nothing::NoHit {
        nearest: Some(near),
    }) = report.nothing()
    else {
        panic!("{report:?}");
    };
    assert!(near.distance > near.threshold);
    assert_eq!((report.stats.misses, report.stats.scanned), (1, 1));

    let empty = hard.files("empty", &[("nothing", b"")]);
    let report = once(&hard, |_| {}, &empty).await;
    assert_eq!(report.nothing(), Some(Nothing::NoCandidates));

    let error = try_once(&hard, |_| {}, Path::new("/no/such")).await;
    assert_eq!(error.unwrap_err().name(), "SourceUnreadable");
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused() {
    let world = World::start(0, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"a text")]);
    let changes: [fn(&mut SubmitterConfig); 4] = [
        |config| config.sources.clear(),
        |config| config.max_bytes = Some(0),
        |config| config.in_flight = 0,
        |config| config.batch = 0,
    ];
    for change in changes {
        let error = try_once(&world, change, &source).await.unwrap_err();
        assert_eq!(error.name(), "InvalidSettings");
    }
    let limits = Limits::default();
    assert!(!limits.once && limits.hits.is_none());
}
