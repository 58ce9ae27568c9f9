//! What this node's audit found out.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use soma_api::{AuditView, ErrorBody, Page, ScorecardView, TargetView};
use soma_chain::ChainError;
use soma_service::{ApiError, PathText, Query, parse};
use soma_types::{ModelId, TargetId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{AuditFilter, Job, Subject, claim};
use crate::rpc::paging::{Include, List, page_limit};
use crate::rpc::views::{self, Reads};
use crate::rpc::{Rpc, RpcError};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new()
        .routes(routes!(audits))
        .routes(routes!(scorecard))
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuditsQuery {
    /// Only the audit of the submission on this target.
    target: Option<TargetId>,
    /// Only audits of this model's weights.
    model: Option<ModelId>,
    /// Only audits with this verdict: honest, fraud or void.
    verdict: Option<String>,
    /// The most items. Default 100, at most 1,000.
    limit: Option<u64>,
    /// `next_cursor` of the page before, with the same filter.
    cursor: Option<String>,
}

const VERDICTS: [&str; 3] = ["honest", "fraud", "void"];

/// Audits of this node, newest first; none where it does not audit.
#[utoipa::path(get, path = "/v1/audits", tag = "work", params(AuditsQuery), responses(
    (status = 200, body = Page<AuditView>), (status = "default", body = ErrorBody)))]
async fn audits(
    State(rpc): State<Rpc>,
    Query(query): Query<AuditsQuery>,
) -> Result<Json<Page<AuditView>>, RpcError> {
    let limit = page_limit(query.limit, rpc.config(), false)?;
    let verdict = match query.verdict {
        None => None,
        Some(text) => {
            let known = VERDICTS.into_iter().find(|verdict| *verdict == text);
            let refuse = || {
                let shown: String = text.chars().take(40).collect();
                let words = VERDICTS.join(", ");
                ApiError::invalid(format!("bad `verdict`: `{shown}`; use {words}"))
            };
            Some(known.ok_or_else(refuse)?)
        }
    };
    let filter = AuditFilter {
        target: query.target,
        model: query.model,
        verdict,
    };
    let list = List::new(format!("audits {filter:?}"));
    let before: Option<u64> = list.place(query.cursor.as_deref())?;
    let Some(reader) = rpc.served().audit.clone() else {
        return Ok(Json(Page {
            items: Vec::new(),
            next_cursor: None,
        }));
    };
    let page = rpc.read(move |application| {
        let found = reader.journal.page(&filter, before, limit);
        let (jobs, next) = found.map_err(ChainError::from)?;
        let reader = application.chain().reader();
        let items: Result<Vec<_>, ChainError> =
            jobs.iter().map(|job| audit(&reader, job)).collect();
        Ok(Page {
            items: items?,
            next_cursor: next.map(|id| list.cursor(id)),
        })
    });
    Ok(Json(page.await?))
}

/// The audit with what the submission claims, as long as the chain knows it.
fn audit(reader: &Reads<'_>, job: &Job) -> Result<AuditView, ChainError> {
    let target = match &job.subject {
        Subject::Fill { target } => reader.target(target)?,
        Subject::Weights { .. } => None,
    };
    Ok(job.view(target.as_ref().and_then(|target| target.fill())))
}

/// Why the submission on a target won: what was claimed, what this node's audit measured, and what
/// validators reported.
#[utoipa::path(get, path = "/v1/targets/{id}/scorecard", tag = "work",
    params(("id" = String, Path, description = "Id of a filled target")), responses(
    (status = 200, body = ScorecardView), (status = "default", body = ErrorBody)))]
async fn scorecard(
    State(rpc): State<Rpc>,
    PathText(id): PathText,
) -> Result<Json<ScorecardView>, RpcError> {
    let id: TargetId = parse("id", &id)?;
    let audit = rpc.served().audit.clone();
    let view = rpc.read(move |application| {
        let job = match &audit {
            Some(audit) => audit.journal.of_target(&id).map_err(ChainError::from)?,
            None => None,
        };
        let reader = application.chain().reader();
        let target = reader.target(&id)?;
        let target = target.ok_or_else(|| ApiError::not_found("target", id))?;
        let Some(fill) = target.fill() else {
            return Err(not_filled(&id, target.status_at(reader.system().epoch)).into());
        };
        let view: TargetView = views::whole_target(&reader, &target, Include::default())?;
        Ok(ScorecardView {
            target: id,
            status: view.status,
            submitter: fill.submitter,
            data: (&fill.data).into(),
            distance_threshold: view.distance_threshold,
            epoch: fill.epoch,
            height: fill.height,
            claim: claim(fill),
            pinned_weights: fill.pinned_weights.iter().map(Into::into).collect(),
            reports: view.reports,
            challenge: view.challenge,
            auditor: audit.map(|audit| audit.validator),
            audit: job.map(|job| job.view(Some(fill))),
        })
    });
    Ok(Json(view.await?))
}

/// What is answered for a target without a submission.
pub(super) fn not_filled(id: &TargetId, status: &str) -> ApiError {
    ApiError::new(
        soma_api::ErrorCode::NotFound,
        format!("target `{id}` is {status}; nothing was submitted for it"),
    )
    .with("status", status)
}
