//! Claiming all.

use soma_sdk::SubmitData;
use soma_sdk::workflows::ClaimWhich;

use crate::world::World;

#[tokio::test]
async fn all_that_can_be_claimed_is_claimed_once() {
    let world = World::start().await;
    let model = world.model(0, b"weights").await;
    for (place, target) in (0..3).zip(world.open_targets().await) {
        let blob = world.store().upload_bytes(vec![place; 50]).await.unwrap();
        let submit = SubmitData {
            target: target.id,
            url: &blob.url,
            checksum: blob.checksum,
            size: blob.size,
            model,
            embedding: target.embedding.as_deref().unwrap(),
            loss: 2.0,
            scored_with: None,
        };
        // Two by the first account, one by the second.
        let account = world.account(1 + usize::from(place == 2));
        account.submit_data(&submit).await.unwrap();
    }
    let (first, second) = (world.account(1), world.account(2));
    assert!(
        first
            .claim_all(ClaimWhich::Own)
            .await
            .unwrap()
            .claimed
            .is_empty()
    );
    world.client.advance_epoch().await.unwrap();
    world.client.advance_epoch().await.unwrap();

    let before = first.balance().await.unwrap();
    let report = first.claim_all(ClaimWhich::Submitted).await.unwrap();
    assert_eq!((report.claimed.len(), report.failed.len()), (2, 0));
    let after = first.balance().await.unwrap();
    let received = i128::from(after.0) - i128::from(before.0);
    assert_eq!(report.received(&first.address()), received);
    assert!(received > 0 && report.fees().0 > 0);

    // The model's owner gets its half whoever claims.
    let owner = world.account(0);
    let report = owner.claim_all(ClaimWhich::Own).await.unwrap();
    assert_eq!(report.claimed.len(), 1);
    for who in [first, second] {
        let report = who.claim_all(ClaimWhich::Everybodys).await.unwrap();
        assert!(report.claimed.is_empty() && report.failed.is_empty());
    }
    world.net.shutdown().await.unwrap();
}
