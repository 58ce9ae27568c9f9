//! Requests byte by byte: what HTTP libraries would tidy up reaches the node as it is.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::Answer;

/// How the length of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By `content-length`, with the true length.
    Length,
    /// In chunks.
    Chunked,
    /// By `content-length` with this number, whatever is sent.
    Claimed(u64),
}

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The method, any token.
    pub(crate) method: String,
    /// Path and query as they stand in the request line.
    pub(crate) target: Vec<u8>,
    /// More headers than `host` and `connection`.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// How its length is told; not at all for an empty body of known length.
    pub(crate) framing: Framing,
}

impl Request {
    /// A request without a body.
    pub(crate) fn new(method: &str, target: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            framing: Framing::Length,
        }
    }

    /// A POST of what should be JSON.
    pub(crate) fn post(target: impl Into<Vec<u8>>, body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new("POST", target).header("content-type", "application/json");
        request.body = body.into();
        request
    }

    /// The same with a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body whose length is told by `framing`.
    pub(crate) fn framed(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    fn bytes(&self, host: SocketAddr) -> Vec<u8> {
        let mut bytes = self.method.clone().into_bytes();
        bytes.push(b' ');
        bytes.extend(&self.target);
        bytes.extend(b" HTTP/1.1\r\nconnection: close\r\n");
        if !self.headers.iter().any(|(name, _)| name == "host") {
            bytes.extend(format!("host: {host}\r\n").bytes());
        }
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        let length = match self.framing {
            Framing::Length => Some(self.body.len() as u64).filter(|length| *length > 0),
            Framing::Claimed(length) => Some(length),
            Framing::Chunked => None,
        };
        if let Some(length) = length {
            bytes.extend(format!("content-length: {length}\r\n\r\n").bytes());
            bytes.extend(&self.body);
        } else if self.framing == Framing::Chunked {
            bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in self.body.chunks(60_000) {
                bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
        } else {
            bytes.extend(b"\r\n");
        }
        bytes
    }
}

/// Sends `request` on a connection of its own. Of an event stream only the head is read.
pub(crate) async fn send(address: SocketAddr, request: &Request) -> Answer {
    let what = format!("{} {}", request.method, shown(&request.target));
    let received = exchange(address, request.bytes(address), Then::Listen).await;
    Answer::parse(what, &received, request.method == "HEAD")
}

/// What a client does after its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Says that there will be no more.
    Close,
    /// Leaves the connection open.
    Listen,
}

/// Sends bytes that need not be HTTP and gives everything that comes back.
pub(crate) async fn exchange(address: SocketAddr, bytes: Vec<u8>, then: Then) -> Vec<u8> {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    // The node may answer before it has read everything, and close.
    let sending = tokio::spawn(async move {
        let _ = writer.write_all(&bytes).await;
        if then == Then::Close {
            let _ = writer.shutdown().await;
        }
        writer
    });
    let mut received = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => received.extend(&buffer[..count]),
        }
        if Answer::is_stream(&received) {
            break;
        }
    }
    sending.abort();
    received
}

fn shown(target: &[u8]) -> String {
    let text = String::from_utf8_lossy(target);
    text.chars().take(120).collect()
}
