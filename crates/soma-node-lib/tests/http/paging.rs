//! Lists: following `next_cursor` reaches every row once, and only cursors of the list are taken.

use std::collections::BTreeSet;

use serde_json::Value;
use soma_api::{ErrorCode, Page};
use soma_node::NodeHandle;
use soma_tests::model_secrets::Sealed;
use soma_tests::scenes::soma;
use soma_tests::world::{Setup, World};
use soma_types::{Address, Epoch, TransactionKind};

use crate::net::{Api, WorldNode, transfer};

const VALIDATORS: usize = 7;
const MODELS: u64 = 7;
const TARGETS: usize = 9;
const STAKES: usize = 7;
const FILLS: usize = 5;

/// A node with some rows in every list.
struct Rows {
    world: World,
    node: NodeHandle,
    api: Api,
    /// Who has stake positions, models and filled targets.
    owner: Address,
    /// Who has many lines in its ledger.
    earner: Address,
}

impl Rows {
    async fn make() -> Self {
        let setup = Setup {
            validators: VALIDATORS,
            ..Setup::default()
        };
        let targets = u64::try_from(TARGETS).unwrap();
        let setup = setup.with("target_initial_targets_per_epoch", targets);
        let WorldNode { world, node, api } = WorldNode::start(setup.models(MODELS), |_| {}).await;
        let (owner, earner) = (world.users[0], world.validators[0]);
        let rows = Self {
            world,
            node,
            api,
            owner,
            earner,
        };
        rows.fill().await;
        rows
    }

    async fn execute(&self, sender: &Address, kind: TransactionKind) {
        self.api.execute(&self.world.keys[sender], kind).await;
    }

    async fn fill(&self) {
        let validator = self.earner;
        for _ in 0..STAKES {
            let amount = soma(10);
            self.execute(&self.owner, TransactionKind::Stake { validator, amount })
                .await;
        }
        for n in 0..2 {
            let kind = soma_tests::scenes::create_model(soma(2 + n), 100);
            self.execute(&self.owner, kind).await;
        }
        let open = {
            let reader = self.api.application.chain().reader();
            let found = reader.targets(&Default::default(), None, 1_000).unwrap();
            let direction = |target: &soma_types::Target| reader.target_embedding(&target.id);
            let with = |target: soma_types::Target| {
                let embedding = direction(&target).unwrap().unwrap();
                (target, embedding)
            };
            found.targets.into_iter().map(with).collect::<Vec<_>>()
        };
        for (seed, (target, direction)) in (1..).zip(open.iter().take(FILLS)) {
            let sealed = Sealed::new(self.owner, target.id, target.models[0], direction, seed, 10);
            self.execute(&self.owner, sealed.seal()).await;
            self.execute(&self.owner, sealed.open()).await;
        }
        for epoch in 0..7 {
            self.api.end_epoch(Epoch(epoch)).await;
        }
        // The targets of the new epoch are drawn by the block after its first.
        self.execute(&self.owner, transfer(self.earner, 1)).await;
    }

    /// Every list, with how many rows it has at least and what tells its rows apart.
    fn lists(&self) -> Vec<(String, usize, &'static [&'static str])> {
        let (owner, earner) = (self.owner, self.earner);
        let models = usize::try_from(MODELS).unwrap();
        let objects = 1 + STAKES + 1 + 2 + FILLS;
        vec![
            (
                format!("/v1/accounts/{owner}/objects?"),
                objects,
                &["type", "id"],
            ),
            (
                format!("/v1/accounts/{owner}/objects?type=staked_soma&"),
                STAKES,
                &["id"],
            ),
            (
                format!("/v1/accounts/{owner}/objects?type=model&"),
                2,
                &["id"],
            ),
            (
                format!("/v1/accounts/{owner}/objects?type=target&"),
                FILLS,
                &["id"],
            ),
            (
                format!("/v1/accounts/{earner}/objects?"),
                3,
                &["type", "id"],
            ),
            (format!("/v1/accounts/{owner}/stakes?"), STAKES, &["id"]),
            (
                format!("/v1/accounts/{earner}/earnings?"),
                7,
                &["height", "index"],
            ),
            ("/v1/models?".to_owned(), models + 2, &["id"]),
            (
                "/v1/models?status=active&include=embedding&".to_owned(),
                models,
                &["id"],
            ),
            (format!("/v1/models?owner={owner}&"), 2, &["id"]),
            ("/v1/validators?".to_owned(), VALIDATORS, &["address"]),
            ("/v1/targets?".to_owned(), TARGETS, &["id"]),
            (
                "/v1/targets?status=open&include=embedding&".to_owned(),
                TARGETS,
                &["id"],
            ),
            ("/v1/targets?status=expired&".to_owned(), TARGETS, &["id"]),
            ("/v1/targets?status=claimable&".to_owned(), FILLS, &["id"]),
            (format!("/v1/targets?submitter={owner}&"), FILLS, &["id"]),
            ("/v1/targets?epoch=7&".to_owned(), TARGETS, &["id"]),
        ]
    }

    /// Ids of all rows of a list in their order, page after page.
    async fn rows(&self, list: &str, limit: usize, id: &[&str]) -> Vec<String> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let target = format!("{list}limit={limit}{cursor}");
            let page: Page<Value> = self.api.read(&target).await;
            assert!(page.items.len() <= limit, "{target}");
            let name = |row: &Value| id.iter().map(|field| row[*field].to_string()).collect();
            rows.extend(page.items.iter().map(name));
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }
}

#[tokio::test]
async fn following_the_cursors_reaches_every_row_once_whatever_the_page_size() {
    let rows = Rows::make().await;
    for (list, least, id) in rows.lists() {
        let all = rows.rows(&list, 1_000, id).await;
        assert!(all.len() >= least, "{list}: {} of {least} rows", all.len());
        assert!(all.iter().all(|id| !id.contains("null")), "{list}: {all:?}");
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{list}: {all:?}");
        for limit in [1, 2, 3, all.len() - 1, all.len(), all.len() + 1] {
            let paged = rows.rows(&list, limit.max(1), id).await;
            assert_eq!(paged, all, "{list} in pages of {limit}");
        }
    }
    rows.node.shutdown().await.unwrap();
}

#[tokio::test]
async fn only_cursors_of_the_same_list_are_taken() {
    let rows = Rows::make().await;
    let mut cursors = Vec::new();
    for (list, _, _) in rows.lists() {
        let page: Page<Value> = rows.api.read(&format!("{list}limit=1")).await;
        cursors.push((list, page.next_cursor.expect("more than one row")));
    }
    for (list, own) in &cursors {
        for (from, foreign) in &cursors {
            let answer = rows
                .api
                .get(&format!("{list}limit=1&cursor={foreign}"))
                .await;
            if from == list {
                answer.json::<Page<Value>>();
            } else {
                answer.error(ErrorCode::InvalidRequest);
            }
        }
        let (tag, place) = own.split_once('.').unwrap();
        let long = "a".repeat(2_000);
        let changed = [
            String::new(),
            tag.to_owned(),
            format!("{tag}."),
            format!("{tag}.{place}x"),
            format!("{tag}.{}", &place[..place.len() - 1]),
            format!("{tag}.%ff"),
            format!("{tag}.{long}"),
            place.to_owned(),
            format!("{place}.{tag}"),
        ];
        for cursor in changed {
            let answer = rows.api.get(&format!("{list}cursor={cursor}")).await;
            answer.error(ErrorCode::InvalidRequest);
        }
    }
    rows.node.shutdown().await.unwrap();
}
