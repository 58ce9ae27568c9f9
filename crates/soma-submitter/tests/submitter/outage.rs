//! Node, scorer and file server that are away for a while.

use std::net::SocketAddr;
use std::time::Duration;

use soma_blobs::FetchConfig;
use soma_sdk::Client;
use soma_submitter::{Control, Submitter, SubmitterEvent, Uploads};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::world::{ANYWHERE, SUBMITTER, Told, World, run};

/// An address that leads to a service while this is there.
struct Line(JoinHandle<()>);

impl Line {
    async fn open(at: SocketAddr, to: &str) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let to = to.trim_start_matches("http://").to_owned();
        Self(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let to = to.clone();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }))
    }

    async fn cut(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn until(told: &Told, is: impl Fn(&SubmitterEvent) -> bool) {
    while !told.any(&is) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn services_that_are_away_are_waited_for() {
    let world = World::start(2, ANYWHERE).await;
    let (node, scorer) = (free_address().await, free_address().await);
    let node_url = world.client.rpc_url().to_owned();
    let line = Line::open(node, &node_url).await;
    let client = Client::builder()
        .rpc_url(format!("http://{node}"))
        .scoring_url(format!("http://{scorer}"))
        .retries(0)
        .build()
        .unwrap();
    let source = world.files("texts", &[("a", b"patience")]);
    let mut config = world.config(&source, "state");
    config.limits.hits = Some(1);
    let told = Told::default();
    let teller = told.clone();
    let account = client.account(world.account(SUBMITTER).key().clone());
    let control = Control::default();
    let submitter = Submitter::open(account, config, control, move |event| teller.add(event));
    let mut submitter = submitter.await.unwrap();
    let running = tokio::spawn(async move { submitter.run().await });

    // No scorer yet; then the node goes too.
    let retries = |wanted: &'static str| move |event: &SubmitterEvent| matches!(event, SubmitterEvent::Retrying { what, .. } if what.starts_with(wanted));
    until(&told, retries("scoring")).await;
    line.cut().await;
    until(&told, retries("reading the targets")).await;
    let _scorer = Line::open(scorer, &world.network.scorer_url().unwrap()).await;
    until(&told, |event| matches!(event, SubmitterEvent::Hit { .. })).await;
    assert!(told.states().is_empty());
    let _node = Line::open(node, &node_url).await;
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.stats.filled, 1);
    assert_eq!(world.executed(SUBMITTER).await, 2);
}

/// Serves `text` after so many requests that it answers with 503.
async fn file_server(refusals: usize, text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4_096]).await.unwrap();
            let (status, body) = match number < refusals {
                true => (503, ""),
                false => (200, text),
            };
            let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length:");
            let answer = format!("{head} {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_file_server_that_is_away_is_waited_for() {
    let world = World::start(2, ANYWHERE).await;
    let source = world.files("texts", &[("a", b"patience")]);
    let fetch = FetchConfig {
        tries: 2,
        first_pause: Duration::from_millis(1),
        ..FetchConfig::local()
    };
    // The first download fails in all its tries, the second in one.
    let server = file_server(3, "patience").await;
    let mut config = world.config(&source, "state");
    config.uploads = Uploads::served(&format!("http://{server}"), fetch, None).unwrap();
    config.limits.hits = Some(1);
    let (stats, told) = run(&world, SUBMITTER, config).await;
    assert_eq!((stats.filled, stats.lost), (1, 0));
    assert!(told.any(|event| matches!(
        event,
        SubmitterEvent::Retrying { what, error, .. }
            if what.starts_with("submission") && error.contains("503")
    )));
}
