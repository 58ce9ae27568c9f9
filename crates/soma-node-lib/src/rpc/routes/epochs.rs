//! Epochs, the system state and the supply.

use axum::Json;
use axum::extract::State;
use soma_api::{
    CertificateView, CommitteeView, EpochView, ErrorBody, HandoverView, SupplyView, SystemView,
};
use soma_types::Epoch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::proofs::view_of;
use crate::rpc::{Rpc, RpcError};
use soma_service::{ApiError, PathText, parse};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(epoch))
        .routes(routes!(handover))
        .routes(routes!(system))
        .routes(routes!(supply))
        .routes(routes!(supply_certificate))
}

/// An epoch by number, or `current`.
#[utoipa::path(get, path = "/v1/epochs/{epoch}", tag = "chain",
    params(("epoch" = String, Path, description = "Number, or `current`")), responses(
    (status = 200, body = EpochView), (status = "default", body = ErrorBody)))]
async fn epoch(
    State(rpc): State<Rpc>,
    PathText(name): PathText,
) -> Result<Json<EpochView>, RpcError> {
    let asked: Option<Epoch> = match name.as_str() {
        "current" => None,
        number => Some(parse("epoch", number)?),
    };
    let view = rpc.read(move |application| {
        let reader = application.chain().reader();
        let epoch = asked.unwrap_or(reader.system().epoch);
        let summary = reader
            .epoch_summary(epoch)?
            .ok_or_else(|| ApiError::not_found("epoch", epoch))?;
        let mut view = EpochView::from(&summary);
        view.committee = reader.committee(epoch)?.as_ref().map(CommitteeView::from);
        Ok(view)
    });
    Ok(Json(view.await?))
}

/// How the committee of an epoch handed over to the next: the last block's certificate, and the
/// next committee in its state. Who follows these from the genesis knows every committee.
#[utoipa::path(get, path = "/v1/epochs/{epoch}/handover", tag = "chain",
    params(("epoch" = u64, Path, description = "Number of an epoch that is over")), responses(
    (status = 200, body = HandoverView), (status = "default", body = ErrorBody)))]
async fn handover(
    State(rpc): State<Rpc>,
    PathText(number): PathText,
) -> Result<Json<HandoverView>, RpcError> {
    let epoch: Epoch = parse("epoch", &number)?;
    let view = rpc.read(move |application| {
        let found = application.chain().reader().handover(epoch)?;
        let found = found.ok_or_else(|| ApiError::not_found("handover", epoch))?;
        Ok(HandoverView {
            epoch,
            certificate: CertificateView::from(&found.certificate),
            committee: view_of(found.committee),
        })
    });
    Ok(Json(view.await?))
}

/// The system state.
#[utoipa::path(get, path = "/v1/system", tag = "chain", responses(
    (status = 200, body = SystemView), (status = "default", body = ErrorBody)))]
async fn system(State(rpc): State<Rpc>) -> Json<SystemView> {
    Json(SystemView::from(&rpc.application().now().system))
}

/// Where all SOMA are now: every pool and the sum.
#[utoipa::path(get, path = "/v1/supply", tag = "chain", responses(
    (status = 200, body = SupplyView), (status = "default", body = ErrorBody)))]
async fn supply(State(rpc): State<Rpc>) -> Result<Json<SupplyView>, RpcError> {
    let view = rpc.read(|application| {
        let reader = application.chain().reader();
        let (epoch, height) = (reader.system().epoch, reader.head().header.height);
        Ok(SupplyView::new(epoch, height, &reader.supply()?, false))
    });
    Ok(Json(view.await?))
}

/// The supply certificate of an epoch that is over.
#[utoipa::path(get, path = "/v1/supply/{epoch}", tag = "chain",
    params(("epoch" = u64, Path, description = "Number of the epoch")), responses(
    (status = 200, body = SupplyView), (status = "default", body = ErrorBody)))]
async fn supply_certificate(
    State(rpc): State<Rpc>,
    PathText(epoch): PathText,
) -> Result<Json<SupplyView>, RpcError> {
    let epoch: Epoch = parse("epoch", &epoch)?;
    let view = rpc.read(move |application| {
        let certificate = application
            .chain()
            .reader()
            .supply_certificate(epoch)?
            .ok_or_else(|| ApiError::not_found("supply certificate of epoch", epoch))?;
        let (height, supply) = (certificate.height, &certificate.supply);
        Ok(SupplyView::new(certificate.epoch, height, supply, true))
    });
    Ok(Json(view.await?))
}
