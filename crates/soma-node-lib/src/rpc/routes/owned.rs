//! The objects of one address, type after type, in one listing.
//!
//! A place in it is the type that the next page begins with and, after a colon, a place among the
//! objects of that type.

use std::str::FromStr;

use serde::Deserialize;
use soma_api::{ObjectType, ObjectView, Page};
use soma_chain::{ChainError, TargetCursor, TargetFilter};
use soma_service::parse;
use soma_types::{Address, ModelId, StakeId};
use utoipa::IntoParams;

use crate::rpc::RpcConfig;
use crate::rpc::RpcError;
use crate::rpc::paging::{HexPlace, Include, List, bad_cursor, page_limit};
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
    /// `next_cursor` of the page before, with the same filter.
    cursor: Option<String>,
}

/// A place in the listing.
struct Place {
    section: usize,
    within: Option<String>,
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, within) = text.split_once(':').ok_or(())?;
        let section = SECTIONS.iter().position(|section| section.name() == kind);
        Ok(Self {
            section: section.ok_or(())?,
            within: (!within.is_empty()).then(|| within.to_owned()),
        })
    }
}

/// The place among the objects of one type.
fn within<T: FromStr>(place: Option<&str>) -> Result<Option<T>, RpcError> {
    let place = place.map(|text| text.parse().map_err(|_| bad_cursor()));
    Ok(place.transpose()?)
}

/// A checked request for a page.
pub(super) struct Listing {
    list: List,
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
        let list = List::new(format!("objects {owner} {only:?}"));
        let place: Option<Place> = list.place(query.cursor.as_deref())?;
        let (section, place) = place.map_or((0, None), |place| (place.section, place.within));
        Ok(Self {
            list,
            owner,
            only,
            limit: page_limit(query.limit, config, false)?,
            section,
            place,
        })
    }

    /// The page. Each section either ends, and the next begins, or gives the place to go on.
    pub(super) fn page(mut self, reader: &Reads<'_>) -> Result<Page<ObjectView>, RpcError> {
        let mut items = Vec::new();
        while let Some(kind) = SECTIONS.get(self.section).copied() {
            if self.only.is_none_or(|only| only == kind) {
                if items.len() >= self.limit {
                    let next_cursor = Some(self.list.cursor(format_args!("{}:", kind.name())));
                    return Ok(Page { items, next_cursor });
                }
                let place = self.place.take();
                let room = self.limit - items.len();
                let next = self.section(kind, reader, place.as_deref(), room, &mut items)?;
                if let Some(place) = next {
                    let place = format_args!("{}:{place}", kind.name());
                    let next_cursor = Some(self.list.cursor(place));
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
                let after: Option<StakeId> = within(place)?;
                let found = reader.stakes_of(owner, after, room)?;
                for position in &found {
                    items.push(views::stake(reader, position)?.into());
                }
                let last = found.last().filter(|_| found.len() >= room);
                Ok(last.map(|position| position.id.to_string()))
            }
            ObjectType::Model => {
                let after: Option<ModelId> = within(place)?;
                self.models(reader, after, room, items)
            }
            ObjectType::Target => {
                let after = within(place)?.map(|HexPlace(bytes)| TargetCursor(bytes));
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
                    .map(|TargetCursor(bytes)| HexPlace(bytes).to_string()))
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
