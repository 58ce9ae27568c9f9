//! Sending and trying transactions.

use std::pin::pin;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use futures::FutureExt as _;
use soma_api::{ErrorBody, ErrorCode, ReceiptView, SimulateRequest, SubmitRequest, SubmitResponse};
use soma_types::codec::DecodeError;
use soma_types::{SignedTransaction, Transaction};
use tokio::sync::SemaphorePermit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::SubmitError;
use crate::mempool::MempoolError;
use crate::rpc::{Rpc, RpcError};
use soma_service::{ApiError, Body, Share, Slot};

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
/// `MempoolFull` when it waited as long as any may. `Overloaded` and `RateLimited` may mean that no
/// more can wait, in all or from this address: a transaction that was taken is in the mempool then.
#[utoipa::path(post, path = "/v1/transactions", tag = "send", request_body = SubmitRequest,
    responses((status = 200, body = SubmitResponse), (status = "default", body = ErrorBody)))]
async fn submit(
    State(rpc): State<Rpc>,
    Extension(slot): Extension<Slot>,
    Body(request): Body<SubmitRequest>,
) -> Result<Json<SubmitResponse>, RpcError> {
    let signed: SignedTransaction = request
        .transaction
        .decode("a signed transaction")
        .map_err(undecodable)?;
    let wait = request.wait_ms.unwrap_or(0).min(rpc.config().max_wait_ms);
    let ticket = rpc.application().enqueue(signed).await?;
    let mut receipt = pin!(ticket.receipt(Duration::from_millis(wait)));
    let submitted = match receipt.as_mut().now_or_never() {
        Some(submitted) => submitted?,
        None => {
            // Waiting costs next to nothing, and must not keep others from the node.
            let _place = place_to_wait(&rpc, &slot)?;
            slot.release();
            tokio::select! {
                submitted = receipt => submitted?,
                // A node that stops makes no more blocks.
                () = rpc.shared.stop.cancelled() => return Err(SubmitError::Stopping.into()),
            }
        }
    };
    Ok(Json(SubmitResponse {
        digest: submitted.digest,
        receipt: submitted.receipt.as_ref().map(ReceiptView::from),
    }))
}

/// A place among those who wait for a receipt.
fn place_to_wait<'a>(rpc: &'a Rpc, slot: &Slot) -> Result<(SemaphorePermit<'a>, Share), ApiError> {
    let refused = |code, who, max| {
        let text = format!(
            "{who} for {max} receipts already, the most that may be; the transaction was taken: send \
             it again later, or ask for its receipt"
        );
        ApiError::new(code, text)
    };
    let config = rpc.config();
    let share = rpc.shared.waiting_by_ip.take(slot.client());
    let share = share.ok_or_else(|| {
        let max = config.max_waiting_per_ip;
        refused(ErrorCode::RateLimited, "this address waits", max)
    })?;
    let place = rpc.shared.waiting.try_acquire();
    let place =
        place.map_err(|_| refused(ErrorCode::Overloaded, "clients wait", config.max_waiting))?;
    Ok((place, share))
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
