//! Revealed weights that are not what was committed.

use soma_crypto::commitments::{embedding_commitment, key_commitment, mask_checksum};
use soma_crypto::sealed::fresh_key;
use soma_types::{
    ModelCommit, ModelId, ObjectRef, RawEmbedding, Shannons, TransactionKind, WeightsManifest,
};

use crate::weights::{publish, weights_file};
use crate::world::{World, axis};

/// Creates a model and commits to `weights`; the embedding is axis `place`.
async fn commit(world: &World, by: usize, place: usize, weights: &WeightsManifest) -> ModelId {
    let create = TransactionKind::CreateModel {
        architecture_version: 1,
        stake: Shannons(2_000_000_000),
        commission_bps: 0,
    };
    let receipt = world.execute(world.account(by), create).await;
    let created = receipt.created.iter().find_map(|object| match object {
        ObjectRef::Model(id) => Some(*id),
        _ => None,
    });
    let model = created.unwrap();
    let (key, plaintext) = (&weights.key, &weights.plaintext_checksum);
    let commit = TransactionKind::CommitModel {
        model,
        commit: Box::new(ModelCommit {
            url: weights.url.clone(),
            checksum: weights.checksum,
            size: weights.size,
            masked_plaintext_checksum: mask_checksum(&model, key, plaintext),
            key_commitment: key_commitment(&model, key),
            embedding_commitment: embedding_commitment(&model, &axis(place)),
        }),
    };
    world.execute(world.account(by), commit).await;
    model
}

async fn reveal(world: &World, by: usize, place: usize, model: ModelId, weights: &WeightsManifest) {
    let reveal = TransactionKind::RevealModel {
        model,
        key: weights.key,
        embedding: RawEmbedding::from(&axis(place)),
    };
    world.execute(world.account(by), reveal).await;
}

#[tokio::test]
async fn weights_that_cannot_be_what_was_committed_are_reported_and_slashed() {
    let world = World::start().await;
    let good = weights_file(10, 1.0);
    let mut not_a_number = weights_file(11, 1.0);
    let end = not_a_number.len();
    not_a_number[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());

    let mut undecryptable = publish(&world.blobs(), &weights_file(12, 1.0));
    undecryptable.key = fresh_key();
    let mut other_plaintext = publish(&world.blobs(), &weights_file(13, 1.0));
    other_plaintext.plaintext_checksum = soma_crypto::checksum(b"other");
    let invalid = publish(&world.blobs(), &not_a_number);
    let missing = publish(&world.blobs(), &weights_file(14, 1.0));
    std::fs::remove_file(world.blobs().join(missing.checksum.to_string())).unwrap();
    let mut nowhere = publish(&world.blobs(), &weights_file(15, 1.0));
    nowhere.url = soma_types::Url::new("s3://bucket/key").unwrap();
    // More than any scorer keeps: a size that was only claimed protects nobody.
    let mut endless = publish(&world.blobs(), &weights_file(16, 1.0));
    endless.size = 1_000_000_000_000_000;
    let cases = [
        (publish(&world.blobs(), &good), None),
        (undecryptable, Some("undecryptable")),
        (other_plaintext, Some("plaintext_mismatch")),
        (invalid, Some("invalid_weights")),
        (missing, Some("weights_unavailable")),
        (nowhere, Some("weights_unavailable")),
        (endless, Some("invalid_weights")),
    ];
    let mut models = Vec::new();
    for (place, (weights, _)) in cases.iter().enumerate() {
        models.push(commit(&world, 3, 4 + place, weights).await);
    }
    world.end_epoch().await;
    for (place, (weights, _)) in cases.iter().enumerate() {
        reveal(&world, 3, 4 + place, models[place], weights).await;
    }
    for (model, (_, reason)) in models.iter().zip(&cases) {
        let audit = world
            .weights_audit(model, |audit| match reason {
                Some(_) => audit.report.is_some(),
                None => audit.state == "done",
            })
            .await;
        assert_eq!(audit.reason.as_deref(), *reason, "{audit:?}");
        assert_eq!(audit.kind, "weights");
    }
    assert_eq!(world.duties(), [("report_model", true); 6]);
    world.end_epoch().await;
    for (model, (_, reason)) in models.iter().zip(&cases) {
        let found = world.model(model);
        let expected = if reason.is_some() {
            "inactive"
        } else {
            "active"
        };
        assert_eq!(found.status.name(), expected, "{reason:?}");
        let pool = {
            let reader = world.application().chain().reader();
            reader.pool(&found.pool).unwrap().unwrap()
        };
        assert_eq!(pool.soma < Shannons(200_000_000), reason.is_some());
    }
    // A model that ended is not reported again, also in later epochs.
    for (model, (_, reason)) in models.iter().zip(&cases) {
        if reason.is_some() {
            world
                .weights_audit(model, |audit| audit.state == "done")
                .await;
        }
    }
    world.end_epoch().await;
    world.end_epoch().await;
    assert_eq!(world.duties(), [("report_model", true); 6]);
    world.finish().await;
}

#[tokio::test]
async fn weights_of_the_genesis_are_audited_too() {
    let world = World::start().await;
    let models = {
        let reader = world.application().chain().reader();
        reader.models(None, 10).unwrap()
    };
    assert_eq!(models.len(), 3);
    for model in models {
        let audit = world
            .weights_audit(&model.id, |audit| audit.state == "done")
            .await;
        assert_eq!(audit.verdict.as_deref(), Some("honest"));
        assert_eq!(audit.weights, Some(model.weights.unwrap().checksum));
    }
    world.finish().await;
}
