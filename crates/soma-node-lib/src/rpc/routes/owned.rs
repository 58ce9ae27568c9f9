//! The objects of one address, type after type, in one listing.
//!
//! A cursor is the type that the next page begins with and, after a colon, a place among its
//! objects.

use serde::Deserialize;
use soma_api::{ObjectType, ObjectView, Page};
use soma_chain::{ChainError, TargetCursor, TargetFilter};
use soma_service::parse;
use soma_types::{Address, ModelId, StakeId};
use utoipa::IntoParams;

use crate::rpc::RpcConfig;
use crate::rpc::RpcError;
use crate::rpc::paging::{Include, bytes_to_cursor, cursor_to_bytes, page_limit};
use crate::rpc::views::{self, Reads};

/// The order of types in the listing.
const SECTIONS: [ObjectType; 5] = [
    ObjectType::Coin,
    ObjectType::StakedSoma,
    ObjectType::Model,
    ObjectType::Target,
    ObjectType::Validator,
];

/// Models looked at for one page: the state has no index of models by owner.
const MODELS_PER_PAGE: usize = 4_096;

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OwnedQuery {
    /// Only objects of this type: coin, staked_soma, model, target or validator.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The most items. Default 100, at most 1,000.
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A checked request for a page.
pub(super) struct Listing {
    owner: Address,
    only: Option<ObjectType>,
    limit: usize,
    section: usize,
    place: Option<String>,
}

impl Listing {
    pub(super) fn new(
        owner: Address,
        query: &OwnedQuery,
        config: &RpcConfig,
    ) -> Result<Self, RpcError> {
        let only: Option<ObjectType> = query
            .kind
            .as_deref()
            .map(|text| parse("type", text))
            .transpose()?;
        let (start, place) = match query.cursor.as_deref() {
            None => (None, None),
            Some(cursor) => {
                let (kind, place) = cursor.split_once(':').unwrap_or((cursor, ""));
                let place = (!place.is_empty()).then(|| place.to_owned());
                (Some(parse::<ObjectType>("cursor", kind)?), place)
            }
        };
        let start = start.or(only).unwrap_or(ObjectType::Coin);
        // The system state is nobody's: its section lies behind the last.
        let section = SECTIONS.iter().position(|kind| *kind == start);
        Ok(Self {
            owner,
            only,
            limit: page_limit(query.limit, config, false)?,
            section: section.unwrap_or(SECTIONS.len()),
            place,
        })
    }

    /// The page. Each section either ends, and the next begins, or gives the place to go on.
    pub(super) fn page(mut self, reader: &Reads<'_>) -> Result<Page<ObjectView>, RpcError> {
        let mut items = Vec::new();
        while let Some(kind) = SECTIONS.get(self.section).copied() {
            if self.only.is_none_or(|only| only == kind) {
                if items.len() >= self.limit {
                    let next_cursor = Some(format!("{}:", kind.name()));
                    return Ok(Page { items, next_cursor });
                }
                let place = self.place.take();
                let room = self.limit - items.len();
                let next = self.section(kind, reader, place.as_deref(), room, &mut items)?;
                if let Some(place) = next {
                    let next_cursor = Some(format!("{}:{place}", kind.name()));
                    return Ok(Page { items, next_cursor });
                }
            }
            self.place = None;
            self.section += 1;
        }
        Ok(Page {
            items,
            next_cursor: None,
        })
    }

    fn section(
        &self,
        kind: ObjectType,
        reader: &Reads<'_>,
        place: Option<&str>,
        room: usize,
        items: &mut Vec<ObjectView>,
    ) -> Result<Option<String>, RpcError> {
        let owner = &self.owner;
        match kind {
            ObjectType::Coin => {
                let account = reader.account(owner)?;
                if account != soma_types::Account::default() {
                    items.push(ObjectView::coin(*owner, account));
                }
                Ok(None)
            }
            ObjectType::StakedSoma => {
                let after: Option<StakeId> = place.map(|p| parse("cursor", p)).transpose()?;
                let found = reader.stakes_of(owner, after, room)?;
                for position in &found {
                    items.push(views::stake(reader, position)?.into());
                }
                let last = found.last().filter(|_| found.len() >= room);
                Ok(last.map(|position| position.id.to_string()))
            }
            ObjectType::Model => {
                let after: Option<ModelId> = place.map(|p| parse("cursor", p)).transpose()?;
                self.models(reader, after, room, items)
            }
            ObjectType::Target => {
                let after = place.map(cursor_to_bytes).transpose()?.map(TargetCursor);
                let filter = TargetFilter {
                    submitter: Some(*owner),
                    ..TargetFilter::default()
                };
                let found = reader.targets(&filter, after.as_ref(), room)?;
                for target in &found.targets {
                    items.push(views::target(reader, target, Include::default())?.into());
                }
                Ok(found
                    .next
                    .map(|TargetCursor(bytes)| bytes_to_cursor(&bytes)))
            }
            ObjectType::Validator => {
                if let Some(validator) = reader.validator(owner)? {
                    let committee = reader.committee(reader.system().epoch)?;
                    let view = views::validator(reader, committee.as_ref(), &validator)?;
                    items.push(view.into());
                }
                Ok(None)
            }
            ObjectType::SystemState => Ok(None),
        }
    }

    fn models(
        &self,
        reader: &Reads<'_>,
        after: Option<ModelId>,
        room: usize,
        items: &mut Vec<ObjectView>,
    ) -> Result<Option<String>, RpcError> {
        let mut taken = 0;
        let keep = |model: &soma_types::Model| model.owner == self.owner;
        let next = scan_models(reader, after, keep, |model| {
            items.push(views::model(reader, model, Include::default())?.into());
            taken += 1;
            Ok(taken < room)
        })?;
        Ok(next.map(|id| id.to_string()))
    }
}

/// Hands models that pass `keep` to `take` until it says stop, all were seen, or many were looked
/// at. Gives the last one seen unless all were.
pub(super) fn scan_models(
    reader: &Reads<'_>,
    mut after: Option<ModelId>,
    keep: impl Fn(&soma_types::Model) -> bool,
    mut take: impl FnMut(&soma_types::Model) -> Result<bool, ChainError>,
) -> Result<Option<ModelId>, ChainError> {
    const CHUNK: usize = 256;
    for _ in 0..MODELS_PER_PAGE / CHUNK {
        let chunk = reader.models(after, CHUNK)?;
        for model in &chunk {
            after = Some(model.id);
            if keep(model) && !take(model)? {
                return Ok(after);
            }
        }
        if chunk.len() < CHUNK {
            return Ok(None);
        }
    }
    Ok(after)
}
