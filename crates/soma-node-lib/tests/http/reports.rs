//! Reports of models and of validators: told while they stand, and of nobody else.

use serde_json::{Value, json};
use soma_tests::world::Setup;
use soma_types::{ModelFault, TransactionKind};

use crate::net::{Api, WorldNode};

/// The reports of the item with this id, alone and in its list; no field is no reports.
async fn reports(api: &Api, list: &str, key: &str, id: String) -> Value {
    let one: Value = api.read(&format!("/v1/{list}/{id}")).await;
    let page: Value = api.read(&format!("/v1/{list}")).await;
    let items = page["items"].as_array().unwrap();
    let listed = items.iter().find(|item| item[key] == id).unwrap();
    assert_eq!(listed["reports"], one["reports"]);
    let mut others = items.iter().filter(|item| item[key] != id);
    assert!(others.all(|other| other.get("reports").is_none()));
    one["reports"].clone()
}

#[tokio::test]
async fn reports_of_models_and_validators_are_told_until_taken_back() {
    let setup = Setup::default().models(2);
    let WorldNode { world, node, api } = WorldNode::start(setup, |_| {}).await;
    let mut reporters = world.validators[1..3].to_vec();
    reporters.sort();
    let accused = world.validators[3];
    let model = {
        let reader = api.application.chain().reader();
        reader.models(None, 1).unwrap()[0].id
    };
    let of_model = || reports(&api, "models", "id", model.to_string());
    let of_validator = || reports(&api, "validators", "address", accused.to_string());
    assert_eq!(
        (of_model().await, of_validator().await),
        (Value::Null, Value::Null)
    );

    let reason = ModelFault::Undecryptable;
    for reporter in &reporters {
        let key = &world.keys[reporter];
        api.execute(key, TransactionKind::ReportModel { model, reason })
            .await;
        let kind = TransactionKind::ReportValidator { validator: accused };
        api.execute(key, kind).await;
    }
    let [first, second] = [reporters[0], reporters[1]];
    let of_both = json!([
        { "validator": first, "reason": "undecryptable" },
        { "validator": second, "reason": "undecryptable" },
    ]);
    assert_eq!(of_model().await, of_both);
    let of_both = json!([{ "validator": first }, { "validator": second }]);
    assert_eq!(of_validator().await, of_both);

    for reporter in &reporters {
        let key = &world.keys[reporter];
        api.execute(key, TransactionKind::UndoReportModel { model })
            .await;
        let kind = TransactionKind::UndoReportValidator { validator: accused };
        api.execute(key, kind).await;
    }
    assert_eq!(
        (of_model().await, of_validator().await),
        (Value::Null, Value::Null)
    );
    node.shutdown().await.unwrap();
}
