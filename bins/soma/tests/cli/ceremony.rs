//! A network from its genesis ceremony to a validator that joins, changes its key, leaves and gets
//! its stake back: all by this program, each node a process of its own.

use serde_json::Value;

use crate::nodes::{Node, World, only_its_owner_reads, text, wait};
use crate::program::Soma;

#[test]
fn a_genesis_is_agreed_on_by_commands() {
    let world = World::begin(2);
    let soma = &world.soma;
    let path = &world.path;
    let listed = world.genesis("list-validators");
    assert_eq!(listed["validators"].as_array().unwrap().len(), 2);
    assert_eq!(listed["validators"][0]["signed"], false);
    assert_eq!(
        world.genesis("list-models")["models"],
        serde_json::json!([])
    );
    let checked = world.genesis("validate-state");
    assert_eq!(checked["total"], 10_000_000_000_000_000_u64);
    let sign = format!(
        "genesis sign --path {path} --key-file {} --yes",
        world.nodes[0].file("consensus.key")
    );
    assert_eq!(soma.fails(&sign)["code"], "GenesisNotBuilt");
    let built = world.genesis("build");
    assert_eq!(built["chain_id"], checked["chain_id"]);
    assert_eq!(world.genesis("examine"), checked);

    world.sign(&world.nodes[0]);
    let early = soma.fails(&format!("genesis finalize --path {path}"));
    assert_eq!(early["code"], "GenesisNotSigned");
    // The account's key votes for nothing, so it does not sign either.
    let other = format!(
        "genesis sign --path {path} --key-file {} --yes",
        world.nodes[1].file("account.key")
    );
    assert_eq!(soma.fails(&other)["code"], "NotAValidator");
    world.sign(&world.nodes[1]);
    let listed = world.genesis("list-validators");
    assert_eq!(listed["validators"][1]["signed"], true);

    // Whatever changes after that has to be built and signed again.
    let somebody = "0x0101010101010101010101010101010101010101010101010101010101010101";
    world.genesis(&format!("add-account {somebody} 2.5"));
    let changed = soma.fails(&format!("genesis finalize --path {path}"));
    assert_eq!(changed["code"], "GenesisChanged");
    world.genesis(&format!("add-account {somebody} 0"));
    let finished = world.genesis("finalize");
    let shown = soma.json(&format!(
        "genesis inspect {path}/genesis.json --signatures {path}/signatures.json"
    ));
    assert_eq!(shown["chain_id"], finished["chain_id"]);
    assert_eq!(shown["signed"], true);

    // Made again, nothing that is there is replaced.
    let node = &world.nodes[0];
    let before = std::fs::read(node.dir.join("consensus.key")).unwrap();
    let made = node.make_info(soma, "--genesis othernet");
    assert_eq!(
        std::fs::read(node.dir.join("consensus.key")).unwrap(),
        before
    );
    let refused = soma.fails(&format!(
        "genesis add-validator {} --path {path}",
        text(&made, "info")
    ));
    assert_eq!(refused["code"], "InvalidValidatorInfo");
    let again = soma.fails(&format!("genesis init testnet --path {path}"));
    assert_eq!(again["code"], "CeremonyBegun");
}

