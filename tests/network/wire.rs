//! Garbage on the port where peers connect.

use std::time::Duration;

use soma_test_cluster::{Arena, Ledger, Load};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program;

/// Connections of each kind.
const CONNECTIONS: usize = 150;
/// By how much a node may grow meanwhile; each kind of garbage alone would be more, if it were kept.
const GROWTH: u64 = 192 << 20;
/// Bytes that a connection sends at most.
const BYTES: usize = 4 << 20;

/// Where peers connect to the node at `place`.
fn port(arena: &Arena, place: usize) -> u16 {
    let settings = arena.cluster().nodes()[place].folder().join("node.toml");
    let settings = std::fs::read_to_string(settings).unwrap();
    let line = settings
        .lines()
        .find_map(|line| line.strip_prefix("listen = \"/ip4/127.0.0.1/tcp/"));
    line.unwrap().trim_end_matches('"').parse().unwrap()
}

/// Bytes of memory that a process holds.
fn resident_bytes(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().split_whitespace().next().unwrap();
    kibibytes.parse::<u64>().unwrap() * 1_024
}

/// Bytes that look random; the same each time.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
}

/// Sends as much of `bytes` as the node takes; gives whether it then closed the connection.
async fn pour(port: u16, bytes: Vec<u8>) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return true;
    };
    let send = async {
        for piece in bytes.chunks(64 << 10) {
            if stream.write_all(piece).await.is_err() {
                return true;
            }
        }
        let mut answer = [0; 1_024];
        while let Ok(count) = stream.read(&mut answer).await {
            if count == 0 {
                break;
            }
        }
        true
    };
    tokio::time::timeout(Duration::from_secs(30), send)
        .await
        .unwrap_or(false)
}

/// Time for a handshake, and then some.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// What a connection begins with.
fn greeting() -> Vec<u8> {
    let mut bytes = b"\x13/multistream/1.0.0\n".to_vec();
    bytes.extend(b"\x07/noise\n");
    bytes
}

/// A frame that says that it is as long as can be said, before and after the greeting.
fn huge(number: usize) -> Vec<u8> {
    let mut bytes = match number % 3 {
        // The length of a protocol's name.
        0 => vec![0xff; 9],
        1 => greeting(),
        // The length of an encrypted message.
        _ => [greeting(), vec![0xff, 0xff]].concat(),
    };
    bytes.extend(noise(number as u64).take(BYTES));
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_huge_frames_and_half_open_connections_do_not_stop_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Arena::settings(2, 2);
    let mut arena = Arena::prepare(program(), folder.path(), &settings).unwrap();
    arena.start().await.unwrap();
    let ledger = Ledger::default();
    let clients = (0..2).map(|place| (arena.account(place, place), place));
    let load = Load::start(clients.collect(), &ledger);
    ledger.grows(10).await.unwrap();
    let port = port(&arena, 0);
    let id = arena.cluster().nodes()[0].id().unwrap();
    let before = resident_bytes(id);

    // Opened, and left alone; some in the middle of their first words.
    let mut open = Vec::new();
    for number in 0..CONNECTIONS {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await {
            let length = number % (greeting().len() + 1);
            let _ = stream.write_all(&greeting()[..length]).await;
            open.push(stream);
        }
    }
    assert!(!open.is_empty());
    let mut pours = tokio::task::JoinSet::new();
    for number in 0..CONNECTIONS {
        let bytes = match number % 2 {
            0 => huge(number / 2),
            _ => noise(number as u64).take(BYTES).collect(),
        };
        pours.spawn(pour(port, bytes));
    }
    let mut closed = 0;
    while let Some(poured) = pours.join_next().await {
        closed += usize::from(poured.unwrap());
    }
    // What is refused is closed, not left open.
    assert!(closed > CONNECTIONS * 9 / 10, "{closed} were closed");
    ledger.grows(20).await.unwrap();
    let grown = resident_bytes(id).saturating_sub(before);
    assert!(grown < GROWTH, "it grew by {grown} bytes");
    // Those that said nothing more are closed, too.
    for stream in &mut open {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(HANDSHAKE, stream.read_to_end(&mut rest));
        end.await.expect("a half-open connection is closed").ok();
    }

    load.end();
    assert_eq!(ledger.errors(), Vec::<String>::new());
    for place in 0..2 {
        let peers = arena.client(place).peers().await.unwrap();
        assert_eq!(peers.peers.len(), 1, "the other validator is still there");
        assert_eq!(peers.banned, []);
    }
    arena.stop().await;
}
