//! Handlers, one file for each group of routes.

mod accounts;
mod audits;
mod blobs;
mod blocks;
mod chain;
mod epochs;
mod models;
mod objects;
mod operations;
mod owned;
mod proofs;
mod snapshots;
mod stream;
mod submit;
mod targets;
mod validators;

use utoipa_axum::router::OpenApiRouter;

use super::Rpc;

/// All routes.
pub(super) fn all() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .merge(chain::routes())
        .merge(accounts::routes())
        .merge(objects::routes())
        .merge(blocks::routes())
        .merge(submit::routes())
        .merge(epochs::routes())
        .merge(models::routes())
        .merge(targets::routes())
        .merge(audits::routes())
        .merge(blobs::routes())
        .merge(validators::routes())
        .merge(proofs::routes())
        .merge(snapshots::routes())
        .merge(stream::routes())
        .merge(operations::routes())
}
