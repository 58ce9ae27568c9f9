//! Validators.

use axum::Json;
use axum::extract::State;
use soma_api::{ErrorBody, Page, ValidatorView};
use soma_types::Address;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rpc::paging::{List, PageQuery, page_limit};
use crate::rpc::{Rpc, RpcError, views};
use soma_service::{ApiError, PathText, Query, parse};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(validators))
        .routes(routes!(validator))
}

/// Validators in order of address, also pending and former ones.
#[utoipa::path(get, path = "/v1/validators", tag = "work", params(PageQuery), responses(
    (status = 200, body = Page<ValidatorView>), (status = "default", body = ErrorBody)))]
async fn validators(
    State(rpc): State<Rpc>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ValidatorView>>, RpcError> {
    let limit = page_limit(query.limit, rpc.config(), false)?;
    let list = List::new("validators");
    let after: Option<Address> = list.place(query.cursor.as_deref())?;
    let found = rpc.read(move |application| {
        let reader = application.chain().reader();
        let committee = reader.committee(reader.system().epoch)?;
        let items: Result<Vec<_>, _> = reader
            .validators(after, limit)?
            .iter()
            .map(|validator| views::validator(&reader, committee.as_ref(), validator))
            .collect();
        Ok(list.page(items?, limit, |last| last.address))
    });
    Ok(Json(found.await?))
}

/// A validator by its account.
#[utoipa::path(get, path = "/v1/validators/{address}", tag = "work",
    params(("address" = String, Path, description = "Account of the validator")), responses(
    (status = 200, body = ValidatorView), (status = "default", body = ErrorBody)))]
async fn validator(
    State(rpc): State<Rpc>,
    PathText(address): PathText,
) -> Result<Json<ValidatorView>, RpcError> {
    let address: Address = parse("address", &address)?;
    let view = rpc.read(move |application| {
        let reader = application.chain().reader();
        let validator = reader.validator(&address)?;
        let validator = validator.ok_or_else(|| ApiError::not_found("validator", address))?;
        let committee = reader.committee(reader.system().epoch)?;
        Ok(views::validator(&reader, committee.as_ref(), &validator)?)
    });
    Ok(Json(view.await?))
}
