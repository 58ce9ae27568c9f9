//! Bonds, balances, bounds.

use soma_submitter::run::Wanting;
use soma_submitter::{Control, Submitter, SubmitterEvent};
use soma_types::Shannons;

use crate::world::{ANYWHERE, SUBMITTER, Told, World, run};

fn is_waiting(event: &SubmitterEvent) -> bool {
    matches!(event, SubmitterEvent::WaitingForMoney { .. })
}

#[tokio::test]
async fn a_poor_account_says_what_it_needs_and_goes_on_when_it_has_it() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", &[b'x'; 1_000])]);
    let poor = world.client.account(soma_sdk::SecretKey::generate());
    let rich = world.account(2);
    // Enough for the fees, not for the bond.
    rich.transfer(poor.address(), Shannons(50_000))
        .await
        .unwrap();
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    let told = Told::default();
    let teller = told.clone();
    let control = Control::default();
    let submitter = Submitter::open(poor.clone(), config, control, move |event| {
        teller.add(event);
    });
    let mut submitter = submitter.await.unwrap();
    let running = tokio::spawn(async move { submitter.run().await });
    while !told.any(is_waiting) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // It says so once, and sends nothing.
    assert!(told.states().is_empty());
    assert_eq!(world.targets("filled").await.len(), 0);
    rich.transfer(poor.address(), Shannons(1_000_000))
        .await
        .unwrap();
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.stats.filled, 1);
    let waits = told
        .all()
        .into_iter()
        .filter(is_waiting)
        .collect::<Vec<_>>();
    let needed = Shannons(65_000 + 2 * 1_000 + 6 * 300);
    assert_eq!(
        waits,
        [SubmitterEvent::WaitingForMoney(Wanting {
            needed,
            available: Shannons(50_000),
            at_max_bonds: false,
        })]
    );
}

#[tokio::test]
async fn no_more_bonds_are_out_than_allowed_also_after_a_restart() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"ten bytes!")]);
    let mut config = world.config(&source, "state");
    config.max_bonds = Some(Shannons(2 * 650 + 649));
    config.limits.once = true;
    let (stats, told) = run(&world, SUBMITTER, config.clone()).await;
    assert_eq!((stats.filled, stats.bonds_out), (2, Shannons(1_300)));
    let is_bounded = |event: &SubmitterEvent| {
        matches!(
            event,
            SubmitterEvent::WaitingForMoney(Wanting {
                at_max_bonds: true,
                available: Shannons(649),
                ..
            })
        )
    };
    assert!(told.any(is_bounded), "{:?}", told.all());
    let (stats, _) = run(&world, SUBMITTER, config).await;
    assert_eq!((stats.filled, stats.bonds_out), (0, Shannons(1_300)));
}
