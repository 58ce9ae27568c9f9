//! Places of requests that are worked on, and of answers that are being sent.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use soma_api::ErrorCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{ApiError, Share, Shares};

/// Bytes of an answer that costs no more than its connection does: it keeps no place.
const SMALL_ANSWER: u64 = 1_024;

/// Places of requests that are worked on at the same time: in all, and by address, so that no client
/// takes those of all others.
pub(super) struct Places {
    all: Arc<Semaphore>,
    by_ip: Arc<Shares>,
    per_ip: usize,
}

impl Places {
    pub(super) fn new((most, per_ip): (usize, usize)) -> Self {
        Self {
            all: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            by_ip: Shares::new(per_ip),
            per_ip,
        }
    }

    pub(super) fn take(&self, client: IpAddr) -> Result<Slot, ApiError> {
        let share = self.by_ip.take(client).ok_or_else(|| {
            let most = self.per_ip;
            let text = format!(
                "{most} requests of this address are under way, the most that may be; wait until \
                 some have ended"
            );
            ApiError::new(ErrorCode::RateLimited, text)
        })?;
        let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| {
            let text = "the service answers as many requests as it may; try again";
            ApiError::new(ErrorCode::Overloaded, text)
        })?;
        Ok(Slot {
            client,
            place: Arc::new(Mutex::new(Some((permit, share)))),
        })
    }
}

/// The place of a request among those that are worked on at the same time; an extension of each.
#[derive(Clone)]
pub struct Slot {
    client: IpAddr,
    place: Arc<Mutex<Option<(OwnedSemaphorePermit, Share)>>>,
}

impl Slot {
    /// Who sent the request, as [`rate_key`](crate::rate_key) gives it.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// Gives the place to others: for a request that does nothing but wait from here on, which
    /// needs a limit of its own.
    pub fn release(&self) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        *place = None;
    }

    /// `response`, which keeps the place until it is sent: a client that does not read holds memory.
    pub(super) fn keep(self, response: Response) -> Response {
        let size = response.body().size_hint().upper();
        let is_small = size.is_some_and(|size| size <= SMALL_ANSWER);
        let kind = response.headers().get(header::CONTENT_TYPE);
        // It lasts as long as its client likes, and has a limit of its own.
        let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if is_small || is_stream {
            return response;
        }
        response.map(|body| Body::new(Placed { body, slot: self }))
    }
}

/// A body whose bytes keep the place of their request, wherever they wait to be sent.
struct Placed {
    body: Body,
    slot: Slot,
}

impl HttpBody for Placed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let place = |bytes| {
            Bytes::from_owner(PlacedBytes {
                bytes,
                _slot: self.slot.clone(),
            })
        };
        frame.map_ok(|frame| frame.map_data(place))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct PlacedBytes {
    bytes: Bytes,
    _slot: Slot,
}

impl AsRef<[u8]> for PlacedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
