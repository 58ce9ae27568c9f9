//! A small S3-compatible store: objects, ranges, uploads in parts, signed requests only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use soma_blobs::S3Config;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const KEY_ID: &str = "AKIDEXAMPLE";

#[derive(Default)]
pub(crate) struct Content {
    /// By path: `/bucket/key`.
    pub(crate) objects: HashMap<String, Vec<u8>>,
    /// Parts of unfinished uploads.
    pub(crate) uploads: HashMap<String, BTreeMap<usize, Vec<u8>>>,
    /// What was asked, such as `PUT /bucket/key part 1`.
    pub(crate) log: Vec<String>,
    /// Answers that come before the real ones, for requests whose log line has the text.
    pub(crate) failures: Vec<(&'static str, StatusCode)>,
    /// Paths that are read without a signature.
    pub(crate) public: Vec<String>,
    /// Gives only this many bytes of an object, then breaks off; once.
    pub(crate) break_after: Option<usize>,
}

pub(crate) struct S3Server {
    content: Arc<Mutex<Content>>,
    endpoint: String,
    serving: JoinHandle<()>,
}

impl S3Server {
    pub(crate) async fn new() -> Self {
        let content = Arc::<Mutex<Content>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&content));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            content,
            endpoint,
            serving,
        }
    }

    /// Settings that lead here.
    pub(crate) fn config(&self) -> S3Config {
        S3Config {
            endpoint: Some(self.endpoint.clone()),
            region: "eu-test-1".to_owned(),
            access_key_id: Some(KEY_ID.to_owned()),
            secret_access_key: Some("hunter2".to_owned()),
            ..S3Config::new("box")
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Content) -> T) -> T {
        look(&mut self.content.lock().unwrap())
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A request that is signed (AWS Signature Version 4, in the header) by the known key.
fn is_signed(headers: &HeaderMap) -> bool {
    let signature = headers.get(header::AUTHORIZATION);
    let signature = signature
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let scope = format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/");
    let hash = headers.get("x-amz-content-sha256");
    signature.starts_with(&scope)
        && signature.contains("/eu-test-1/s3/aws4_request")
        && signature.contains("SignedHeaders=")
        && signature.rsplit("Signature=").next().map(str::len) == Some(64)
        && headers.contains_key("x-amz-date")
        && hash.is_some_and(|hash| hash.len() == 64)
}

async fn answer(
    State(content): State<Arc<Mutex<Content>>>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut content = content.lock().unwrap();
    let path = uri.path().to_owned();
    let upload = query.get("uploadId").cloned();
    let part = query.get("partNumber").map(|n| n.parse().unwrap());
    let line = match (&part, &upload, query.contains_key("uploads")) {
        (Some(part), ..) => format!("{method} {path} part {part}"),
        (_, Some(_), _) => format!("{method} {path} upload"),
        (_, _, true) => format!("{method} {path} begin"),
        _ => format!("{method} {path}"),
    };
    content.log.push(line.clone());
    let is_public = method == Method::GET && content.public.contains(&path);
    let has_signature = headers.contains_key(header::AUTHORIZATION);
    if !is_signed(&headers) && (has_signature || !is_public) {
        return (StatusCode::FORBIDDEN, "not signed").into_response();
    }
    let failure = content.failures.iter();
    let failure = failure.clone().position(|(text, _)| line.contains(text));
    if let Some(failure) = failure {
        let (_, status) = content.failures.remove(failure);
        return (status, "as the test wants it").into_response();
    }
    match (method, upload, part) {
        (Method::PUT, None, None) => {
            content.objects.insert(path, body.to_vec());
            tagged(StatusCode::OK)
        }
        (Method::POST, None, None) => {
            content.uploads.insert("u-1".to_owned(), BTreeMap::new());
            xml(
                "<InitiateMultipartUploadResult><Bucket>box</Bucket><Key>k</Key>\
                 <UploadId>u-1</UploadId></InitiateMultipartUploadResult>",
            )
        }
        (Method::PUT, Some(upload), Some(part)) => {
            let parts = content.uploads.get_mut(&upload).unwrap();
            parts.insert(part, body.to_vec());
            tagged(StatusCode::OK)
        }
        (Method::POST, Some(upload), None) => {
            let parts = content.uploads.remove(&upload).unwrap();
            let whole = parts.into_values().collect::<Vec<_>>().concat();
            content.objects.insert(path, whole);
            xml("<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>")
        }
        (Method::DELETE, Some(upload), None) => {
            content.uploads.remove(&upload);
            StatusCode::NO_CONTENT.into_response()
        }
        (Method::GET, None, None) => get(&mut content, &path, &headers),
        _ => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

fn get(content: &mut Content, path: &str, headers: &HeaderMap) -> Response {
    let Some(object) = content.objects.get(path) else {
        return (
            StatusCode::NOT_FOUND,
            "<Error><Code>NoSuchKey</Code></Error>",
        )
            .into_response();
    };
    let range = headers
        .get(header::RANGE)
        .map(|range| range.to_str().unwrap());
    let start = range.map(|range| range.strip_prefix("bytes=").unwrap().trim_end_matches('-'));
    let start: usize = start.map_or(0, |start| start.parse().unwrap());
    if let Some(start) = range {
        content.log.push(format!("range {start}"));
    }
    let (length, last) = (object.len() - start, object.len() - 1);
    let sent = content.break_after.take().unwrap_or(length);
    let bytes = Bytes::copy_from_slice(&object[start..start + sent]);
    let is_broken = sent < length;
    let stream = futures::stream::unfold(Some(bytes), move |bytes| async move {
        match bytes {
            Some(bytes) => Some((Ok(bytes), None)),
            None if is_broken => {
                // What was sent is on its way by then.
                tokio::time::sleep(Duration::from_millis(200)).await;
                Some((Err(std::io::Error::other("broken")), None))
            }
            None => None,
        }
    });
    let mut answer = Response::new(Body::from_stream(stream));
    if range.is_some() {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {start}-{last}/{}", object.len());
        answer
            .headers_mut()
            .insert(header::CONTENT_RANGE, range.parse().unwrap());
    }
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ETAG, "\"e\"".parse().unwrap());
    let date = "Wed, 01 Jan 2025 00:00:00 GMT";
    headers.insert(header::LAST_MODIFIED, date.parse().unwrap());
    answer
}

fn tagged(status: StatusCode) -> Response {
    (status, [(header::ETAG, "\"e\"")]).into_response()
}

fn xml(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/xml")], text).into_response()
}
