//! A network from its genesis ceremony to a validator that joins, changes its key, leaves and gets
//! its stake back: all by this program, each node a process of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::Soma;

/// What waits so long never comes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Short enough for a test, long enough for a busy machine to do something in it.
const EPOCH_MS: u64 = 4_000;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    let text = value[name].as_str();
    text.unwrap_or_else(|| panic!("no `{name}` in {value:#}"))
}

/// Looks until there is something.
fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A validator's folder and the process of its node.
struct Node {
    dir: PathBuf,
    p2p_port: u16,
    rpc_port: u16,
    child: Option<Child>,
}

impl Node {
    fn new(dir: PathBuf) -> Self {
        // Held together, so that they differ.
        let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [p2p_port, rpc_port] = held.map(|socket| socket.local_addr().unwrap().port());
        Self {
            dir,
            p2p_port,
            rpc_port,
            child: None,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc_port)
    }

    fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn make_info(&self, soma: &Soma, more: &str) -> Value {
        soma.json(&format!(
            "validator make-info 127.0.0.1 --dir {} --p2p-port {} --rpc-port {} {more}",
            self.dir.display(),
            self.p2p_port,
            self.rpc_port
        ))
    }

    /// Starts the node, and waits until it answers.
    fn start(&mut self, soma: &Soma) {
        let line = format!(
            "start validator --config {} --log warn",
            self.file("node.toml")
        );
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .unwrap();
        let mut command = soma.command(&line);
        command.stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        wait("a node", || self.status(soma));
    }

    fn status(&mut self, soma: &Soma) -> Option<Value> {
        if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
            let log = std::fs::read_to_string(self.dir.join("log")).unwrap();
            panic!("a node ended with {status}: {log}");
        }
        let status = soma.json(&format!("status --rpc-url {}", self.url()));
        (status["server_reachable"] == true).then_some(status)
    }

    /// As a crash does.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The coordinator of the ceremony, who also has the money, and the nodes.
struct World {
    soma: Soma,
    path: String,
    nodes: Vec<Node>,
}

impl World {
    /// A ceremony of `count` validators up to the listed validators.
    fn begin(count: usize) -> Self {
        let soma = Soma::new();
        let rich = soma.json("wallet new --alias rich --unencrypted");
        let path = soma.dir().join("ceremony").display().to_string();
        soma.ok(&format!(
            "genesis init testnet --path {path} --epoch-duration-ms {EPOCH_MS} --account {}=100000 \
             --parameter target_embedding_dim=16",
            text(&rich, "address")
        ));
        let mut nodes = Vec::new();
        for number in 1..=count {
            let node = Node::new(soma.dir().join(format!("node-{number}")));
            let made = node.make_info(&soma, &format!("--genesis testnet --name node-{number}"));
            for file in ["account.key", "consensus.key", "network.key"] {
                only_its_owner_reads(&node.dir.join(file));
            }
            let info = text(&made, "info");
            soma.ok(&format!(
                "genesis add-validator {info} --path {path} --stake 20000"
            ));
            nodes.push(node);
        }
        Self { soma, path, nodes }
    }

    fn genesis(&self, step: &str) -> Value {
        self.soma
            .json(&format!("genesis {step} --path {}", self.path))
    }

    fn sign(&self, node: &Node) -> Value {
        self.genesis(&format!("sign --key-file {}", node.file("consensus.key")))
    }

    /// Builds, signs, finishes and installs the genesis, and starts the nodes.
    fn finish_and_start(&mut self) -> Value {
        let built = self.genesis("build");
        for node in &self.nodes {
            assert_eq!(self.sign(node)["chain_id"], built["chain_id"]);
        }
        let finished = self.genesis("finalize");
        assert_eq!(finished["chain_id"], built["chain_id"]);
        for node in &self.nodes {
            let installed = self.genesis(&format!("install {}", node.dir.display()));
            let peers = installed["persistent_peers"].as_array().unwrap().len();
            assert_eq!(peers, self.nodes.len() - 1);
        }
        for node in &mut self.nodes {
            node.start(&self.soma);
        }
        finished
    }

    /// A transaction that needs a quorum of the committee.
    fn needs_quorum(&self, node: &Node) {
        let line = format!("send 1 --to rich --rpc-url {}", node.url());
        assert_eq!(self.soma.json(&line)["status"], "success");
    }
}

fn only_its_owner_reads(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{}", path.display());
}

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
        "genesis sign --path {path} --key-file {}",
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
        "genesis sign --path {path} --key-file {}",
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
    let finished = world.finish_and_start();
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
    let settings = std::fs::read_to_string(node.dir.join("node.toml")).unwrap();
    let with_next = format!("[validator]\nnext_consensus_keys = [\"{next}\"]");
    let changed = settings.replace("[validator]", &with_next);
    std::fs::write(node.dir.join("node.toml"), changed).unwrap();
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
    assert_eq!(soma.json(&format!("unstake {stake}"))["status"], "success");
    let back = wait("the stake", || {
        let balance = soma.json("balance")["total_balance"].as_u64()?;
        (balance > 29_900_000_000_000).then_some(balance)
    });
    // With what its stake has earned.
    assert!(back > 30_000_000_000_000, "{back}");
    let left = soma.json("objects list --type staked_soma");
    let left = left["objects"].as_array().unwrap();
    assert!(
        left.iter().all(|object| text(object, "id") != stake),
        "{left:?}"
    );
    // The others go on without it.
    node.kill();
    world.needs_quorum(&world.nodes[0]);
}
