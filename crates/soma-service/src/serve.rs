//! The accept loop: as many connections as allowed, in all and for one address, deadlines for those
//! that send no requests, a graceful end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::answer::{Answer, Traffic};
use super::{Shares, rate_key};

/// Limits of connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// Open connections; more wait to be accepted. Default 4,096.
    pub max_connections: usize,
    /// The most of one IP address, or of the /64 network of an IPv6 address; more are closed at once.
    /// Not for this machine's own: a proxy on it has those of all clients. 0 turns the limit off.
    /// Default 1,024.
    pub max_connections_per_ip: usize,
    /// Time for a client to send a request's head, in milliseconds; for the first one it begins with
    /// the connection. Default 15,000.
    pub head_timeout_ms: u64,
    /// Time without a request after which a connection is closed, in milliseconds. A request ends
    /// with its answer, an event stream with the stream; an answer lasts while its client takes bytes
    /// of it, and is cut with the connection when none was taken for so long. HTTP/1 has no longer
    /// than `head_timeout_ms` from the end of an answer. Default 60,000.
    pub idle_timeout_ms: u64,
    /// Time for open requests to end when the node stops, in milliseconds. Default 3,000.
    pub stop_timeout_ms: u64,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            max_connections: 4_096,
            max_connections_per_ip: 1_024,
            head_timeout_ms: 15_000,
            idle_timeout_ms: 60_000,
            stop_timeout_ms: 3_000,
        }
    }
}

/// An address that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {error}; {}", advice(error))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub error: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there: choose another port",
        io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
        io::ErrorKind::PermissionDenied => "choose a port of 1024 or above",
        _ => "choose another address",
    }
}

/// Listens on `address`.
///
/// # Errors
/// [`BindError`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| BindError { address, error })
}

/// A router on a listener.
pub struct Server {
    /// Where it listens.
    pub listener: TcpListener,
    /// What it serves.
    pub router: Router,
    /// Limits of connections.
    pub config: ServeConfig,
}

impl Server {
    /// Serves until `stop`, then lets open requests end.
    pub async fn run(self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.config.max_connections));
        let shares = Shares::new(self.config.max_connections_per_ip);
        let open = TaskTracker::new();
        loop {
            let slot = tokio::select! {
                () = stop.cancelled() => break,
                slot = Arc::clone(&slots).acquire_owned() => slot,
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    let Some(share) = shares.take(rate_key(Some(&ConnectInfo(client)))) else {
                        tracing::debug!(%client, "closed: its address has as many connections as it may");
                        continue;
                    };
                    let router = self.router.clone();
                    let (config, stop) = (self.config.clone(), stop.clone());
                    open.spawn(async move {
                        connection(stream, client, router, &config, stop).await;
                        drop((slot, share));
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: give others time to close.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        open.close();
        let limit = Duration::from_millis(self.config.stop_timeout_ms);
        // What is still open then is cut when the runtime ends.
        let _ = timeout(limit, open.wait()).await;
    }
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    router: Router,
    config: &ServeConfig,
    stop: CancellationToken,
) {
    // Answers are small; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let traffic = Traffic::new();
    let counted = traffic.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let begun = counted.begin();
        request.extensions_mut().insert(ConnectInfo(client));
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request.map(Body::new)).await;
            Ok::<_, Infallible>(response.map(|body| Answer::new(body, begun)))
        }
    });
    let head_timeout = Duration::from_millis(config.head_timeout_ms);
    let idle_timeout = Duration::from_millis(config.idle_timeout_ms);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        // A ping waits behind what a slow client has yet to read.
        .keep_alive_timeout(idle_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Neither hyper's timeout of heads, which begins with the first bytes, nor the pings of HTTP/2
    // end a connection whose client is alive and asks for nothing.
    let quiet = async {
        if timeout(head_timeout, traffic.first()).await.is_ok() {
            traffic.idle(idle_timeout).await;
        }
    };
    tokio::select! {
        // An error means that the client went away or sent something that is not HTTP.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
        () = quiet => {}
    }
    connection.as_mut().graceful_shutdown();
    traffic.touch();
    tokio::select! {
        _ = connection => {}
        // The client does not close its side, or does not read.
        () = traffic.idle(Duration::from_millis(config.stop_timeout_ms)) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_cannot_be_had_is_named_with_what_to_do() {
        let taken = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let taken = taken.local_addr().unwrap();
        let error = bind(taken).await.unwrap_err().to_string();
        assert!(error.contains(&taken.to_string()), "{error}");
        assert!(error.ends_with("choose another port"), "{error}");
        // An address of documentation: no machine has it.
        let error = bind("192.0.2.1:0".parse().unwrap()).await.unwrap_err();
        let error = error.to_string();
        assert!(
            error.ends_with("choose an address of this machine"),
            "{error}"
        );
    }
}
