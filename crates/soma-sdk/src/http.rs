//! Requests with a deadline, repeated where that is harmless.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use soma_api::ErrorBody;
use tokio::time::Instant;

use crate::config::{ClientBuilder, Endpoint, Endpoints};
use crate::error::SdkError;

/// The largest answer that is read: a page of targets with embeddings has some megabytes.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Wait before the first repetition; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait between repetitions.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Whether a request may be sent again when it is not known what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Sending it twice does what sending it once does.
    Harmless,
    /// Each one counts.
    Never,
}

/// Query parameters.
pub(crate) type Query = Vec<(&'static str, String)>;

pub(crate) struct Http {
    client: reqwest::Client,
    /// For services on this machine: a proxy elsewhere cannot reach its loopback addresses.
    direct: reqwest::Client,
    timeout: Duration,
    retries: u32,
}

impl Http {
    pub(crate) fn new(endpoints: &Endpoints, settings: &ClientBuilder) -> Result<Self, SdkError> {
        let builder = || {
            reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(5))
                .user_agent(concat!("soma-sdk/", env!("CARGO_PKG_VERSION")))
        };
        let fail = |error: reqwest::Error| SdkError::Transport {
            service: endpoints.rpc.service,
            url: endpoints.rpc.url.clone(),
            reason: innermost(&error),
            sent: false,
        };
        Ok(Self {
            client: builder().build().map_err(fail)?,
            direct: builder().no_proxy().build().map_err(fail)?,
            timeout: settings.timeout,
            retries: settings.retries,
        })
    }

    /// Reads a JSON value.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        at: &Endpoint,
        path: &str,
        query: &Query,
    ) -> Result<T, SdkError> {
        let request = || self.request(Method::GET, at, path).query(query);
        let body = self.call(at, Repeat::Harmless, self.timeout, request);
        decode(at, path, &body.await?)
    }

    /// Reads bytes.
    pub(crate) async fn get_bytes(&self, at: &Endpoint, path: &str) -> Result<Vec<u8>, SdkError> {
        let request = || self.request(Method::GET, at, path);
        self.call(at, Repeat::Harmless, self.timeout, request).await
    }

    /// Reads text.
    pub(crate) async fn get_text(&self, at: &Endpoint, path: &str) -> Result<String, SdkError> {
        let request = || self.request(Method::GET, at, path);
        let body = self.call(at, Repeat::Harmless, self.timeout, request);
        Ok(String::from_utf8_lossy(&body.await?).into_owned())
    }

    /// Sends a JSON value and reads another; `extra` is added to the deadline.
    pub(crate) async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        at: &Endpoint,
        path: &str,
        body: &B,
        repeat: Repeat,
        extra: Duration,
    ) -> Result<T, SdkError> {
        let request = || self.request(Method::POST, at, path).json(body);
        let body = self.call(at, repeat, self.timeout.saturating_add(extra), request);
        decode(at, path, &body.await?)
    }

    /// Opens a stream: the answer is checked, its body is left to the caller and has no deadline.
    pub(crate) async fn open(
        &self,
        at: &Endpoint,
        path: &str,
        query: &Query,
        last_event_id: Option<String>,
    ) -> Result<Response, SdkError> {
        let mut request = self.request(Method::GET, at, path).query(query);
        request = request.header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let sent = tokio::time::timeout(self.timeout, request.send()).await;
        let response = sent
            .map_err(|_| timed_out(at, self.timeout))?
            .map_err(|error| failed(at, &error, self.timeout))?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refused(at, response, self.timeout).await),
        }
    }

    /// A failure of reading a stream that [`Http::open`] gave.
    pub(crate) fn broken(&self, at: &Endpoint, error: &reqwest::Error) -> SdkError {
        failed(at, error, self.timeout)
    }

    fn request(&self, method: Method, at: &Endpoint, path: &str) -> RequestBuilder {
        let client = match is_on_this_machine(&at.url) {
            true => &self.direct,
            false => &self.client,
        };
        client.request(method, format!("{}{path}", at.url))
    }

    async fn call(
        &self,
        at: &Endpoint,
        repeat: Repeat,
        timeout: Duration,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, SdkError> {
        let deadline = Instant::now() + timeout;
        let mut wait = FIRST_WAIT;
        let mut retries = match repeat {
            Repeat::Harmless => self.retries,
            Repeat::Never => 0,
        };
        // A try before the last may have reached the service.
        let mut was_sent = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let result = once(at, request().timeout(left), timeout).await;
            match result {
                Err(error) if retries > 0 && error.is_transient() && wait < left => {
                    retries -= 1;
                    was_sent |= error.was_sent();
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                mut result => {
                    if let Err(SdkError::Transport { sent, .. }) = &mut result {
                        *sent |= was_sent;
                    }
                    return result;
                }
            }
        }
    }
}

async fn once(
    at: &Endpoint,
    request: RequestBuilder,
    timeout: Duration,
) -> Result<Vec<u8>, SdkError> {
    let sent = request.send().await;
    let response = sent.map_err(|error| failed(at, &error, timeout))?;
    match response.status().is_success() {
        true => body(at, response, timeout).await,
        false => Err(refused(at, response, timeout).await),
    }
}

async fn body(
    at: &Endpoint,
    mut response: Response,
    timeout: Duration,
) -> Result<Vec<u8>, SdkError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failed(at, &error, timeout))?
    {
        if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
            let reason = format!("more than {MAX_ANSWER_BYTES} bytes");
            return Err(unexpected(at, response.url().as_str(), reason));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The error of an answer that is not a success.
async fn refused(at: &Endpoint, response: Response, timeout: Duration) -> SdkError {
    let status = response.status();
    let url = response.url().to_string();
    match body(at, response, timeout).await {
        Err(error) => error,
        Ok(bytes) => match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(body) => body.into(),
            Err(_) => unexpected(at, &url, format!("HTTP status {status}")),
        },
    }
}

fn decode<T: DeserializeOwned>(at: &Endpoint, path: &str, bytes: &[u8]) -> Result<T, SdkError> {
    serde_json::from_slice(bytes)
        .map_err(|error| unexpected(at, &format!("{}{path}", at.url), error.to_string()))
}

fn unexpected(at: &Endpoint, url: &str, reason: String) -> SdkError {
    SdkError::UnexpectedAnswer {
        service: at.service,
        url: url.to_owned(),
        reason,
    }
}

fn timed_out(at: &Endpoint, after: Duration) -> SdkError {
    SdkError::Timeout {
        service: at.service,
        url: at.url.clone(),
        after,
    }
}

fn failed(at: &Endpoint, error: &reqwest::Error, timeout: Duration) -> SdkError {
    match error.is_timeout() && !error.is_connect() {
        true => timed_out(at, timeout),
        false => SdkError::Transport {
            service: at.service,
            url: at.url.clone(),
            reason: innermost(error),
            sent: !error.is_connect(),
        },
    }
}

/// What the operating system said, without the layers above.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// True where `url` leads to this machine: to a loopback address or `localhost`.
pub fn is_on_this_machine(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    match address(&url) {
        Some(address) => address.is_loopback(),
        None => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// The host of a URL, where it is an address and no name.
pub(crate) fn address(url: &reqwest::Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    let address: IpAddr = host.parse().ok()?;
    Some(address.to_canonical())
}
