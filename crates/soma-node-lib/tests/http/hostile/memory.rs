//! Memory stays bounded, whatever is sent: measured, in a process of its own.

#![cfg(target_os = "linux")]

use std::net::SocketAddr;

use soma_api::ErrorCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bodies::{nested, with_bodies};
use crate::net::Net;
use crate::raw::{Framing, Request, send};

/// What hostile clients may add to the memory of this process, in bytes: what they hold themselves is
/// half of it.
const MORE: u64 = 128 << 20;
/// What one of them sends at most, in bytes: many times what it may add.
const SENT: usize = 512 << 20;
/// Clients at the same time.
const CLIENTS: usize = 32;

/// A number of this process's status in bytes.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() << 10
}

/// Sends `head`, then `part` again and again until the node has had enough of it.
async fn endless(address: SocketAddr, head: String, part: &[u8]) {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    // The answer is read beside, so that the node can give it.
    let answer = tokio::spawn(async move {
        let mut last = vec![0; 4 << 10];
        while reader.read(&mut last).await.is_ok_and(|count| count > 0) {}
    });
    writer.write_all(head.as_bytes()).await.unwrap();
    let mut sent = 0;
    while writer.write_all(part).await.is_ok() {
        sent += part.len();
        assert!(sent < SENT, "the node reads on and on");
    }
    answer.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_clients_take_no_more_memory_than_they_may() {
    let net = Net::start().await;
    let targets: Vec<_> = with_bodies(&net)
        .into_iter()
        .map(|(operation, _)| operation)
        .collect();
    net.api.assert_alive(net.key(0)).await;
    let before = status("VmRSS:");

    let letters = vec![b'x'; 64 << 10];
    let chunk = [b"10000\r\n", &letters[..], b"\r\n"].concat();
    for operation in &targets {
        let (address, path) = (operation.address, &operation.path);
        let post = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
        // A body that never ends, a header that never ends, and headers without end.
        let chunked = format!("{post}transfer-encoding: chunked\r\n\r\n");
        let long = format!("{post}content-length: {}\r\n\r\n", u64::MAX);
        endless(address, chunked, &chunk).await;
        endless(address, long, &letters).await;
        endless(address, format!("{post}y: "), &letters).await;
        endless(address, post, &b"z: z\r\n".repeat(1_000)).await;
        endless(address, "GET /".to_owned(), &letters).await;
    }

    // Bodies of the largest size that say little, from many clients at once.
    for operation in &targets {
        let depth = operation.max_body / 2 - 8;
        let deep = nested("[", "]", depth);
        let list = format!("[{}0]", "0,".repeat(depth));
        for body in [deep, list] {
            let request = Request::post(operation.path.as_str(), body).framed(Framing::Chunked);
            for answer in clients(operation.address, &request).await {
                answer.error(ErrorCode::InvalidJson);
            }
        }
    }

    // Clients that stop in the middle of a request, and stay.
    let mut held = Vec::new();
    for operation in &targets {
        let half = operation.max_body / 2;
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            operation.path,
            2 * half,
        );
        let sent = [head.into_bytes(), vec![b'x'; half]].concat();
        for _ in 0..CLIENTS {
            let mut stream = TcpStream::connect(operation.address).await.unwrap();
            stream.write_all(&sent).await.unwrap();
            held.push(stream);
        }
    }
    net.api.assert_alive(net.key(0)).await;
    drop(held);

    let more = status("VmHWM:").saturating_sub(before);
    assert!(more < MORE, "{more} bytes more than {before}");
    net.finish().await;
}

/// The same request from [`CLIENTS`] clients at once.
async fn clients(address: SocketAddr, request: &Request) -> Vec<crate::answer::Answer> {
    futures::future::join_all((0..CLIENTS).map(|_| send(address, request))).await
}
