//! Objects by id.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use soma_api::{ErrorBody, ObjectId, ObjectType, ObjectView, SYSTEM_STATE_ID, SystemView};
use soma_chain::ChainError;
use soma_types::{Account, Address, ModelId, StakeId, TargetId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rpc::paging::Include;
use crate::rpc::views::{self, Reads};
use crate::rpc::{Rpc, RpcError};
use soma_service::{ApiError, PathText, Query, parse};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new().routes(routes!(object))
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ObjectQuery {
    /// Only an object of this type. Needed for validators, whose address is also their coin's id.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// `embedding`: with the embedding of a model or target.
    include: Option<String>,
}

/// An object of any type by id.
#[utoipa::path(get, path = "/v1/objects/{id}", tag = "accounts",
    params(("id" = String, Path, description = "Id of a target, model or stake position; an address for a coin or validator; or the id of the system state"), ObjectQuery), responses(
    (status = 200, body = ObjectView), (status = "default", body = ErrorBody)))]
async fn object(
    State(rpc): State<Rpc>,
    PathText(id): PathText,
    Query(query): Query<ObjectQuery>,
) -> Result<Json<ObjectView>, RpcError> {
    let id: ObjectId = parse("id", &id)?;
    let only: Option<ObjectType> = query
        .kind
        .as_deref()
        .map(|text| parse("type", text))
        .transpose()?;
    let include = Include::parse(query.include.as_deref(), &["embedding"])?;
    let found = rpc.read(move |application| {
        let reader = application.chain().reader();
        let kinds = match only {
            Some(kind) => vec![kind],
            None => ORDER.to_vec(),
        };
        for kind in kinds {
            if let Some(view) = find(&reader, kind, id, include)? {
                return Ok(view);
            }
        }
        Err(ApiError::not_found("object", id).into())
    });
    Ok(Json(found.await?))
}

/// Where to look, in order: ids are hashes, so only an account and its validator share one.
const ORDER: [ObjectType; 6] = [
    ObjectType::SystemState,
    ObjectType::Target,
    ObjectType::Model,
    ObjectType::StakedSoma,
    ObjectType::Coin,
    ObjectType::Validator,
];

fn find(
    reader: &Reads<'_>,
    kind: ObjectType,
    id: ObjectId,
    include: Include,
) -> Result<Option<ObjectView>, ChainError> {
    let ObjectId(bytes) = id;
    Ok(match kind {
        ObjectType::SystemState => {
            (id == SYSTEM_STATE_ID).then(|| SystemView::from(&reader.system()).into())
        }
        ObjectType::Target => match reader.target(&TargetId(bytes))? {
            Some(target) => Some(views::whole_target(reader, &target, include)?.into()),
            None => None,
        },
        ObjectType::Model => match reader.model(&ModelId(bytes))? {
            Some(model) => Some(views::model(reader, &model, include)?.into()),
            None => None,
        },
        ObjectType::StakedSoma => match reader.stake(&StakeId(bytes))? {
            Some(position) => Some(views::stake(reader, &position)?.into()),
            None => None,
        },
        ObjectType::Coin => {
            let address = Address(bytes);
            let account = reader.account(&address)?;
            (account != Account::default()).then(|| ObjectView::coin(address, account))
        }
        ObjectType::Validator => match reader.validator(&Address(bytes))? {
            Some(validator) => {
                let committee = reader.committee(reader.system().epoch)?;
                Some(views::validator(reader, committee.as_ref(), &validator)?.into())
            }
            None => None,
        },
    })
}
