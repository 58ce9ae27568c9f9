//! The built-in blob server.

use std::path::PathBuf;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use soma_blobs::server::{BlobServerConfig, router};
use soma_service::{ServeConfig, Server};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{MIB, bytes};

/// The server, running as in a localnet.
pub(crate) struct Blobs {
    folder: TempDir,
    url: String,
    stop: CancellationToken,
}

impl Blobs {
    pub(crate) async fn new() -> Self {
        Self::with(8 << 20).await
    }

    async fn with(max_blob_bytes: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = BlobServerConfig::new(folder.path().join("blobs"));
        config.max_blob_bytes = max_blob_bytes;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let server = Server {
            listener,
            router: router(config).unwrap(),
            config: ServeConfig::default(),
        };
        tokio::spawn(server.run(stop.clone()));
        Self { folder, url, stop }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn at(&self, name: &str) -> String {
        format!("{}/blobs/{name}", self.url)
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path().join("blobs")).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }

    async fn put(&self, name: &str, content: &[u8]) -> Response {
        let request = Client::new().put(self.at(name)).body(content.to_vec());
        request.send().await.unwrap()
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn name(content: &[u8]) -> String {
    soma_crypto::checksum(content).to_string()
}

async fn code(response: Response) -> String {
    let body: Value = response.json().await.unwrap();
    body["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_put_is_given_whole_and_in_ranges() {
    let (blobs, content) = (Blobs::new().await, bytes(3 * MIB));
    let put = blobs.put(&name(&content), &content).await;
    assert_eq!(put.status(), StatusCode::CREATED);
    let get = |method, range: Option<&'static str>| {
        let mut request = Client::new().request(method, blobs.at(&name(&content)));
        if let Some(range) = range {
            request = request.header("range", range);
        }
        request.send()
    };
    let whole = get(Method::GET, None).await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.headers()["content-length"], "3145728");
    assert_eq!(whole.headers()["content-type"], "application/octet-stream");
    assert_eq!(whole.bytes().await.unwrap(), content);

    let head = get(Method::HEAD, None).await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.headers()["content-length"], "3145728");
    assert!(head.bytes().await.unwrap().is_empty());

    for (range, expected) in [
        ("bytes=1000000-", 1_000_000..3 * MIB),
        ("bytes=5-9", 5..10),
        ("bytes=-7", 3 * MIB - 7..3 * MIB),
    ] {
        let part = get(Method::GET, Some(range)).await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let said = format!("bytes {}-{}/3145728", expected.start, expected.end - 1);
        assert_eq!(part.headers()["content-range"], *said);
        assert_eq!(part.bytes().await.unwrap(), content[expected], "{range}");
    }
    let beyond = get(Method::GET, Some("bytes=3145728-")).await.unwrap();
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()["content-range"], "bytes */3145728");
}

#[tokio::test]
async fn only_what_the_name_says_is_taken() {
    let (blobs, content) = (Blobs::new().await, bytes(1_000));
    let refused = blobs.put(&name(b"something else"), &content).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(code(refused).await, "ChecksumMismatch");
    assert!(
        blobs.files().is_empty(),
        "nothing is left: {:?}",
        blobs.files()
    );

    let unknown = reqwest::get(blobs.at(&name(&content))).await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert_eq!(code(unknown).await, "NotFound");
}

#[tokio::test]
async fn too_large_a_blob_is_refused() {
    let blobs = Blobs::with(1_000).await;
    let (fits, large) = (bytes(1_000), bytes(1_001));
    assert_eq!(
        blobs.put(&name(&fits), &fits).await.status(),
        StatusCode::CREATED
    );
    let refused = blobs.put(&name(&large), &large).await;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(code(refused).await, "BodyTooLarge");
    assert_eq!(blobs.files().len(), 1);
}

#[tokio::test]
async fn names_lead_nowhere_else() {
    let blobs = Blobs::new().await;
    std::fs::write(blobs.folder.path().join("secret"), b"secret").unwrap();
    for name in [
        "..%2Fsecret",
        "%2e%2e%2fsecret",
        "..%5Csecret",
        "%2Fetc%2Fpasswd",
        ".hidden",
        "a%00b",
        "%FF%FE",
        "a%20b",
        &"a".repeat(5_000),
    ] {
        for method in [Method::GET, Method::HEAD, Method::PUT] {
            let request = Client::new().request(method.clone(), blobs.at(name));
            let response = request.body("x").send().await.unwrap();
            let status = response.status();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {name}");
            if method != Method::HEAD {
                assert_eq!(code(response).await, "InvalidRequest", "{method} {name}");
            }
        }
    }
    assert!(blobs.files().is_empty());
    let elsewhere = reqwest::get(format!("{}/secret", blobs.url()))
        .await
        .unwrap();
    assert_eq!(code(elsewhere).await, "RouteNotFound");
}

#[tokio::test]
async fn a_broken_upload_leaves_nothing() {
    use tokio::io::AsyncWriteExt as _;
    let blobs = Blobs::new().await;
    let content = bytes(100_000);
    let address = blobs.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT /blobs/{} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n",
        name(&content)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&content[..50_000]).await.unwrap();
    stream.flush().await.unwrap();
    while blobs.files().is_empty() {
        tokio::task::yield_now().await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    drop(stream);
    while !blobs.files().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let unknown = reqwest::get(blobs.at(&name(&content))).await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}
