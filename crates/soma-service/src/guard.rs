//! What stands around every route: rate limit, load limit, deadline, panics, sizes, CORS, counts.

use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use soma_api::ErrorCode;
use thiserror::Error;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::extract::BodyLimits;
use super::places::{Places, Slot};
use super::{ApiError, RateConfig, RateLimit, RequestLabels, RequestMetrics, rate_key};

/// Limits of an HTTP service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardConfig {
    /// The largest body in bytes. Default 1 MiB: a transaction in Base64 with room to spare.
    pub max_body_bytes: usize,
    /// Time for an answer in milliseconds; event streams end when the client ends them.
    /// Default 60,000.
    pub request_timeout_ms: u64,
    /// Time for a client to send a JSON body, in milliseconds. Default 30,000.
    pub body_timeout_ms: u64,
    /// Requests worked on at the same time; more are answered `Overloaded`. An answer of more than
    /// 1 KiB counts until it is sent, an event stream does not. `/health` and `/metrics` have places
    /// of their own: who looks after the service must see it when it is full. Default 1,024.
    pub max_concurrent_requests: usize,
    /// The most of them of one IP address, or of the /64 network of an IPv6 address; more are
    /// answered `RateLimited`. Not for this machine's own: a proxy on it has those of all clients. 0
    /// turns the limit off. Default 256.
    pub max_concurrent_requests_per_ip: usize,
    /// Requests of one client address. Default 6,000 a minute, 1,000 at once.
    pub rate: RateConfig,
    /// Web origins that may call this service from a browser; `*` for all. Default none.
    pub cors_origins: Vec<String>,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 1 << 20,
            request_timeout_ms: 60_000,
            body_timeout_ms: 30_000,
            max_concurrent_requests: 1_024,
            max_concurrent_requests_per_ip: 256,
            rate: RateConfig::default(),
            cors_origins: Vec::new(),
        }
    }
}

/// An origin that no browser sends.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no web origin; give `*` for all, or a scheme and a host in small letters without a \
     path, such as https://app.example.org"
)]
pub struct InvalidOrigin(pub String);

impl GuardConfig {
    /// Checks that each of `cors_origins` can be that of a page.
    ///
    /// # Errors
    /// [`InvalidOrigin`].
    pub fn check_origins(&self) -> Result<(), InvalidOrigin> {
        match self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(InvalidOrigin(origin.clone())),
            None => Ok(()),
        }
    }
}

/// Browsers send nothing but scheme and host, and `null` for pages of files.
fn is_origin(text: &str) -> bool {
    if ["*", "null"].contains(&text) {
        return true;
    }
    let uri = text.parse::<Uri>().ok();
    let parts = uri.as_ref().and_then(|uri| {
        let host = uri.authority()?.as_str();
        Some(format!("{}://{host}", uri.scheme_str()?).to_lowercase())
    });
    parts.is_some_and(|parts| parts == text && !text.contains('@'))
}

/// The limits in use.
pub struct Guard {
    rate: RateLimit<IpAddr>,
    places: Places,
    watch_places: Places,
    timeout: Duration,
    body_timeout: Duration,
    max_body_bytes: usize,
    metrics: Option<RequestMetrics>,
}

/// Routes of whoever looks after a service.
const WATCH_ROUTES: [&str; 2] = ["/health", "/metrics"];

/// Requests of those routes at the same time: in all, and of one address.
const WATCH_PLACES: (usize, usize) = (64, 16);

impl Guard {
    /// A place for a request of `client`.
    fn place(&self, route: Option<&MatchedPath>, client: IpAddr) -> Result<Slot, ApiError> {
        if !self.rate.allows(&client) {
            let text = "too many requests from this address; slow down";
            return Err(ApiError::new(ErrorCode::RateLimited, text));
        }
        match route.is_some_and(|route| WATCH_ROUTES.contains(&route.as_str())) {
            true => self.watch_places.take(client),
            false => self.places.take(client),
        }
    }
}

/// `router` with its limits, and typed errors for unknown routes and methods. Requests are
/// counted in `metrics` when given.
pub fn guarded(router: Router, config: &GuardConfig, metrics: Option<RequestMetrics>) -> Router {
    let guard = Arc::new(Guard {
        rate: RateLimit::new(config.rate),
        places: Places::new((
            config.max_concurrent_requests,
            config.max_concurrent_requests_per_ip,
        )),
        watch_places: Places::new(WATCH_PLACES),
        timeout: Duration::from_millis(config.request_timeout_ms),
        body_timeout: Duration::from_millis(config.body_timeout_ms),
        max_body_bytes: config.max_body_bytes,
        metrics,
    });
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(config.max_body_bytes))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(guard, stand))
        .layer(cors(&config.cors_origins))
}

async fn unknown_route(request: Request) -> ApiError {
    let path: String = request.uri().path().chars().take(200).collect();
    ApiError::new(
        ErrorCode::RouteNotFound,
        format!("no route `{path}`; see /v1/openapi.json"),
    )
}

async fn unknown_method(request: Request) -> ApiError {
    let method: String = request.method().as_str().chars().take(20).collect();
    ApiError::new(
        ErrorCode::MethodNotAllowed,
        format!("this route does not take `{method}`; see /v1/openapi.json"),
    )
}

fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let cause = cause
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    ApiError::internal(format!("panic: {cause}")).into_response()
}

async fn stand(
    State(guard): State<Arc<Guard>>,
    route: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let begin = Instant::now();
    request.extensions_mut().insert(BodyLimits {
        deadline: begin.checked_add(guard.body_timeout),
        max_bytes: guard.max_body_bytes,
    });
    let method = name(request.method());
    let client = rate_key(request.extensions().get::<ConnectInfo<SocketAddr>>());
    let response = match guard.place(route.as_ref(), client) {
        Ok(slot) => {
            // It is held here too: extractors drop the request before its handler ends.
            request.extensions_mut().insert(slot.clone());
            match tokio::time::timeout(guard.timeout, next.run(request)).await {
                Ok(response) => slot.keep(response),
                Err(_) => ApiError::new(
                    ErrorCode::Timeout,
                    "the answer took longer than this service allows",
                )
                .into_response(),
            }
        }
        Err(refused) => refused.into_response(),
    };
    if let Some(metrics) = &guard.metrics {
        let labels = RequestLabels {
            route: route.map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned()),
            method,
            status: response.status().as_u16(),
        };
        metrics.requests.get_or_create(&labels).inc();
        let seconds = begin.elapsed().as_secs_f64();
        metrics.seconds.observe(seconds);
    }
    response
}

/// The method as a metric label: one of a few, whatever the client sends.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn cors(origins: &[String]) -> CorsLayer {
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|o| HeaderValue::from_str(o).ok()))
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::CONTENT_TYPE,
            HeaderName::from_static("last-event-id"),
        ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        let check = |origin: &str| {
            let config = GuardConfig {
                cors_origins: vec![origin.to_owned()],
                ..GuardConfig::default()
            };
            config.check_origins()
        };
        for good in ["*", "null", "https://a.example", "http://127.0.0.1:3000"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "bad origin",
            "",
            "a.example",
            "https://a.example/",
            "https://a.example/page",
            "https://A.example",
            "https://user@a.example",
        ] {
            assert_eq!(check(bad), Err(InvalidOrigin(bad.to_owned())));
        }
    }
}
