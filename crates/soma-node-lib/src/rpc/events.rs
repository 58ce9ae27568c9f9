//! The event stream: a place in the chain that moves forward, block by block.
//!
//! A feed reads committed blocks by height, from memory when they are new and from the store when
//! they are old. It never depends on a buffer that could overflow: a slow client only stays behind
//! and costs no memory. So there is no gap and no duplicate, whatever the client's pace.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::response::sse::Event;
use futures::Stream;
use soma_api::{ErrorBody, ErrorCode, EventId, EventMessage, EventView};
use soma_chain::CommittedBlock;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Rpc;
use crate::application::Now;
use crate::metrics::Metrics;

/// The types that a client wants.
#[derive(Clone, Debug)]
pub(super) struct Types(Option<Vec<&'static str>>);

impl Types {
    pub(super) fn all() -> Self {
        Self(None)
    }

    pub(super) fn only(names: Vec<&'static str>) -> Self {
        Self(Some(names))
    }

    fn want(&self, event: &EventView) -> bool {
        self.0
            .as_ref()
            .is_none_or(|names| names.contains(&event.type_name()))
    }
}

/// Messages of a block from index `from` on.
pub(super) fn messages(block: &CommittedBlock, from: u32) -> Vec<EventMessage> {
    let height = block.block.header.height;
    let failed = block.receipts.iter().filter(|r| !r.status.is_success());
    let whole = EventView::Block {
        digest: block.digest,
        header: block.block.header.into(),
        transactions: u64::try_from(block.receipts.len()).unwrap_or(u64::MAX),
        failed: u64::try_from(failed.count()).unwrap_or(u64::MAX),
    };
    std::iter::once(whole)
        .chain(block.events.iter().map(EventView::from))
        .zip(0_u32..)
        .skip(usize::try_from(from).unwrap_or(usize::MAX))
        .map(|(event, index)| EventMessage {
            id: EventId { height, index },
            event,
        })
        .collect()
}

/// One client's place in the stream.
pub(super) struct Feed {
    rpc: Rpc,
    /// The next message to load.
    next: EventId,
    types: Types,
    ready: VecDeque<EventMessage>,
    now: watch::Receiver<Arc<Now>>,
    over: bool,
    _open: Open,
}

/// Counts an open stream and frees its slot at the end.
struct Open {
    rpc: Rpc,
    _slot: OwnedSemaphorePermit,
}

impl Open {
    fn metrics(&self) -> &Metrics {
        self.rpc.application().metrics()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics().event_streams.dec();
    }
}

impl Feed {
    pub(super) fn new(rpc: Rpc, next: EventId, types: Types, slot: OwnedSemaphorePermit) -> Self {
        let open = Open {
            rpc: rpc.clone(),
            _slot: slot,
        };
        open.metrics().event_streams.inc();
        Self {
            now: rpc.application().watch(),
            rpc,
            next,
            types,
            ready: VecDeque::new(),
            over: false,
            _open: open,
        }
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Event, axum::Error>> {
        futures::stream::unfold(self, |mut feed| async move {
            let event = feed.next_event().await?;
            Some((event, feed))
        })
    }

    async fn next_event(&mut self) -> Option<Result<Event, axum::Error>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                let event = Event::default()
                    .id(message.id.to_string())
                    .event(message.event.type_name());
                return Some(event.json_data(&message));
            }
            if self.over || self.rpc.shared.stop.is_cancelled() {
                return None;
            }
            let height = self.now.borrow_and_update().height();
            if self.next.height > height {
                tokio::select! {
                    changed = self.now.changed() => changed.ok()?,
                    () = self.rpc.shared.stop.cancelled() => return None,
                }
            } else if let Err(error) = self.load().await {
                self.over = true;
                return Some(Event::default().event("error").json_data(&error));
            }
        }
    }

    /// Loads the block at the feed's place and moves the place behind it.
    async fn load(&mut self) -> Result<(), ErrorBody> {
        let wanted = self.next.height.max(1);
        let block = self
            .rpc
            .read(move |application| Ok(application.block(wanted)?))
            .await
            .map_err(|error| error.body().clone())?;
        let block = block.ok_or_else(|| {
            let text = format!("block {wanted} was dropped while this stream was behind it");
            ErrorBody::new(ErrorCode::Pruned, text).with("height", wanted)
        })?;
        let from = match self.next.height == wanted {
            true => self.next.index,
            false => 0,
        };
        let messages = messages(&block, from).into_iter();
        self.ready
            .extend(messages.filter(|message| self.types.want(&message.event)));
        self.next = EventId {
            height: wanted.saturating_add(1),
            index: 0,
        };
        Ok(())
    }
}
