//! Targets.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use soma_api::{ErrorBody, Page, TargetView};
use soma_chain::{TargetCursor, TargetFilter, TargetQuery};
use soma_types::{Address, Epoch, TargetId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rpc::paging::{HexPlace, Include, List, page_limit};
use crate::rpc::{Rpc, RpcError, views};
use soma_service::{ApiError, PathText, Query, parse};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(targets))
        .routes(routes!(target))
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TargetsQuery {
    /// Only targets with this status: open, filled, claimable, claimed, expired, fraud
    /// or void.
    status: Option<String>,
    /// Only targets drawn in this epoch.
    #[param(value_type = Option<u64>)]
    epoch: Option<Epoch>,
    /// Only targets filled by this address.
    submitter: Option<Address>,
    /// `embedding`: with embeddings; pages then have at most 100 items.
    include: Option<String>,
    /// The most items. Default 100, at most 1,000.
    limit: Option<u64>,
    /// `next_cursor` of the page before, with the same filter.
    cursor: Option<String>,
}

/// Targets that pass the filter.
#[utoipa::path(get, path = "/v1/targets", tag = "work", params(TargetsQuery), responses(
    (status = 200, body = Page<TargetView>), (status = "default", body = ErrorBody)))]
async fn targets(
    State(rpc): State<Rpc>,
    Query(query): Query<TargetsQuery>,
) -> Result<Json<Page<TargetView>>, RpcError> {
    let include = Include::parse(query.include.as_deref(), &["embedding"])?;
    let limit = page_limit(query.limit, rpc.config(), include.embedding)?;
    let status: Option<TargetQuery> = query
        .status
        .map(|text| parse("status", &text.chars().take(40).collect::<String>()))
        .transpose()?;
    let filter = TargetFilter {
        status,
        epoch: query.epoch,
        submitter: query.submitter,
    };
    let list = List::new(format!("targets {filter:?}"));
    let after = list.place(query.cursor.as_deref())?;
    let after = after.map(|HexPlace(bytes)| TargetCursor(bytes));
    let page = rpc.read(move |application| {
        let reader = application.chain().reader();
        let found = reader.targets(&filter, after.as_ref(), limit)?;
        let items: Result<Vec<_>, _> = found
            .targets
            .iter()
            .map(|target| views::target(&reader, target, include))
            .collect();
        let next_cursor = found
            .next
            .map(|TargetCursor(bytes)| list.cursor(HexPlace(bytes)));
        Ok(Page {
            items: items?,
            next_cursor,
        })
    });
    Ok(Json(page.await?))
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TargetQueryParams {
    /// `embedding`: with the embeddings of the target and of the data that filled it.
    include: Option<String>,
}

/// A target with its submission, the reports and the challenge of it.
#[utoipa::path(get, path = "/v1/targets/{id}", tag = "work",
    params(("id" = String, Path, description = "Id of the target"), TargetQueryParams), responses(
    (status = 200, body = TargetView), (status = "default", body = ErrorBody)))]
async fn target(
    State(rpc): State<Rpc>,
    PathText(id): PathText,
    Query(query): Query<TargetQueryParams>,
) -> Result<Json<TargetView>, RpcError> {
    let id: TargetId = parse("id", &id)?;
    let include = Include::parse(query.include.as_deref(), &["embedding"])?;
    let view = rpc.read(move |application| {
        let reader = application.chain().reader();
        let target = reader.target(&id)?;
        let target = target.ok_or_else(|| ApiError::not_found("target", id))?;
        Ok(views::whole_target(&reader, &target, include)?)
    });
    Ok(Json(view.await?))
}
