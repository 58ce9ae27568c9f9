//! The route of the event stream.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde::Deserialize;
use soma_api::{ErrorBody, ErrorCode, EventId, EventView};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rpc::events::{Feed, Types};
use crate::rpc::routes::blocks::missing_block;
use crate::rpc::{Rpc, RpcError};
use soma_service::{ApiError, Query, parse};

pub(super) fn routes() -> OpenApiRouter<Rpc> {
    OpenApiRouter::new().routes(routes!(events))
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// Begin with this event: `height:index`, or a height. From the next block when absent.
    from: Option<String>,
    /// Only these types, separated by commas, such as `block,target_filled`.
    types: Option<String>,
}

/// Server-sent events: blocks and what happened in them, in order, without gaps or duplicates.
/// The `id` of each is its place, `height:index`; send it as the header `Last-Event-ID` to go on
/// after it. Old blocks are replayed first, then the stream is live.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header,
        description = "The last event that was seen, `height:index`; wins over `from`")), responses(
    (status = 200, content_type = "text/event-stream", body = soma_api::EventMessage),
    (status = "default", body = ErrorBody)))]
async fn events(
    State(rpc): State<Rpc>,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, RpcError> {
    let types = Types::parse(query.types.as_deref())?;
    let last = headers.get("last-event-id").map(|value| {
        let text = value.to_str().unwrap_or("?");
        parse::<EventId>("Last-Event-ID", text)
    });
    let start = match (last.transpose()?, query.from.as_deref()) {
        // What the client has seen wins: browsers repeat the query when they reconnect.
        (Some(seen), _) => Some(after(seen)),
        (None, Some(text)) => Some(place(text)?),
        (None, None) => None,
    };
    let next = EventId {
        height: rpc.application().now().height().saturating_add(1),
        index: 0,
    };
    let start = start.unwrap_or(next);
    if start < next {
        // Height 0 is the genesis, which has no events.
        let first = start.height.max(1);
        let gone = rpc.read(move |application| match application.block(first)? {
            Some(_) => Ok(None),
            None => missing_block(application, first).map(Some),
        });
        if let Some(error) = gone.await? {
            return Err(error.into());
        }
    }
    let slot = rpc.shared.streams.clone().try_acquire_owned();
    let slot = slot.map_err(|_| {
        ApiError::new(
            ErrorCode::Overloaded,
            "the node has as many event streams as it may",
        )
    })?;
    let feed = Feed::new(rpc, start, types, slot);
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(feed.into_stream()).keep_alive(alive))
}

/// The place after `seen`.
fn after(seen: EventId) -> EventId {
    match seen.index.checked_add(1) {
        Some(index) => EventId { index, ..seen },
        None => EventId {
            height: seen.height.saturating_add(1),
            index: 0,
        },
    }
}

fn place(text: &str) -> Result<EventId, ApiError> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let height = parse("from", text)?;
        return Ok(EventId { height, index: 0 });
    }
    parse("from", text)
}

impl Types {
    fn parse(text: Option<&str>) -> Result<Self, RpcError> {
        let Some(text) = text else {
            return Ok(Self::all());
        };
        let mut wanted = Vec::new();
        for word in text.split(',').map(str::trim) {
            let known = EventView::TYPES.iter().find(|name| **name == word);
            wanted.push(*known.ok_or_else(|| {
                let shown: String = word.chars().take(40).collect();
                ApiError::invalid(format!(
                    "bad `types`: `{shown}`; use {}",
                    EventView::TYPES.join(", ")
                ))
            })?);
        }
        Ok(Self::only(wanted))
    }
}
