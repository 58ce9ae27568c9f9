//! The description of the API, made from the handlers themselves.

use std::sync::OnceLock;

use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::{Rpc, routes};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "SOMA node API",
        description = "JSON over HTTP. Money is in shannons (1 SOMA = 10^9). Whatever goes wrong \
                       is answered with `{code, message, details}`; follow `next_cursor` until it \
                       is absent to see every row of a list.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "chain", description = "The node and its chain"),
        (name = "accounts", description = "Balances, objects, stake, earnings"),
        (name = "blocks", description = "Blocks, transactions, receipts"),
        (name = "work", description = "Models, targets, validators"),
        (name = "send", description = "Sending and trying transactions"),
        (name = "snapshots", description = "The state at the ends of epochs, for new nodes"),
        (name = "events", description = "The stream of what happens"),
    ),
    components(schemas(soma_api::EventMessage))
)]
struct Document;

/// Routes and their description.
pub(super) fn documented() -> OpenApiRouter<Rpc> {
    OpenApiRouter::with_openapi(Document::openapi()).merge(routes::all())
}

/// The description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented().into_openapi()
}

/// The description as JSON, made once.
pub fn openapi_json() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| openapi().to_pretty_json().unwrap_or_default())
}
