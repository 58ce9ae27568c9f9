//! A node that ends in the middle of an audit.

use soma_types::Loss;

use crate::world::{World, text};

#[tokio::test]
async fn a_restart_neither_forgets_an_audit_nor_repeats_a_report() {
    let mut world = World::start().await;
    let targets = world.open_targets().await;
    let mut first = world.honest(&targets[0], &text(1, 900)).await;
    first.loss = Loss(first.loss.0 / 2);
    let mut second = world.honest(&targets[1], &text(2, 901)).await;
    second.loss = Loss(second.loss.0 / 3);
    let mut third = world.honest(&targets[2], &text(3, 902)).await;
    third.loss = Loss(third.loss.0 / 4);
    world.submit(3, &targets[0], &first).await;
    world
        .audit(&targets[0].id, |audit| audit.report.is_some())
        .await;

    // The second is found, and cannot be scored before the node ends.
    world.stop_scorer().await;
    world.submit(3, &targets[1], &second).await;
    world
        .audit(&targets[1].id, |audit| audit.attempts > 0)
        .await;
    // The third is submitted while nobody audits.
    world.stop_node().await;
    let scorers = std::mem::take(&mut world.config.audit.scorer);
    world.start_node().await;
    world.submit(3, &targets[2], &third).await;
    world.stop_node().await;
    world.config.audit.scorer = scorers;
    world.start_scorer().await;
    world.start_node().await;
    for target in &targets[..3] {
        let audit = world
            .audit(&target.id, |audit| audit.report.is_some())
            .await;
        assert_eq!(audit.reason.as_deref(), Some("wrong_loss"));
    }
    world.stop_node().await;
    world.start_node().await;
    world.end_epoch().await;
    for target in &targets[..3] {
        world.audit(&target.id, |audit| audit.state == "done").await;
    }
    assert_eq!(world.duties(), [("report_submission", true); 3]);
    world.end_epoch().await;
    for target in &targets[..3] {
        assert_eq!(world.target(&target.id).status.name(), "fraud");
    }
    world.finish().await;
}
