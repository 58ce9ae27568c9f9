//! A server between a node and who asks it, which changes answers.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::task::JoinHandle;

/// What becomes of an answer.
pub(crate) enum Answer {
    /// These bytes, as a success.
    Bytes(Vec<u8>),
    /// An error.
    Status(u16),
    /// A success without end.
    Endless,
}

/// Changes the answer to a path.
pub(crate) type Tamper = Arc<dyn Fn(&str, Vec<u8>) -> Answer + Send + Sync>;

/// A running server; it ends when it is dropped.
pub(crate) struct Tampering {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Tampering {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tampering {
    /// Answers as the node at `url` does, changed by `tamper`.
    pub(crate) async fn start(
        url: String,
        tamper: impl Fn(&str, Vec<u8>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let tamper: Tamper = Arc::new(tamper);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let answer = move |request: Request| {
            let path = request.uri().path().to_owned();
            noted.lock().unwrap().push(path.clone());
            let whole = request
                .uri()
                .path_and_query()
                .map_or("/", |all| all.as_str());
            answer(format!("{url}{whole}"), path, Arc::clone(&tamper))
        };
        let router = Router::new().fallback(answer);
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            url: own,
            asked,
            task,
        }
    }

    /// Paths that were asked for since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn answer(url: String, path: String, tamper: Tamper) -> Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    let (status, body) = (answer.status(), answer.bytes().await.unwrap());
    if !status.is_success() {
        return (StatusCode::from_u16(status.as_u16()).unwrap(), body).into_response();
    }
    match tamper(&path, body.to_vec()) {
        Answer::Bytes(bytes) => bytes.into_response(),
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Endless => {
            let piece = || Ok::<_, std::io::Error>(vec![7_u8; 10_000]);
            let body = futures::stream::repeat_with(piece);
            Body::from_stream(body).into_response()
        }
    }
}
