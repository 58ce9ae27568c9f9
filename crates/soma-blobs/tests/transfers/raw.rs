//! A server that does exactly what a test says, right or wrong.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use soma_blobs::{AddressPolicy, BlobRef, FetchConfig, Fetcher};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// Where the asked range begins.
    pub(crate) range: Option<usize>,
}

/// A server, and what it was asked.
pub(crate) struct Raw {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Raw {
    /// Serves every request with `answer`, given its number from 0.
    pub(crate) async fn start<F, A>(answer: A) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        A: Fn(usize, Asked, TcpStream) -> F + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    let request = read_head(&mut stream).await;
                    let number = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    answer(number, request, stream).await;
                });
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The blob `bytes`, as if it lay here.
    pub(crate) fn blob(&self, bytes: &[u8]) -> BlobRef {
        BlobRef {
            url: self.url("/blob"),
            checksum: soma_crypto::checksum(bytes),
            size: bytes.len() as u64,
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Asked {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let range = head.split("range: bytes=").nth(1);
    let range = range.and_then(|rest| rest.split('-').next()?.parse().ok());
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Asked { path, range }
}

/// Sends a head and some bytes; the connection ends when the stream is dropped.
pub(crate) async fn send(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let _ = stream.flush().await;
}

/// Serves `bytes` as a good server does, ranges included.
pub(crate) async fn serve(stream: &mut TcpStream, asked: &Asked, bytes: &[u8]) {
    let start = asked.range.unwrap_or(0).min(bytes.len());
    let rest = &bytes[start..];
    let head = match asked.range {
        Some(_) => format!(
            "206 Partial Content\r\ncontent-range: bytes {start}-{}/{}\r\ncontent-length: {}",
            bytes.len() - 1,
            bytes.len(),
            rest.len()
        ),
        None => format!("200 OK\r\ncontent-length: {}", rest.len()),
    };
    send(stream, &head, rest).await;
}

/// Settings for tests: private addresses, short pauses.
pub(crate) fn quick() -> FetchConfig {
    FetchConfig {
        policy: AddressPolicy::anywhere(),
        allow_files: true,
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(2_000),
        ..FetchConfig::default()
    }
}

pub(crate) fn fetcher() -> Fetcher {
    Fetcher::new(quick()).unwrap()
}

pub(crate) fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 % 251) as u8).collect()
}
