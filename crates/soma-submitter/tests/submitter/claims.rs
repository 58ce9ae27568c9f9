//! Claims that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use soma_sdk::Account;
use soma_submitter::{
    Control, Limits, Report, Submitter, SubmitterConfig, SubmitterError, SubmitterEvent,
};
use soma_types::{Epoch, Shannons};

use crate::tap::Tap;
use crate::world::{ANYWHERE, Told, World};

async fn run(account: Account, config: SubmitterConfig) -> (Result<Report, SubmitterError>, Told) {
    let told = Told::default();
    let teller = told.clone();
    let control = Control::default();
    let submitter = Submitter::open(account, config, control, move |event| teller.add(event));
    let result = submitter.await.unwrap().run().await;
    (result, told)
}

/// Settings of a run that only claims, and knows nothing of what was filled.
fn claiming(world: &World, config: &SubmitterConfig) -> SubmitterConfig {
    SubmitterConfig {
        state: world.folder.path().join("another state"),
        limits: Limits {
            until_epoch: Some(Epoch(0)),
            ..Limits::default()
        },
        ..config.clone()
    }
}

fn tries(told: &Told) -> usize {
    let is_try = |event: &SubmitterEvent| matches!(event, SubmitterEvent::Retrying { what, .. } if what.starts_with("claiming"));
    told.all().into_iter().filter(is_try).count()
}

#[tokio::test]
async fn a_claim_that_fails_is_not_in_the_way_of_the_others() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"filled three times")]);
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(3);
    let account = world.account(1);
    run(account.clone(), config.clone()).await.0.unwrap();
    world.advance().await;
    world.advance().await;
    let first = world.targets("claimable").await[0].id;

    // The first list does not arrive. Between the second and its claims somebody else claims one.
    let lists = Arc::new(AtomicUsize::new(0));
    let (seen, other) = (Arc::clone(&lists), world.account(2));
    let tap = Tap::open(&world, move |line| {
        let (lists, other) = (Arc::clone(&lists), other.clone());
        async move {
            if !line.contains("status=claimable") {
                return true;
            }
            let place = lists.fetch_add(1, Ordering::SeqCst);
            if place == 1 {
                other.claim_rewards(first).await.unwrap();
            }
            place > 0
        }
    })
    .await;
    let account = tap.account(&world, &account);
    let (report, told) = run(account, claiming(&world, &config)).await;
    assert_eq!(report.unwrap().stats.claimed, 2);
    assert_eq!(world.targets("claimed").await.len(), 3);
    assert_eq!((tries(&told), seen.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn the_last_epoch_ends_with_an_error_where_rewards_cannot_be_claimed() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"ten bytes!")]);
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    let poor = world.client.account(soma_sdk::SecretKey::generate());
    let rich = world.account(2);
    // Bond and fees, and what three claims cost that fail for want of their full fee.
    let money = Shannons(650 + 3_800 + 3_000);
    rich.transfer(poor.address(), money).await.unwrap();
    run(poor.clone(), config.clone()).await.0.unwrap();
    world.advance().await;
    world.advance().await;

    let config = claiming(&world, &config);
    let (result, told) = run(poor.clone(), config.clone()).await;
    assert_eq!(result.unwrap_err().name(), "InsufficientGas");
    assert_eq!(tries(&told), 2);
    assert_eq!(poor.balance().await.unwrap(), Shannons::ZERO);
    let money = Shannons(1_000_000_000);
    rich.transfer(poor.address(), money).await.unwrap();
    let (report, told) = run(poor, config).await;
    assert_eq!((report.unwrap().stats.claimed, tries(&told)), (1, 0));
}
