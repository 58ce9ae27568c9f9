//! The client against a localnet in this process.

use std::time::Duration;

use soma_crypto::transaction::sign;
use soma_node::{Localnet, LocalnetConfig};
use soma_sdk::api::{ErrorCode, EventView, ObjectContent, ObjectType};
use soma_sdk::pages::collect;
use soma_sdk::types::{
    Address, ChainId, Epoch, Payment, Shannons, TargetId, Transaction, TransactionKind,
};
use soma_sdk::{
    Account, BlockName, Client, CommitModel, EventRequest, ObjectFilter, PageRequest, SdkError,
    SecretKey, SubmitData, TargetFilter,
};

async fn localnet() -> (Localnet, Client) {
    let net = Localnet::start(LocalnetConfig::for_tests()).await.unwrap();
    let client = Client::builder()
        .rpc_url(net.rpc_url())
        .faucet_url(net.faucet_url().unwrap())
        .admin_url(net.admin_url().unwrap())
        .build()
        .unwrap();
    (net, client)
}

fn rich(net: &Localnet, client: &Client) -> Account {
    client.account(net.keys().accounts[0].secret_key.clone())
}

fn soma(text: &str) -> Shannons {
    text.parse().unwrap()
}

#[tokio::test]
async fn money_moves_and_failures_have_their_names() {
    let (net, client) = localnet().await;
    let poor = client.account(SecretKey::generate());
    let sent = client.request_faucet(poor.address()).await.unwrap();
    assert_eq!(poor.balance().await.unwrap(), sent.amount);

    let alice = rich(&net, &client);
    let receipt = alice.transfer(poor.address(), soma("3")).await.unwrap();
    assert!(receipt.is_success());
    let one = Payment {
        recipient: poor.address(),
        amount: soma("1"),
    };
    alice.pay(vec![one, one]).await.unwrap();
    assert_eq!(poor.balance().await.unwrap(), soma("7"));

    let error = poor.transfer(alice.address(), soma("100")).await;
    let error = error.unwrap_err();
    assert_eq!(error.name(), "InsufficientCoinBalance");
    assert!(!error.is_retryable());
    assert!(error.to_string().contains("InsufficientCoinBalance"));

    // Nothing is signed for a network that took the place of another.
    let other = Client::builder()
        .rpc_url(net.rpc_url())
        .chain_id(ChainId([9; 32]))
        .build()
        .unwrap();
    let error = rich(&net, &other).transfer(poor.address(), soma("1")).await;
    assert!(matches!(error, Err(SdkError::WrongChain { .. })));
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn concurrent_transactions_of_one_account_do_not_collide() {
    let (net, client) = localnet().await;
    // Two clients with one key are two programs: they race for nonces.
    let other = Client::builder().rpc_url(net.rpc_url()).build().unwrap();
    let accounts = [rich(&net, &client), rich(&net, &other)];
    let recipient = Address([7; 32]);
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            // The two send different amounts: equal transactions would be one.
            let (account, amount) = (accounts[n % 2].clone(), ["1", "2"][n % 2]);
            tokio::spawn(async move { account.transfer(recipient, soma(amount)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let balance = client.balance(&recipient).await.unwrap();
    assert_eq!(balance.balance, soma("60"));
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_transaction_is_tried_without_being_executed() {
    let (net, client) = localnet().await;
    let alice = rich(&net, &client);
    let before = alice.balance().await.unwrap();
    let kind = TransactionKind::ClaimRewards {
        target: TargetId([1; 32]),
    };
    let transaction = alice.build(kind).await.unwrap();
    let receipt = client.simulate(&transaction).await.unwrap();
    assert_eq!(receipt.error.unwrap().code, "TargetNotFound");
    assert_eq!(alice.balance().await.unwrap(), before);
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_signed_transaction_can_be_sent_twice() {
    let (net, client) = localnet().await;
    let alice = rich(&net, &client);
    let kind = TransactionKind::Transfer {
        recipient: Address([7; 32]),
        amount: soma("1"),
    };
    let transaction = alice.build(kind).await.unwrap();
    let signed = soma_crypto::transaction::sign(transaction, alice.key());
    let first = client.execute_signed(&signed).await.unwrap();
    let second = client.execute_signed(&signed).await.unwrap();
    assert_eq!(first, second);
    let record = client.transaction(&first.transaction).await.unwrap();
    assert_eq!(record.receipt, Some(first));
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_read_answers() {
    let (net, client) = localnet().await;
    let alice = rich(&net, &client);
    let validator = net.keys().first().address;
    let receipt = alice.stake(validator, soma("5")).await.unwrap();
    let stake = receipt.created[0];
    assert_eq!(stake.kind, ObjectType::StakedSoma);

    assert!(client.health().await.unwrap());
    assert!(client.metrics().await.unwrap().contains("# EOF"));
    assert!(client.openapi().await.unwrap()["paths"].is_object());
    assert_eq!(client.status().await.unwrap().chain, "localnet");
    let chain = client.chain_id().await.unwrap();
    assert_eq!(client.chain_info().await.unwrap().chain_id, chain);
    assert_eq!(client.parameters().await.unwrap().target_embedding_dim, 16);
    assert!(client.mempool().await.unwrap().max_transactions > 0);
    assert_eq!(client.system().await.unwrap().epoch.0, 0);
    assert!(client.supply().await.unwrap().ok);
    let epoch = client.current_epoch().await.unwrap();
    assert_eq!(client.epoch(epoch.epoch).await.unwrap(), epoch);
    let block = client.block(BlockName::Latest, true).await.unwrap();
    let same = client.block(BlockName::Digest(block.digest), true).await;
    assert_eq!(same.unwrap(), block);
    assert_eq!(client.receipt(&receipt.transaction).await.unwrap(), receipt);
    assert_eq!(client.validator(&validator).await.unwrap().status, "active");

    let page = PageRequest::default();
    let stakes = client.stakes(&alice.address(), &page).await.unwrap();
    assert_eq!(stakes.items[0].principal, soma("5"));
    client.earnings(&validator, &page).await.unwrap();
    assert_eq!(client.validators(&page).await.unwrap().items.len(), 1);
    let coins = ObjectFilter {
        kind: Some(ObjectType::Coin),
    };
    let objects = client
        .objects(&alice.address(), coins, &page)
        .await
        .unwrap();
    assert_eq!(objects.items.len(), 1);
    let object = client.object(&stake.id, None).await.unwrap();
    assert!(matches!(object.content, ObjectContent::StakedSoma(_)));

    alice.unstake(stakes.items[0].id).await.unwrap();
    let next = client.advance_epoch().await.unwrap();
    assert_eq!(next.epoch.0, 1);
    assert!(client.supply_certificate(epoch.epoch).await.unwrap().ok);

    let missing = client.model(&soma_types::ModelId([1; 32]), true).await;
    assert_eq!(missing.unwrap_err().api_code(), Some(ErrorCode::NotFound));
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_balance_is_proven_and_so_is_its_absence() {
    let (net, client) = localnet().await;
    let alice = rich(&net, &client);
    alice.transfer(Address([7; 32]), soma("2")).await.unwrap();
    let proven = client.verified_account(Address([7; 32])).await.unwrap();
    assert_eq!(proven.value.unwrap().balance, soma("2"));
    let block = client.block(BlockName::Digest(proven.digest), false).await;
    assert_eq!(block.unwrap().header.state_root, proven.header.state_root);
    let absent = client.verified_account(Address([8; 32])).await.unwrap();
    assert_eq!(absent.value, None);
    assert!(client.verified_supply().await.unwrap().value.is_some());
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_header_is_shown_to_be_final_by_its_committee() {
    let (net, client) = localnet().await;
    let alice = rich(&net, &client);
    let sent = alice.transfer(Address([7; 32]), soma("2")).await.unwrap();
    let proven = client.verified_committee(Epoch(0)).await.unwrap();
    let committee = proven.value.unwrap();
    let header = client.final_header(sent.height, &committee).await.unwrap();
    let block = client.block(BlockName::Height(sent.height), false).await;
    assert_eq!(header, block.unwrap().header.into());

    let certificate = client.certificate(BlockName::Height(sent.height)).await;
    assert_eq!(certificate.unwrap().signatures.len(), 1);
    let mut others = committee.clone();
    others.members[0].consensus_key = SecretKey::generate().public_key();
    let refused = client.final_header(sent.height, &others).await.unwrap_err();
    assert!(matches!(refused, SdkError::NotFinal(_)), "{refused}");
    let missing = client.certificate(BlockName::Height(u64::MAX)).await;
    assert_eq!(missing.unwrap_err().api_code(), Some(ErrorCode::NotFound));
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_model_is_made_and_a_target_filled() {
    let (net, client) = localnet().await;
    let alice = rich(&net, &client);
    let (model, _) = alice.create_model(None, 1_000).await.unwrap();
    let key = soma_types::WeightsKey([5; 32]);
    let checksum = soma_types::Checksum([6; 32]);
    let embedding: Vec<f32> = (0..16).map(|n| 1.0 + n as f32).collect();
    let commit = CommitModel {
        model,
        url: "http://127.0.0.1/weights",
        checksum,
        size: 100,
        plaintext_checksum: soma_types::Checksum([7; 32]),
        key,
        embedding: &embedding,
    };
    alice.commit_model(&commit).await.unwrap();
    client.advance_epoch().await.unwrap();
    alice.reveal_model(model, key, &embedding).await.unwrap();
    client.advance_epoch().await.unwrap();
    assert_eq!(client.model(&model, true).await.unwrap().status, "active");

    let open = TargetFilter {
        status: Some("open".to_owned()),
        with_embedding: true,
        ..TargetFilter::default()
    };
    let targets = collect(None, async |page| client.targets(&open, &page).await);
    let targets = targets.await.unwrap();
    assert!(!targets.is_empty());
    let target = &targets[0];
    let mut data = SubmitData {
        target: target.id,
        url: "http://127.0.0.1/data",
        checksum,
        size: 100,
        model,
        embedding: target.embedding.as_deref().unwrap(),
        loss: 2.5,
        scored_with: None,
    };
    alice.submit_data(&data).await.unwrap();
    let filled = client.target(&target.id, false).await.unwrap();
    assert_eq!(filled.status, "filled");
    assert_eq!(filled.fill.unwrap().submitter, alice.address());

    let again = alice.submit_data(&data).await.unwrap_err();
    assert_eq!(again.name(), "TargetNotOpen");
    data.url = "";
    data.loss = f64::NAN;
    let refused = alice.submit_data(&data).await.unwrap_err();
    assert!(matches!(refused, SdkError::InvalidArgument(_)));
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn events_arrive_in_order_and_go_on_after_a_place() {
    let (net, client) = localnet().await;
    let alice = rich(&net, &client);
    let mut live = client.events(EventRequest::default()).await.unwrap();
    for _ in 0..3 {
        alice.transfer(Address([7; 32]), soma("1")).await.unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let message = live.next().await.unwrap();
        assert!(matches!(message.event, EventView::Block { .. }));
        seen.push(message);
    }
    assert!(seen.windows(2).all(|pair| pair[0].id < pair[1].id));
    let request = EventRequest {
        after: Some(seen[0].id),
        types: vec!["block".to_owned()],
        ..EventRequest::default()
    };
    let mut resumed = client.events(request).await.unwrap();
    assert_eq!(resumed.next().await.unwrap(), seen[1]);
    assert_eq!(resumed.position(), Some(seen[1].id));

    let bad = EventRequest {
        types: vec!["nonsense".to_owned()],
        ..EventRequest::default()
    };
    assert!(!client.events(bad).await.unwrap_err().is_retryable());
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_node_that_is_not_there_is_said_so() {
    // Port 1 is never listened on by a user's program.
    let client = Client::builder()
        .rpc_url("http://127.0.0.1:1")
        .timeout(Duration::from_secs(5))
        .execution_timeout(Duration::from_millis(300))
        .retries(1)
        .build()
        .unwrap();
    let error = client.status().await.unwrap_err();
    assert!(matches!(error, SdkError::Transport { .. }), "{error}");
    assert!(error.is_retryable());

    // A transaction that never left is not said to be on its way.
    let key = SecretKey::generate();
    let transaction = Transaction {
        chain_id: ChainId([1; 32]),
        sender: key.address(),
        nonce: 0,
        expiry_height: 10,
        kind: TransactionKind::Transfer {
            recipient: Address([1; 32]),
            amount: Shannons(1),
        },
    };
    let error = client.execute_signed(&sign(transaction, &key)).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, SdkError::Transport { sent: false, .. }),
        "{error}"
    );
    let faucet = client.request_faucet(Address([1; 32])).await.unwrap_err();
    assert!(matches!(faucet, SdkError::NotConfigured { .. }));
}

/// What is asked of each route, and by which method.
const ROUTES: &[(&str, &str, &str)] = &[
    (
        "admin.json",
        "/v1/admin/advance-epoch",
        "Client::advance_epoch",
    ),
    ("admin.json", "/v1/openapi.json", "Client::admin_openapi"),
    ("faucet.json", "/health", "Client::faucet_health"),
    ("faucet.json", "/v1/faucet", "Client::request_faucet"),
    ("faucet.json", "/v1/openapi.json", "Client::faucet_openapi"),
    ("openapi.json", "/health", "Client::health"),
    ("openapi.json", "/metrics", "Client::metrics"),
    (
        "openapi.json",
        "/v1/accounts/{address}/balance",
        "Client::balance",
    ),
    (
        "openapi.json",
        "/v1/accounts/{address}/earnings",
        "Client::earnings",
    ),
    (
        "openapi.json",
        "/v1/accounts/{address}/objects",
        "Client::objects",
    ),
    (
        "openapi.json",
        "/v1/accounts/{address}/stakes",
        "Client::stakes",
    ),
    ("openapi.json", "/v1/audits", "Client::audits"),
    ("openapi.json", "/v1/blocks/{block}", "Client::block"),
    (
        "openapi.json",
        "/v1/blocks/{block}/certificate",
        "Client::certificate",
    ),
    ("openapi.json", "/v1/chain", "Client::chain_info"),
    ("openapi.json", "/v1/epochs/{epoch}", "Client::epoch"),
    (
        "openapi.json",
        "/v1/epochs/{epoch}/handover",
        "Client::handover",
    ),
    ("openapi.json", "/v1/events", "Client::events"),
    ("openapi.json", "/v1/genesis", "Client::genesis"),
    ("openapi.json", "/v1/mempool", "Client::mempool"),
    ("openapi.json", "/v1/models", "Client::models"),
    ("openapi.json", "/v1/models/{id}", "Client::model"),
    (
        "openapi.json",
        "/v1/models/{id}/weights",
        "Downloads::weights",
    ),
    ("openapi.json", "/v1/objects/{id}", "Client::object"),
    ("openapi.json", "/v1/openapi.json", "Client::openapi"),
    ("openapi.json", "/v1/parameters", "Client::parameters"),
    ("openapi.json", "/v1/peers", "Client::peers"),
    ("openapi.json", "/v1/proofs/{kind}", "Client::proof"),
    ("openapi.json", "/v1/proofs/{kind}/{id}", "Client::proof"),
    ("openapi.json", "/v1/snapshots", "Client::snapshots"),
    ("openapi.json", "/v1/snapshots/{epoch}", "Client::snapshot"),
    (
        "openapi.json",
        "/v1/snapshots/{epoch}/chunks/{index}",
        "Client::snapshot_chunk",
    ),
    ("openapi.json", "/v1/status", "Client::status"),
    ("openapi.json", "/v1/supply", "Client::supply"),
    (
        "openapi.json",
        "/v1/supply/{epoch}",
        "Client::supply_certificate",
    ),
    ("openapi.json", "/v1/system", "Client::system"),
    ("openapi.json", "/v1/targets", "Client::targets"),
    ("openapi.json", "/v1/targets/{id}", "Client::target"),
    ("openapi.json", "/v1/targets/{id}/data", "Downloads::data"),
    (
        "openapi.json",
        "/v1/targets/{id}/scorecard",
        "Client::scorecard",
    ),
    (
        "openapi.json",
        "/v1/targets/{id}/weights/{model}",
        "Downloads::pinned_weights",
    ),
    ("openapi.json", "/v1/transactions", "Client::submit"),
    (
        "openapi.json",
        "/v1/transactions/simulate",
        "Client::simulate",
    ),
    (
        "openapi.json",
        "/v1/transactions/{digest}",
        "Client::transaction",
    ),
    (
        "openapi.json",
        "/v1/transactions/{digest}/receipt",
        "Client::receipt",
    ),
    ("openapi.json", "/v1/validators", "Client::validators"),
    (
        "openapi.json",
        "/v1/validators/{address}",
        "Client::validator",
    ),
    ("scorer.json", "/health", "Client::scorer_health"),
    ("scorer.json", "/metrics", "Client::scorer_metrics"),
    ("scorer.json", "/v1/downloads", "Client::scorer_downloads"),
    ("scorer.json", "/v1/info", "Client::scorer_info"),
    ("scorer.json", "/v1/openapi.json", "Client::scorer_openapi"),
    ("scorer.json", "/v1/score", "Client::score"),
    ("scorer.json", "/v1/score/batch", "Client::score_batch"),
];

#[test]
fn every_route_of_every_service_has_a_method() {
    let folder =
        std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../docs/api");
    let mut served = Vec::new();
    for file in ["admin.json", "faucet.json", "openapi.json", "scorer.json"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let paths = document["paths"].as_object().unwrap();
        served.extend(paths.keys().map(|path| (file.to_owned(), path.clone())));
    }
    let mut known: Vec<_> = ROUTES
        .iter()
        .map(|(file, path, _)| ((*file).to_owned(), (*path).to_owned()))
        .collect();
    served.sort();
    known.sort();
    let missing: Vec<_> = served
        .iter()
        .filter(|route| !known.contains(route))
        .collect();
    assert!(
        missing.is_empty(),
        "without a method of the client: {missing:?}"
    );
    let gone: Vec<_> = known
        .iter()
        .filter(|route| !served.contains(route))
        .collect();
    assert!(gone.is_empty(), "served no more: {gone:?}");
    // A method is only as good as its name here.
    let sources = std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("src");
    let mut text = String::new();
    let mut folders = vec![sources];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => text.push_str(&std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    for (_, _, method) in ROUTES {
        let (_, name) = method.split_once("::").unwrap();
        // Some are made by a macro.
        let is_there = [format!("fn {name}("), format!("    {name}(")];
        assert!(
            is_there.iter().any(|start| text.contains(start)),
            "{method}"
        );
    }
}

#[tokio::test]
async fn faucet_and_admin_describe_themselves() {
    let (net, client) = localnet().await;
    assert!(client.faucet_health().await.unwrap());
    for document in [client.faucet_openapi().await, client.admin_openapi().await] {
        assert!(document.unwrap()["paths"].is_object());
    }
    net.shutdown().await.unwrap();
}
