//! Blocks and transactions.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use soma_api::{BlockView, CertificateView, ErrorBody, ErrorCode, ReceiptView, TransactionRecord};
use soma_service::{ApiError, PathText, Query, parse};
use soma_types::{Digest, Height};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::Application;
use crate::rpc::paging::Include;
use crate::rpc::{Rpc, RpcError, views};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(block))
        .routes(routes!(certificate))
        .routes(routes!(transaction))
        .routes(routes!(receipt))
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BlockQuery {
    /// `transactions`, `receipts` or both, separated by a comma.
    include: Option<String>,
}

/// How a block is named in a path.
enum BlockName {
    Latest,
    Height(Height),
    Digest(Digest),
}

impl BlockName {
    fn parse(text: &str) -> Result<Self, ApiError> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit()) {
            return parse("block", text).map(Self::Height);
        }
        parse("block", text).map(Self::Digest)
    }

    fn height(&self, application: &Application) -> Result<Height, RpcError> {
        match self {
            Self::Latest => Ok(application.now().height()),
            Self::Height(height) => Ok(*height),
            Self::Digest(digest) => application
                .chain()
                .reader()
                .block_height(digest)?
                .ok_or_else(|| ApiError::not_found("block", digest).into()),
        }
    }
}

/// A block by height, digest, or `latest`.
#[utoipa::path(get, path = "/v1/blocks/{block}", tag = "blocks",
    params(("block" = String, Path, description = "Height, digest, or `latest`"), BlockQuery),
    responses((status = 200, body = BlockView), (status = "default", body = ErrorBody)))]
async fn block(
    State(rpc): State<Rpc>,
    PathText(name): PathText,
    Query(query): Query<BlockQuery>,
) -> Result<Json<BlockView>, RpcError> {
    let name = BlockName::parse(&name)?;
    let include = Include::parse(query.include.as_deref(), &["transactions", "receipts"])?;
    let block = rpc.read(move |application| {
        let height = name.height(application)?;
        match application.block(height)? {
            Some(block) => Ok(views::block(&block, include)),
            None => Err(missing_block(application, height)?.into()),
        }
    });
    Ok(Json(block.await?))
}

/// What proves a block final: precommits of a quorum of its committee.
#[utoipa::path(get, path = "/v1/blocks/{block}/certificate", tag = "blocks",
    params(("block" = String, Path, description = "Height, digest, or `latest`")),
    responses((status = 200, body = CertificateView), (status = "default", body = ErrorBody)))]
async fn certificate(
    State(rpc): State<Rpc>,
    PathText(name): PathText,
) -> Result<Json<CertificateView>, RpcError> {
    let name = BlockName::parse(&name)?;
    let certificate = rpc.read(move |application| {
        let height = name.height(application)?;
        match application.chain().reader().certificate(height)? {
            Some(certificate) => Ok(CertificateView::from(&certificate)),
            None => Err(missing_block(application, height)?.into()),
        }
    });
    Ok(Json(certificate.await?))
}

/// Why there is no block at a height: dropped, or not made yet.
pub(in crate::rpc) fn missing_block(
    application: &Application,
    height: Height,
) -> Result<ApiError, RpcError> {
    let lowest = application.chain().reader().lowest_block()?;
    if height > 0 && height < lowest {
        let text = format!("block {height} was dropped; the oldest here is {lowest}");
        return Ok(ApiError::new(ErrorCode::Pruned, text)
            .with("height", height)
            .with("lowest", lowest));
    }
    Ok(ApiError::not_found("block", height))
}

/// A transaction and what it did; without a receipt while it waits.
#[utoipa::path(get, path = "/v1/transactions/{digest}", tag = "blocks",
    params(("digest" = String, Path, description = "Digest of the transaction")), responses(
    (status = 200, body = TransactionRecord), (status = "default", body = ErrorBody)))]
async fn transaction(
    State(rpc): State<Rpc>,
    PathText(digest): PathText,
) -> Result<Json<TransactionRecord>, RpcError> {
    let digest: Digest = parse("digest", &digest)?;
    let record = rpc.read(move |application| {
        // The mempool first: a transaction that leaves it meanwhile is then in the chain.
        let waiting = application.mempool().get(&digest);
        if let Some((signed, receipt)) = application.chain().reader().transaction(&digest)? {
            return Ok(TransactionRecord {
                transaction: views::transaction(&signed),
                receipt: Some(ReceiptView::from(&receipt)),
            });
        }
        let waiting = waiting.ok_or_else(|| ApiError::not_found("transaction", digest))?;
        Ok(TransactionRecord {
            transaction: views::transaction(&waiting),
            receipt: None,
        })
    });
    Ok(Json(record.await?))
}

/// What a transaction did.
#[utoipa::path(get, path = "/v1/transactions/{digest}/receipt", tag = "blocks",
    params(("digest" = String, Path, description = "Digest of the transaction")), responses(
    (status = 200, body = ReceiptView), (status = "default", body = ErrorBody)))]
async fn receipt(
    State(rpc): State<Rpc>,
    PathText(digest): PathText,
) -> Result<Json<ReceiptView>, RpcError> {
    let digest: Digest = parse("digest", &digest)?;
    let receipt = rpc.read(move |application| {
        let receipt = application.receipt(&digest)?;
        receipt.ok_or_else(|| ApiError::not_found("receipt of transaction", digest).into())
    });
    Ok(Json(ReceiptView::from(&receipt.await?)))
}
