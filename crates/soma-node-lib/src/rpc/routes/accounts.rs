//! Balances, stake positions and earnings of an account.

use axum::Json;
use axum::extract::State;
use soma_api::{Balance, ErrorBody, EventId, LedgerEntryView, ObjectView, Page, StakeView};
use soma_chain::LedgerCursor;
use soma_service::{PathText, Query, parse};
use soma_types::{Address, StakeId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::owned::{self, OwnedQuery};
use crate::rpc::paging::{List, PageQuery, page_limit};
use crate::rpc::{Rpc, RpcError, views};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(balance))
        .routes(routes!(objects))
        .routes(routes!(stakes))
        .routes(routes!(earnings))
}

/// Balance and nonce of an address; zeros for an unknown one.
#[utoipa::path(get, path = "/v1/accounts/{address}/balance", tag = "accounts",
    params(("address" = String, Path, description = "The account")), responses(
    (status = 200, body = Balance), (status = "default", body = ErrorBody)))]
async fn balance(
    State(rpc): State<Rpc>,
    PathText(address): PathText,
) -> Result<Json<Balance>, RpcError> {
    let address: Address = parse("address", &address)?;
    let balance = rpc.read(move |application| {
        let reader = application.chain().reader();
        let account = reader.account(&address)?;
        let height = reader.head().header.height;
        drop(reader);
        let next_nonce = application.mempool().next_nonce(&address, account.nonce);
        Ok(Balance {
            next_nonce,
            ..Balance::new(address, account, height)
        })
    });
    Ok(Json(balance.await?))
}

/// Objects of an address: its coin, stake positions, models, targets that it filled, validator.
#[utoipa::path(get, path = "/v1/accounts/{address}/objects", tag = "accounts",
    params(("address" = String, Path, description = "The account"), OwnedQuery), responses(
    (status = 200, body = Page<ObjectView>), (status = "default", body = ErrorBody)))]
async fn objects(
    State(rpc): State<Rpc>,
    PathText(address): PathText,
    Query(query): Query<OwnedQuery>,
) -> Result<Json<Page<ObjectView>>, RpcError> {
    let address: Address = parse("address", &address)?;
    let listing = owned::Listing::new(address, &query, rpc.config())?;
    let page = rpc.read(move |application| listing.page(&application.chain().reader()));
    Ok(Json(page.await?))
}

/// Stake positions of an address with what they are worth now.
#[utoipa::path(get, path = "/v1/accounts/{address}/stakes", tag = "accounts",
    params(("address" = String, Path, description = "The account"), PageQuery), responses(
    (status = 200, body = Page<StakeView>), (status = "default", body = ErrorBody)))]
async fn stakes(
    State(rpc): State<Rpc>,
    PathText(address): PathText,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<StakeView>>, RpcError> {
    let address: Address = parse("address", &address)?;
    let limit = page_limit(query.limit, rpc.config(), false)?;
    let list = List::new(format!("stakes {address}"));
    let after: Option<StakeId> = list.place(query.cursor.as_deref())?;
    let stakes = rpc.read(move |application| {
        let reader = application.chain().reader();
        let positions = reader.stakes_of(&address, after, limit)?;
        let views: Result<Vec<_>, _> = positions
            .iter()
            .map(|position| views::stake(&reader, position))
            .collect();
        Ok(list.page(views?, limit, |last| last.id))
    });
    Ok(Json(stakes.await?))
}

/// What an address earned and lost outside plain transfers, newest first.
#[utoipa::path(get, path = "/v1/accounts/{address}/earnings", tag = "accounts",
    params(("address" = String, Path, description = "The account"), PageQuery), responses(
    (status = 200, body = Page<LedgerEntryView>), (status = "default", body = ErrorBody)))]
async fn earnings(
    State(rpc): State<Rpc>,
    PathText(address): PathText,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<LedgerEntryView>>, RpcError> {
    let address: Address = parse("address", &address)?;
    let limit = page_limit(query.limit, rpc.config(), false)?;
    // A place in the ledger is a height and an index, as a place in the event stream is.
    let list = List::new(format!("earnings {address}"));
    let before: Option<EventId> = list.place(query.cursor.as_deref())?;
    let before = before.map(|EventId { height, index }| LedgerCursor { height, index });
    let entries = rpc.read(move |application| {
        let entries = application
            .chain()
            .reader()
            .ledger(&address, before, limit)?;
        let views = entries.iter().map(views::ledger_entry).collect();
        Ok(list.page(views, limit, |last: &LedgerEntryView| EventId {
            height: last.height,
            index: last.index,
        }))
    });
    Ok(Json(entries.await?))
}
