//! Models.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use soma_api::{ErrorBody, ModelView, Page};
use soma_service::{ApiError, PathText, Query, parse};
use soma_types::{Address, Checksum, Model, ModelId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::owned::scan_models;
use crate::rpc::paging::{Include, List, page_limit};
use crate::rpc::{Rpc, RpcError, views};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(models))
        .routes(routes!(model))
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ModelsQuery {
    /// Only models of this owner.
    owner: Option<Address>,
    /// Only models with this status: created, pending, active or inactive.
    status: Option<String>,
    /// Only the model that owns the weights with this plaintext checksum: others are refused when
    /// they reveal the same. It may have other weights by now, or have ended.
    #[param(value_type = Option<String>)]
    weights: Option<Checksum>,
    /// `embedding`: with embeddings; pages then have at most 100 items.
    include: Option<String>,
    /// The most items. Default 100, at most 1,000.
    limit: Option<u64>,
    /// `next_cursor` of the page before, with the same filter.
    cursor: Option<String>,
}

const STATUSES: [&str; 4] = ["created", "pending", "active", "inactive"];

/// Models in order of id.
#[utoipa::path(get, path = "/v1/models", tag = "work", params(ModelsQuery), responses(
    (status = 200, body = Page<ModelView>), (status = "default", body = ErrorBody)))]
async fn models(
    State(rpc): State<Rpc>,
    Query(query): Query<ModelsQuery>,
) -> Result<Json<Page<ModelView>>, RpcError> {
    let include = Include::parse(query.include.as_deref(), &["embedding"])?;
    let limit = page_limit(query.limit, rpc.config(), include.embedding)?;
    let status = match query.status {
        None => None,
        Some(text) => {
            let known = STATUSES.into_iter().find(|status| *status == text);
            let refuse = || {
                let shown: String = text.chars().take(40).collect();
                ApiError::invalid(format!(
                    "bad `status`: `{shown}`; use {}",
                    STATUSES.join(", ")
                ))
            };
            Some(known.ok_or_else(refuse)?)
        }
    };
    let list = List::new(format!(
        "models {:?} {status:?} {:?}",
        query.owner, query.weights
    ));
    let after: Option<ModelId> = list.place(query.cursor.as_deref())?;
    let page = rpc.read(move |application| {
        let reader = application.chain().reader();
        let keep = |model: &Model| {
            query.owner.is_none_or(|owner| model.owner == owner)
                && status.is_none_or(|status| model.status.name() == status)
        };
        let mut items = Vec::new();
        if let Some(plaintext) = query.weights {
            let record = reader.weights_record(&plaintext)?;
            let model = record
                .map(|record| reader.model(&record.model))
                .transpose()?;
            if let Some(model) = model.flatten().filter(keep) {
                items.push(views::model(&reader, &model, include)?);
            }
            let next_cursor = None;
            return Ok(Page { items, next_cursor });
        }
        let next = scan_models(&reader, after, keep, |model| {
            items.push(views::model(&reader, model, include)?);
            Ok(items.len() < limit)
        })?;
        let next_cursor = next.map(|id| list.cursor(id));
        Ok(Page { items, next_cursor })
    });
    Ok(Json(page.await?))
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ModelQuery {
    /// `embedding`: with the embedding.
    include: Option<String>,
}

/// A model by id.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "work",
    params(("id" = String, Path, description = "Id of the model"), ModelQuery), responses(
    (status = 200, body = ModelView), (status = "default", body = ErrorBody)))]
async fn model(
    State(rpc): State<Rpc>,
    PathText(id): PathText,
    Query(query): Query<ModelQuery>,
) -> Result<Json<ModelView>, RpcError> {
    let id: ModelId = parse("id", &id)?;
    let include = Include::parse(query.include.as_deref(), &["embedding"])?;
    let view = rpc.read(move |application| {
        let reader = application.chain().reader();
        let model = reader.model(&id)?;
        let model = model.ok_or_else(|| ApiError::not_found("model", id))?;
        Ok(views::model(&reader, &model, include)?)
    });
    Ok(Json(view.await?))
}
