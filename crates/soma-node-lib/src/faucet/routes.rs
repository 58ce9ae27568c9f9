//! The faucet's routes and their description.

use std::net::SocketAddr;
use std::sync::OnceLock;

use axum::extract::{ConnectInfo, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use soma_api::{ErrorBody, ErrorCode, FaucetRequest, FaucetResponse};
use soma_service::{ApiError, Body, rate_key};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Faucet;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "SOMA faucet API",
        description = "Money for trying things out, in shannons (1 SOMA = 10^9). Whatever goes \
                       wrong is answered with `{code, message, details}`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags((name = "faucet", description = "Money for trying things out"))
)]
struct Document;

/// Routes and their description.
pub(super) fn documented() -> OpenApiRouter<Faucet> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(ask))
        .routes(routes!(health))
        .routes(routes!(description))
}

/// The description of the faucet's API as JSON, made once.
pub fn openapi_json() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let document = documented().into_openapi();
        document.to_pretty_json().unwrap_or_default()
    })
}

/// Pays an account, and answers once the money is there. Each account and each network address is
/// paid a few times a minute; `RateLimited` says that it was enough.
#[utoipa::path(post, path = "/v1/faucet", tag = "faucet", request_body = FaucetRequest,
    responses((status = 200, body = FaucetResponse), (status = "default", body = ErrorBody)))]
async fn ask(
    State(faucet): State<Faucet>,
    client: Option<Extension<ConnectInfo<SocketAddr>>>,
    Body(request): Body<FaucetRequest>,
) -> Result<Json<FaucetResponse>, ApiError> {
    let client = client.map(|Extension(client)| client);
    let limited = |who: &str| {
        let text = format!("{who} was given as much as this faucet gives for now; wait a minute");
        ApiError::new(ErrorCode::RateLimited, text)
    };
    if !faucet.shared.by_client.allows(&rate_key(client.as_ref())) {
        return Err(limited("your network address"));
    }
    if !faucet.shared.by_address.allows(&request.address) {
        return Err(limited("this account"));
    }
    faucet.send(request.address).await.map(Json)
}

/// 200 while the faucet answers.
#[utoipa::path(get, path = "/health", tag = "faucet", responses(
    (status = 200, body = String), (status = "default", body = ErrorBody)))]
async fn health() -> &'static str {
    "ok"
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "faucet", responses(
    (status = 200, body = Object), (status = "default", body = ErrorBody)))]
async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json()).into_response()
}
