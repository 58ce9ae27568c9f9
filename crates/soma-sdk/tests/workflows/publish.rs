//! Publishing, broken off anywhere.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use soma_sdk::workflows::publish::{
    PublishAs, PublishEvent, PublishState, Publisher, abandon, is_at_work,
};
use soma_sdk::{Client, CommitModel, ModelFilter, PageRequest, SdkError};

use crate::world::{NEW, World, embedding};

/// A publication of weights that has begun.
async fn begun(world: &World, weights: &Path) -> Publisher {
    let mut publisher = world.publisher(0).await;
    let prepared = publisher.prepare(weights, &embedding(), NEW).await;
    prepared.unwrap();
    publisher
}

/// Goes on until the reveal waits.
async fn until_committed(publisher: &mut Publisher) {
    loop {
        match publisher.advance(&|_| {}).await.unwrap() {
            PublishState::Working => {}
            PublishState::WaitingForEpoch { .. } => return,
            state => panic!("{state:?}"),
        }
    }
}

#[tokio::test]
async fn weights_are_sealed_committed_and_revealed_and_open_with_what_the_chain_says() {
    let world = World::start().await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let weights = world.file("weights", &bytes);
    let mut publisher = begun(&world, &weights).await;
    let names = Mutex::new(Vec::new());
    let observe = |event: PublishEvent<'_>| {
        let text = format!("{event:?}");
        let name = text.split([' ', '{']).next().unwrap_or_default();
        names.lock().unwrap().push(name.to_owned());
    };
    let client = world.client.clone();
    let epochs = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        client.advance_epoch().await.unwrap();
    });
    let model = publisher.run(&observe).await.unwrap().unwrap();
    epochs.await.unwrap();
    let names = names.into_inner().unwrap();
    let expected = [
        "Sealing",
        "Uploading",
        "Uploaded",
        "Created",
        "Committed",
        "Waiting",
        "Revealed",
    ];
    assert_eq!(names, expected);
    assert!(publisher.current().is_none());
    // Its key is kept beside what else is known of it.
    let history = publisher.folder().join("history");
    assert_eq!(std::fs::read_dir(history).unwrap().count(), 1);
    assert!(!publisher.folder().join("sealed").exists());

    world.client.advance_epoch().await.unwrap();
    let view = world.client.model(&model, true).await.unwrap();
    assert_eq!((view.status.as_str(), view.commission_bps), ("active", 500));
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_active_model_gets_new_weights() {
    let world = World::start().await;
    let model = world.model(0, b"first weights").await;
    let before = world.client.model(&model, false).await.unwrap();
    let weights = world.file("second", b"second weights");
    let mut publisher = world.publisher(0).await;
    publisher
        .prepare(&weights, &embedding(), PublishAs::Model(model))
        .await
        .unwrap();
    until_committed(&mut publisher).await;
    // Until the reveal the old weights are in force.
    let now = world.client.model(&model, false).await.unwrap();
    assert_eq!(now.weights, before.weights);
    world.client.advance_epoch().await.unwrap();
    assert_eq!(publisher.run(&|_| {}).await.unwrap(), Some(model));
    world.client.advance_epoch().await.unwrap();
    let after = world.client.model(&model, false).await.unwrap();
    assert_ne!(after.weights, before.weights);
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_publisher_that_dies_again_and_again_makes_one_model_and_reveals_it_once() {
    let world = World::start().await;
    let weights = world.file("weights", b"weights of a model");
    let publisher = begun(&world, &weights).await;
    drop(publisher);
    let (mut lives, mut model) = (0_u64, None);
    while model.is_none() {
        lives += 1;
        let mut publisher = world.publisher(0).await;
        // Each life is a little longer, so that every step is the last of one.
        let life = Duration::from_micros(300 * lives);
        if let Ok(done) = tokio::time::timeout(life, publisher.run(&|_| {})).await {
            model = Some(done.unwrap());
        } else if publisher
            .current()
            .is_some_and(|current| current.committed.is_some())
            && world.client.status().await.unwrap().epoch.0 == 0
        {
            world.client.advance_epoch().await.unwrap();
        }
    }
    assert!(lives > 3, "{lives}");
    let owner = world.account(0).address();
    let filter = ModelFilter {
        owner: Some(owner),
        ..ModelFilter::default()
    };
    let page = PageRequest::default();
    let models = world.client.models(&filter, &page).await.unwrap().items;
    assert_eq!(models.len(), 1);
    if let Some(model) = model.flatten() {
        assert_eq!(models[0].id, model);
    }
    // Creation, commit, reveal: each was executed once.
    let nonce = world.client.balance(&owner).await.unwrap().next_nonce;
    assert_eq!(nonce, 3);
    world.client.advance_epoch().await.unwrap();
    let view = world.client.model(&models[0].id, false).await.unwrap();
    assert_eq!(view.status, "active");
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_missed_reveal_is_said_and_the_next_publication_can_begin() {
    let world = World::start().await;
    let weights = world.file("weights", b"late weights");
    let mut publisher = begun(&world, &weights).await;
    until_committed(&mut publisher).await;
    world.client.advance_epoch().await.unwrap();
    world.client.advance_epoch().await.unwrap();
    let error = publisher.run(&|_| {}).await.unwrap_err();
    assert!(matches!(error, SdkError::RevealMissed { .. }), "{error}");
    assert_eq!(publisher.run(&|_| {}).await.unwrap(), None);
    publisher
        .prepare(&weights, &embedding(), NEW)
        .await
        .unwrap();
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_commit_that_the_chain_refuses_for_ever_makes_room_for_the_next_publication() {
    let world = World::start().await;
    let model = world.model(0, b"first weights").await;
    world.account(0).deactivate_model(model).await.unwrap();
    let weights = world.file("second", b"second weights");
    let mut publisher = world.publisher(0).await;
    let as_before = PublishAs::Model(model);
    publisher
        .prepare(&weights, &embedding(), as_before)
        .await
        .unwrap();
    let kept = Mutex::new(None);
    let observe = |event: PublishEvent<'_>| {
        if let PublishEvent::GivenUp { kept: path, .. } = event {
            *kept.lock().unwrap() = Some(path.to_owned());
        }
    };
    let error = publisher.run(&observe).await.unwrap_err();
    assert_eq!(error.name(), "ModelAlreadyLeaving");
    // It is not tried again for ever, and its key is not lost.
    assert!(publisher.current().is_none());
    let kept = kept.into_inner().unwrap().unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert!(kept["key"].is_string(), "{kept}");
    publisher
        .prepare(&weights, &embedding(), NEW)
        .await
        .unwrap();
    until_committed(&mut publisher).await;
    assert_ne!(publisher.current().unwrap().model, Some(model));
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn weights_of_another_model_are_refused_before_anything_is_paid() {
    let world = World::start().await;
    let model = world.model(0, b"weights of the first").await;
    let copied = world.file("copied", b"weights of the first");
    let before = world.account(1).balance().await.unwrap();
    let mut thief = world.publisher(1).await;
    let error = thief.prepare(&copied, &embedding(), NEW).await.unwrap_err();
    let owner = world.account(0).address();
    let expected = (model, owner);
    assert!(
        matches!(error, SdkError::WeightsAlreadyRevealed { model, owner } if (model, owner) == expected),
        "{error}"
    );
    assert!(thief.current().is_none());
    // Nor when they were revealed after the publication began.
    let own = world.account(1).create_model(None, 0).await.unwrap().0;
    let view = world.client.model(&model, false).await.unwrap();
    let weights = view.weights.unwrap();
    let commit = CommitModel {
        model: own,
        url: &weights.url,
        checksum: weights.checksum,
        size: weights.size,
        plaintext_checksum: weights.plaintext_checksum,
        key: weights.key,
        embedding: &embedding(),
    };
    let paid = world.account(1).balance().await.unwrap();
    let error = world.account(1).commit_model(&commit).await.unwrap_err();
    assert_eq!(error.name(), "WeightsAlreadyRevealed");
    assert_eq!(world.account(1).balance().await.unwrap(), paid);
    assert!(paid < before);
    // Their owner may publish them again as the same model, and not as a second one.
    let mut publisher = world.publisher(0).await;
    let error = publisher.prepare(&copied, &embedding(), NEW).await;
    assert_eq!(error.unwrap_err().name(), "WeightsAlreadyRevealed");
    let again = PublishAs::Model(model);
    publisher
        .prepare(&copied, &embedding(), again)
        .await
        .unwrap();
    // Unless the first ends before the second is revealed.
    publisher.abandon().unwrap();
    world.account(0).deactivate_model(model).await.unwrap();
    publisher.prepare(&copied, &embedding(), NEW).await.unwrap();
    until_committed(&mut publisher).await;
    world.client.advance_epoch().await.unwrap();
    let second = publisher.run(&|_| {}).await.unwrap().unwrap();
    let view = world.client.model(&second, false).await.unwrap();
    assert_eq!((view.status.as_str(), view.leaving), ("active", false));
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_reveal_that_waits_outlives_a_start_without_its_node() {
    let world = World::start().await;
    let weights = world.file("weights", b"weights");
    let folder = world.folder.path().join("publish-0");
    let away = Client::builder().rpc_url("http://127.0.0.1:1").build();
    let away = away
        .unwrap()
        .account(world.net.keys().accounts[0].secret_key.clone());
    let publisher = begun(&world, &weights).await;
    drop(publisher);
    // Nothing is lost yet by ending at once.
    let refused = Publisher::open(away.clone(), world.store(), &folder).await;
    assert!(refused.unwrap_err().is_retryable());
    let mut publisher = world.publisher(0).await;
    until_committed(&mut publisher).await;
    drop(publisher);
    let mut late = Publisher::open(away, world.store(), &folder).await.unwrap();
    assert!(late.advance(&|_| {}).await.unwrap_err().is_retryable());
    assert!(late.current().is_some());
    drop(late);
    world.client.advance_epoch().await.unwrap();
    let mut publisher = world.publisher(0).await;
    assert!(publisher.run(&|_| {}).await.unwrap().is_some());
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn weights_that_changed_since_they_were_chosen_are_not_committed() {
    let world = World::start().await;
    let weights = world.file("weights", b"the weights that were checked");
    let mut publisher = begun(&world, &weights).await;
    // As a crash leaves a copy that was not on disk yet.
    world.file("weights", b"the weights that");
    let error = publisher.run(&|_| {}).await.unwrap_err();
    assert!(matches!(error, SdkError::WeightsChanged { .. }), "{error}");
    assert!(publisher.current().is_none());
    let owner = world.account(0).address();
    assert_eq!(world.client.balance(&owner).await.unwrap().next_nonce, 0);
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn nothing_is_paid_for_weights_that_validators_elsewhere_could_not_open() {
    let world = World::start().await;
    let weights = world.file("weights", b"weights");
    // It leads here, too, and is no loopback address.
    let rpc = world.net.rpc_url().replace("127.0.0.1", "0.0.0.0");
    let elsewhere = Client::builder().rpc_url(rpc).build().unwrap();
    let elsewhere = elsewhere.account(world.account(0).key().clone());
    let folder = world.folder.path().join("publish-0");
    let mut publisher = Publisher::open(elsewhere, world.store(), &folder)
        .await
        .unwrap();
    publisher
        .prepare(&weights, &embedding(), NEW)
        .await
        .unwrap();
    let error = publisher.run(&|_| {}).await.unwrap_err();
    assert!(matches!(error, SdkError::InvalidArgument(_)), "{error}");
    assert!(
        error.to_string().contains("file of this machine"),
        "{error}"
    );
    let owner = world.account(0).address();
    assert_eq!(world.client.balance(&owner).await.unwrap().next_nonce, 0);
    // It goes on with another place, or where files can be opened.
    assert_eq!(publisher.current().unwrap().url, None);
    drop(publisher);
    let mut publisher = world.publisher(0).await;
    until_committed(&mut publisher).await;
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_uploaded_is_revealed_without_a_store() {
    let world = World::start().await;
    let weights = world.file("weights", b"weights");
    let mut publisher = begun(&world, &weights).await;
    until_committed(&mut publisher).await;
    let folder = publisher.folder().to_owned();
    assert!(is_at_work(&folder));
    drop(publisher);
    assert!(!is_at_work(&folder));
    world.client.advance_epoch().await.unwrap();
    let again = Publisher::open(world.account(0), None, &folder).await;
    assert!(again.unwrap().run(&|_| {}).await.unwrap().is_some());
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_was_begun_can_be_forgotten_but_its_key_is_kept() {
    let world = World::start().await;
    let weights = world.file("weights", b"weights");
    let mut publisher = world.publisher(0).await;
    let folder = publisher.folder().to_owned();
    assert!(abandon(&folder).unwrap().is_none());
    publisher
        .prepare(&weights, &embedding(), NEW)
        .await
        .unwrap();
    let error = abandon(&folder).unwrap_err().to_string();
    assert!(error.contains("another program"), "{error}");
    let key = publisher.current().unwrap().key;
    drop(publisher);
    let (publication, kept) = abandon(&folder).unwrap().unwrap();
    assert_eq!(publication.key, key);
    let kept = std::fs::read_to_string(kept).unwrap();
    assert!(kept.contains(&key.to_string()), "{kept}");
    assert!(world.publisher(0).await.current().is_none());
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_before_anything_is_kept() {
    let world = World::start().await;
    let weights = world.file("weights", b"weights");
    let mut publisher = world.publisher(0).await;
    for (bad, text) in [
        (vec![], "no numbers"),
        (vec![0.0; 16], "direction"),
        (vec![f32::NAN; 16], "finite"),
        (vec![1.0; 15], "15 numbers"),
    ] {
        let error = publisher.prepare(&weights, &bad, NEW).await.unwrap_err();
        assert!(
            matches!(error, SdkError::InvalidArgument(_)),
            "{text}: {error}"
        );
    }
    let missing = world.folder.path().join("missing");
    let error = publisher.prepare(&missing, &embedding(), NEW).await;
    assert!(matches!(error.unwrap_err(), SdkError::File { .. }));
    assert!(publisher.current().is_none());

    publisher
        .prepare(&weights, &embedding(), NEW)
        .await
        .unwrap();
    let again = publisher.prepare(&weights, &embedding(), NEW).await;
    assert!(matches!(again.unwrap_err(), SdkError::InvalidArgument(_)));
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_folder_belongs_to_one_program_one_account_and_one_chain() {
    let world = World::start().await;
    let weights = world.file("weights", b"weights");
    let folder = world.folder.path().join("publish-0");
    let open = |place| Publisher::open(world.account(place), world.store(), &folder);
    let mut publisher = open(0).await.unwrap();
    let error = open(0).await.unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    publisher
        .prepare(&weights, &embedding(), NEW)
        .await
        .unwrap();
    drop(publisher);
    let error = open(1).await.unwrap_err();
    assert!(matches!(error, SdkError::InvalidArgument(_)), "{error}");

    let other = World::start().await;
    let foreign = Publisher::open(other.account(0), world.store(), &folder).await;
    assert!(matches!(foreign.unwrap_err(), SdkError::WrongChain { .. }));

    std::fs::write(folder.join("publication.json"), b"{\"version\":1,").unwrap();
    let error = open(0).await.unwrap_err();
    assert!(error.to_string().contains("publication.json"), "{error}");
    world.net.shutdown().await.unwrap();
    other.net.shutdown().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::start().await;
    let weights = world.file("weights", b"weights");
    let publisher = begun(&world, &weights).await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(publisher.folder()), 0o700);
    let file = publisher.folder().join("publication.json");
    assert_eq!(mode(&file), 0o600);
    world.net.shutdown().await.unwrap();
}
