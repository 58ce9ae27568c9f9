//! An HTTP/1.1 server whose misbehaviour is scripted.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// Headers, names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// How many came before.
    pub(crate) number: usize,
}

impl Asked {
    /// Where the range begins that was asked for; 0 without one.
    pub(crate) fn offset(&self) -> usize {
        let range = self.headers.get("range").map(String::as_str);
        let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        start.map_or(0, |start| start.parse().unwrap())
    }
}

/// What follows the head of an answer.
pub(crate) enum Body {
    /// These bytes; then the connection is closed.
    Bytes(Vec<u8>),
    /// One byte at a time, with a pause after each, without end.
    Trickle(Duration),
    /// Bytes without end, as fast as they are taken.
    Endless,
    /// Nothing, and the connection stays open.
    Silence,
}

pub(crate) struct Answer {
    /// Status line and headers, without the empty line.
    pub(crate) head: String,
    pub(crate) body: Body,
}

impl Answer {
    pub(crate) fn new(status: &str, headers: &[(&str, &str)], body: Body) -> Self {
        let mut head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        Self { head, body }
    }

    /// All of `content`, with its length.
    pub(crate) fn whole(content: &[u8]) -> Self {
        Self::declared(content.len(), content)
    }

    /// 200 with a declared length, and what really comes.
    pub(crate) fn declared(length: usize, content: &[u8]) -> Self {
        Self::declared_with(length, Body::Bytes(content.to_vec()))
    }

    /// 200 with a declared length, and any body.
    pub(crate) fn declared_with(length: usize, body: Body) -> Self {
        let length = length.to_string();
        Self::new("200 OK", &[("content-length", &length)], body)
    }

    /// 206 with the bytes from `offset` on; only `sent` of them really come.
    pub(crate) fn rest(content: &[u8], offset: usize, sent: usize) -> Self {
        let total = content.len();
        let range = format!("bytes {offset}-{}/{total}", total - 1);
        let length = (total - offset).to_string();
        let headers = [("content-range", &*range), ("content-length", &*length)];
        let body = Body::Bytes(content[offset..offset + sent].to_vec());
        Self::new("206 Partial Content", &headers, body)
    }

    pub(crate) fn status(status: &str) -> Self {
        Self::new(status, &[("content-length", "0")], Body::Bytes(Vec::new()))
    }

    pub(crate) fn redirect(target: &str) -> Self {
        let headers = [("location", target), ("content-length", "0")];
        Self::new("302 Found", &headers, Body::Bytes(Vec::new()))
    }
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

pub(crate) struct Web {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    sent: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Web {
    pub(crate) async fn new(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, script).await
    }

    pub(crate) async fn at(
        address: impl Into<IpAddr>,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address.into(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let sent = Arc::<AtomicU64>::default();
        let (log, count) = (Arc::clone(&asked), Arc::clone(&sent));
        let script: Arc<Script> = Arc::new(script);
        let accepting = tokio::spawn(async move {
            let number = Arc::new(AtomicUsize::new(0));
            while let Ok((stream, _)) = listener.accept().await {
                let (log, count) = (Arc::clone(&log), Arc::clone(&count));
                let (script, number) = (Arc::clone(&script), Arc::clone(&number));
                tokio::spawn(async move { serve(stream, &*script, &number, &log, &count).await });
            }
        });
        Self {
            address,
            asked,
            sent,
            accepting,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Bytes of bodies that were given to the network so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One request on one connection. A client that goes away ends it.
async fn serve(
    mut stream: TcpStream,
    script: &Script,
    number: &AtomicUsize,
    log: &Mutex<Vec<Asked>>,
    sent: &AtomicU64,
) -> Option<()> {
    let mut asked = read_head(&mut stream).await?;
    asked.number = number.fetch_add(1, Ordering::SeqCst);
    log.lock().unwrap().push(asked.clone());
    let Answer { head, body } = script(&asked);
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(b"\r\n").await.ok()?;
    let piece = match &body {
        Body::Bytes(bytes) => {
            stream.write_all(bytes).await.ok()?;
            sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
            return stream.shutdown().await.ok();
        }
        Body::Trickle(_) => vec![b'x'],
        Body::Endless => vec![b'x'; 1 << 16],
        Body::Silence => Vec::new(),
    };
    loop {
        stream.write_all(&piece).await.ok()?;
        sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
        match body {
            Body::Trickle(pause) => tokio::time::sleep(pause).await,
            Body::Silence => std::future::pending().await,
            Body::Bytes(_) | Body::Endless => {}
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Some(Asked {
        path,
        headers: headers.collect(),
        number: 0,
    })
}
