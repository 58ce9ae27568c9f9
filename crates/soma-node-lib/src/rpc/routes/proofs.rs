//! Proofs of state entries.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use soma_api::{Base64, ErrorBody, ProofView};
use soma_chain::{Key, StateProof};
use soma_types::Height;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rpc::{Rpc, RpcError};
use soma_service::{ApiError, PathText, Query, parse};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(proof_of_one))
        .routes(routes!(proof))
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ProofQuery {
    /// The height of the state; the newest when absent. Only a few past heights are kept.
    #[param(value_type = Option<u64>)]
    height: Option<Height>,
}

const KINDS: &str = "account, model, model_embedding, target, target_embedding, fill_embedding, \
                     data, stake, pool, validator, committee, epoch, supply_certificate, or without an \
                     id system, supply";

fn unknown(kind: &str) -> ApiError {
    let kind: String = kind.chars().take(40).collect();
    ApiError::invalid(format!("bad `kind`: `{kind}`; use {KINDS}"))
}

fn key(kind: &str, id: &str) -> Result<Key, ApiError> {
    Ok(match kind {
        "account" | "balance" => Key::Account(parse("id", id)?),
        "model" => Key::Model(parse("id", id)?),
        "model_embedding" => Key::ModelEmbedding(parse("id", id)?),
        "target" => Key::Target(parse("id", id)?),
        "target_embedding" => Key::TargetEmbedding(parse("id", id)?),
        "fill_embedding" => Key::FillEmbedding(parse("id", id)?),
        "data" => Key::Data(parse("id", id)?),
        "stake" => Key::Stake(parse("id", id)?),
        "pool" => Key::Pool(parse("id", id)?),
        "validator" => Key::Validator(parse("id", id)?),
        "committee" => Key::Committee(parse("id", id)?),
        "epoch" => Key::EpochSummary(parse("id", id)?),
        "supply_certificate" => Key::SupplyCertificate(parse("id", id)?),
        other => return Err(unknown(other)),
    })
}

/// A proof in the API's shape.
pub(super) fn view_of(proof: StateProof) -> ProofView {
    ProofView {
        digest: soma_chain::header::digest(&proof.header),
        header: proof.header.into(),
        key: Base64(proof.key),
        value: proof.value.map(Base64),
        proof: Base64(proof.proof),
    }
}

async fn prove(rpc: Rpc, key: Key, height: Option<Height>) -> Result<Json<ProofView>, RpcError> {
    let view = rpc.read(move |application| {
        let chain = application.chain();
        let proof = match height {
            Some(height) => chain.prove_at(&key, height)?,
            None => chain.prove(&key)?,
        };
        Ok(view_of(proof))
    });
    Ok(Json(view.await?))
}

/// Proves the system state or the supply: `system` or `supply`.
#[utoipa::path(get, path = "/v1/proofs/{kind}", tag = "chain",
    params(("kind" = String, Path, description = "`system` or `supply`"), ProofQuery), responses(
    (status = 200, body = ProofView), (status = "default", body = ErrorBody)))]
async fn proof_of_one(
    State(rpc): State<Rpc>,
    PathText(kind): PathText,
    Query(query): Query<ProofQuery>,
) -> Result<Json<ProofView>, RpcError> {
    let key = match kind.as_str() {
        "system" => Key::System,
        "supply" => Key::Supply,
        other => return Err(unknown(other).into()),
    };
    prove(rpc, key, query.height).await
}

/// Proves that an entry is, or is not, part of the state.
#[utoipa::path(get, path = "/v1/proofs/{kind}/{id}", tag = "chain",
    params(("kind" = String, Path, description = "Kind of the entry: account, model, \
        model_embedding, target, target_embedding, fill_embedding, data, stake, pool, validator, \
        committee, epoch or supply_certificate"),
    ("id" = String, Path, description = "Id, address, checksum or epoch of the entry"), ProofQuery), responses(
    (status = 200, body = ProofView), (status = "default", body = ErrorBody)))]
async fn proof(
    State(rpc): State<Rpc>,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
    Query(query): Query<ProofQuery>,
) -> Result<Json<ProofView>, RpcError> {
    let Path((kind, id)) = path.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    prove(rpc, key(&kind, &id)?, query.height).await
}
