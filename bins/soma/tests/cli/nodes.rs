//! Nodes as an operator runs them: each a process of its own, begun by a ceremony.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use soma_node::NodeConfig;

use crate::program::Soma;

/// What waits so long never comes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Short enough for a test, long enough for a busy machine to do something in it.
const EPOCH_MS: u64 = 4_000;

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    let text = value[name].as_str();
    text.unwrap_or_else(|| panic!("no `{name}` in {value:#}"))
}

/// Looks until there is something.
pub(crate) fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
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
pub(crate) struct Node {
    pub(crate) dir: PathBuf,
    p2p_port: u16,
    rpc_port: u16,
    child: Option<Child>,
}

impl Node {
    pub(crate) fn new(dir: PathBuf) -> Self {
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

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc_port)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    pub(crate) fn make_info(&self, soma: &Soma, more: &str) -> Value {
        soma.json(&format!(
            "validator make-info 127.0.0.1 --dir {} --p2p-port {} --rpc-port {} {more}",
            self.dir.display(),
            self.p2p_port,
            self.rpc_port
        ))
    }

    /// Starts the node, and waits until it answers.
    pub(crate) fn start(&mut self, soma: &Soma) {
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

    pub(crate) fn status(&mut self, soma: &Soma) -> Option<Value> {
        if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
            let log = std::fs::read_to_string(self.dir.join("log")).unwrap();
            panic!("a node ended with {status}: {log}");
        }
        let status = soma.json(&format!("status --rpc-url {}", self.url()));
        (status["server_reachable"] == true).then_some(status)
    }

    /// Changes the settings of the node.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut NodeConfig)) {
        let path = self.dir.join("node.toml");
        let mut config = NodeConfig::from_file(&path).unwrap();
        change(&mut config);
        std::fs::write(path, config.differing_toml().unwrap()).unwrap();
    }

    /// Where peers connect.
    pub(crate) fn peer_address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.p2p_port)
    }

    /// As a crash does.
    pub(crate) fn kill(&mut self) {
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
pub(crate) struct World {
    pub(crate) soma: Soma,
    pub(crate) path: String,
    pub(crate) nodes: Vec<Node>,
}

impl World {
    /// A ceremony of `count` validators up to the listed validators.
    pub(crate) fn begin(count: usize) -> Self {
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

    pub(crate) fn genesis(&self, step: &str) -> Value {
        self.soma
            .json(&format!("genesis {step} --path {}", self.path))
    }

    pub(crate) fn sign(&self, node: &Node) -> Value {
        self.genesis(&format!(
            "sign --yes --key-file {}",
            node.file("consensus.key")
        ))
    }

    /// Builds, signs, finishes and installs the genesis.
    pub(crate) fn finish(&mut self) -> Value {
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
            assert!(installed["validator"].is_string(), "{installed}");
        }
        finished
    }

    pub(crate) fn start(&mut self) {
        for node in &mut self.nodes {
            node.start(&self.soma);
        }
    }

    /// A transaction that needs a quorum of the committee.
    pub(crate) fn needs_quorum(&self, node: &Node) {
        let line = format!("send 1 --to rich --rpc-url {}", node.url());
        assert_eq!(self.soma.json(&line)["status"], "success");
    }
}

pub(crate) fn only_its_owner_reads(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{}", path.display());
}
