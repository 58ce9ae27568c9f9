//! Sending and trying transactions.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use soma_api::{ErrorBody, ErrorCode, ReceiptView, SimulateRequest, SubmitRequest, SubmitResponse};
use soma_types::codec::DecodeError;
use soma_types::{SignedTransaction, Transaction};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::SubmitError;
use crate::mempool::MempoolError;
use crate::rpc::{Rpc, RpcError};
use soma_service::{ApiError, Body};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(submit))
        .routes(routes!(simulate))
}

fn undecodable(error: DecodeError) -> ApiError {
    ApiError::new(ErrorCode::InvalidTransaction, error.to_string())
}

/// Sends a transaction, and waits for its receipt on request. Sending the same again is not an
/// error; one that was executed already answers with its receipt. Who waits is told at once when
/// the transaction leaves the mempool without a block: `NonceInUse` when another one with its nonce
/// took its place, `NonceTooLow` when another was executed, `TransactionExpired` when it expired,
/// `MempoolFull` when it waited as long as any may.
#[utoipa::path(post, path = "/v1/transactions", tag = "send", request_body = SubmitRequest,
    responses((status = 200, body = SubmitResponse), (status = "default", body = ErrorBody)))]
async fn submit(
    State(rpc): State<Rpc>,
    Body(request): Body<SubmitRequest>,
) -> Result<Json<SubmitResponse>, RpcError> {
    let signed: SignedTransaction = request
        .transaction
        .decode("a signed transaction")
        .map_err(undecodable)?;
    let wait = request.wait_ms.unwrap_or(0).min(rpc.config().max_wait_ms);
    let ticket = rpc.application().enqueue(signed).await?;
    let submitted = tokio::select! {
        submitted = ticket.receipt(Duration::from_millis(wait)) => submitted?,
        // A node that stops makes no more blocks.
        () = rpc.shared.stop.cancelled() => return Err(SubmitError::Stopping.into()),
    };
    Ok(Json(SubmitResponse {
        digest: submitted.digest,
        receipt: submitted.receipt.as_ref().map(ReceiptView::from),
    }))
}

/// Tries an unsigned transaction on the newest state. Nonce and expiry are not looked at.
#[utoipa::path(post, path = "/v1/transactions/simulate", tag = "send",
    request_body = SimulateRequest,
    responses((status = 200, body = ReceiptView), (status = "default", body = ErrorBody)))]
async fn simulate(
    State(rpc): State<Rpc>,
    Body(request): Body<SimulateRequest>,
) -> Result<Json<ReceiptView>, RpcError> {
    let size = request.transaction.0.len();
    let max = rpc.application().now().parameters.max_transaction_bytes;
    if u64::try_from(size).map_or(true, |size| size > max) {
        return Err(MempoolError::TooLarge { got: size, max }.into());
    }
    let transaction: Transaction = request
        .transaction
        .decode("a transaction")
        .map_err(undecodable)?;
    let expected = rpc.application().chain().chain_id();
    if transaction.chain_id != expected {
        let got = transaction.chain_id;
        return Err(MempoolError::WrongChain { expected, got }.into());
    }
    let receipt = rpc.read(move |application| Ok(application.chain().simulate(&transaction)?));
    Ok(Json(ReceiptView::from(&receipt.await?)))
}