#[test]
fn a_validator_joins_by_stake_validates_changes_its_key_leaves_and_gets_its_stake_back() {
    let mut world = World::begin(3);
    let finished = world.finish();
    world.start();
    let soma = Soma::new();
    let first = world.nodes[0].url();
    let four = soma.json("wallet new --alias four --unencrypted");
    let four = text(&four, "address").to_owned();
    let send = format!("send 30000 --to {four} --rpc-url {first}");
    assert_eq!(world.soma.json(&send)["status"], "success");

    // A node of its own, first as one that follows.
    let mut node = Node::new(soma.dir().join("node-4"));
    let made = node.make_info(&soma, &format!("--account=four --rpc-url {first}"));
    assert_eq!(text(&made, "address"), four);
    node.start(&soma);
    soma.ok(&format!("env new here --rpc {}", node.url()));
    soma.ok("env switch here");
    wait("the chain", || {
        let height = node.status(&soma)?["height"].as_u64()?;
        (height > 0).then_some(())
    });
    assert_eq!(soma.json("env chain-id")["chain_id"], finished["chain_id"]);
    wait("the money", || {
        let balance = soma.json("balance");
        (balance["total_balance"] == 30_000_000_000_000_u64).then_some(())
    });

    // Joining.
    let info = text(&made, "info").to_owned();
    let poor = soma.fails(&format!("validator join {info} --stake 30001"));
    assert_eq!(poor["code"], "InsufficientCoinBalance");
    let joined = soma.json(&format!("validator join {info} --stake 20000"));
    assert_eq!(joined["status"], "success");
    let stake = text(&joined, "stake_id").to_owned();
    let display = |soma: &Soma| soma.json("validator display");
    wait("the committee", || {
        let shown = display(&soma);
        (shown["status"] == "active" && shown["voting_power"].as_u64()? > 2_000).then_some(())
    });
    // One of four stops: without the vote of the new one there would be no quorum.
    world.nodes[0].kill();
    world.needs_quorum(&world.nodes[1]);
    world.nodes[0].start(&world.soma);

    // Another key: first its node has it, then the chain says so.
    let next = node.file("next.key");
    let key = soma.json(&format!("validator make-key {next}"));
    only_its_owner_reads(&node.dir.join("next.key"));
    node.configure(|config| config.validator.next_consensus_keys = vec![next.clone().into()]);
    node.kill();
    node.start(&soma);
    soma.ok(&format!("validator update-metadata consensus-key {next}"));
    let shown = display(&soma);
    let is_there = |shown: &Value| shown["metadata"]["consensus_key"] == key["public_key"];
    assert!(is_there(&shown) || shown["next_metadata"]["consensus_key"] == key["public_key"]);
    wait("the new key", || is_there(&display(&soma)).then_some(()));
    world.nodes[1].kill();
    world.needs_quorum(&world.nodes[2]);
    world.nodes[1].start(&world.soma);

    // Leaving.
    assert_eq!(soma.json("validator leave")["status"], "success");
    wait("the end", || {
        let shown = display(&soma);
        (shown["status"] == "inactive" && shown["voting_power"] == 0).then_some(())
    });
    let first = text(&joined, "application_stake_id").to_owned();
    let own = [first.as_str(), stake.as_str()];
    for stake in own {
        assert_eq!(soma.json(&format!("unstake {stake}"))["status"], "success");
    }
    wait("the stake", || {
        let left = soma.json("objects list --type staked_soma");
        let mut left = left["objects"].as_array()?.iter();
        left.all(|object| !own.contains(&text(object, "id")))
            .then_some(())
    });
    // With what its stake has earned.
    let back = soma.json("balance")["total_balance"].as_u64().unwrap();
    assert!(back > 30_000_000_000_000, "{back}");
    // The others go on without it.
    node.kill();
    world.needs_quorum(&world.nodes[0]);
}

#[test]
fn a_validator_behind_a_full_node_votes_and_is_connected_with_nobody_else() {
    let mut world = World::begin(4);
    world.finish();
    let addresses: Vec<String> = world.nodes.iter().map(Node::peer_address).collect();
    let hidden = &addresses[3];
    // The full node in front is made as any other; it has no keys.
    let front = Node::new(world.soma.dir().join("front"));
    world.genesis(&format!("install {}", front.dir.display()));
    front.configure(|config| {
        config.rpc.address = front.url()[7..].parse().unwrap();
        config.consensus.listen = front.peer_address();
        config.consensus.max_connections_per_ip = 256;
    });
    for node in &world.nodes[..3] {
        node.configure(|config| {
            config
                .consensus
                .persistent_peers
                .retain(|peer| peer != hidden)
        });
    }
    world.nodes[3].configure(|config| {
        config.consensus.persistent_peers = vec![front.peer_address()];
        config.consensus.persistent_peers_only = true;
        config.consensus.discovery = false;
    });
    world.nodes.push(front);
    world.start();
    world.needs_quorum(&world.nodes[4]);
    // One of the others stops: there is a quorum with the hidden one only.
    world.nodes[0].kill();
    world.needs_quorum(&world.nodes[4]);
    let status = wait("its status", || world.nodes[3].status(&world.soma));
    assert_eq!(status["consensus"]["is_voting"], true, "{status}");
    assert_eq!(status["consensus"]["peers"], 1, "{status}");
}
