//! The admin routes, their description, and the refusal of web pages.

use std::net::IpAddr;
use std::sync::OnceLock;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use soma_api::{AdvanceEpochResponse, ErrorBody};
use soma_service::ApiError;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "SOMA admin API",
        description = "For whoever runs a node, on the machine itself. Requests with the header \
                       `Origin`, or with a `Host` that is not this machine, are refused. Whatever \
                       goes wrong is answered with `{code, message, details}`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags((name = "admin", description = "For whoever runs the node"))
)]
struct Document;

/// Routes and their description.
pub(super) fn documented() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(advance_epoch))
        .routes(routes!(description))
}

/// The description of the admin API as JSON, made once.
pub fn openapi_json() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let document = documented().into_openapi();
        document.to_pretty_json().unwrap_or_default()
    })
}

/// Ends the current epoch, and waits until the targets of the next are drawn where there are
/// active models. Concurrent requests each end an epoch of their own.
#[utoipa::path(post, path = "/v1/admin/advance-epoch", tag = "admin", responses(
    (status = 200, body = AdvanceEpochResponse), (status = "default", body = ErrorBody)))]
async fn advance_epoch(State(admin): State<Admin>) -> Result<Json<AdvanceEpochResponse>, ApiError> {
    admin.advance_epoch().await.map(Json)
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "admin", responses(
    (status = 200, body = Object), (status = "default", body = ErrorBody)))]
async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json()).into_response()
}

/// A browser sends the header `Origin` with every POST, whatever page asks for it; and a page of a
/// name that was made to point here sends that name as `Host`.
pub(super) async fn refuse_web_pages(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_local = headers
        .get(header::HOST)
        .is_none_or(|host| host.to_str().is_ok_and(is_this_machine));
    if headers.contains_key(header::ORIGIN) || !is_local {
        return ApiError::invalid("admin routes do not answer web pages").into_response();
    }
    next.run(request).await
}

/// True for `localhost` and loopback addresses. Names such as `127.example.org` are not addresses.
fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_and_localhost_are_this_machine() {
        for local in [
            "localhost",
            "LocalHost:9125",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:9",
        ] {
            assert!(is_this_machine(local), "{local}");
        }
        for other in [
            "",
            "127.example.org",
            "127.0.0.1.example.org:9125",
            "10.0.0.1",
            "[::2]:1",
            "localhost.example.org",
        ] {
            assert!(!is_this_machine(other), "{other}");
        }
    }
}
