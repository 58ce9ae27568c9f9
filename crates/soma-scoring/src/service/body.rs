//! Bodies of requests, which take memory before it is known what they ask for.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{self, BodyDataStream, Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use serde::de::DeserializeOwned;
use soma_service::Body;
use tokio::time::timeout_at;

use super::room::Taken;
use super::routes::Failed;
use super::shared::Shared;
use crate::error::ScoringError;

/// Bytes of memory for each byte of a body: as it arrives, and put together.
const COPIES: u64 = 2;

/// A JSON body with the memory that it took.
pub(super) struct Counted<T> {
    pub(super) request: T,
    pub(super) taken: Taken,
}

impl<T: DeserializeOwned + Send> FromRequest<Arc<Shared>> for Counted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Response> {
        let guard = &shared.config.guard;
        let time = Duration::from_millis(guard.body_timeout_ms);
        let deadline = Instant::now().checked_add(time);
        let (parts, body) = request.into_parts();
        let most = guard.max_body_bytes as u64;
        // The length that it says it has, if it says one. No more than the most is read.
        let length = body.size_hint().lower().min(most);
        let arriving = Arriving {
            taken: shared.room.take(length.saturating_mul(COPIES)),
            rest: body.into_data_stream(),
            bytes: 0,
        };
        let arriving = Arc::new(Mutex::new(arriving));
        let source = Arc::clone(&arriving);
        let counted = stream::poll_fn(move |context| lock(&source).poll(context));
        let request = Request::from_parts(parts, body::Body::from_stream(counted));
        let read = Body::from_request(request, shared).await;
        let refusal = lock(&arriving).taken.as_ref().err().cloned();
        if let Some(refusal) = refusal {
            drop(read);
            let rest = pass_over(&arriving, most);
            match deadline {
                // Whether or not all of it came, there is no room for it.
                Some(deadline) => drop(timeout_at(deadline.into(), rest).await),
                None => rest.await,
            }
            return Err(Failed(refusal).into_response());
        }
        let Body(request) = read.map_err(|error| error.into_response())?;
        let none = Err(ScoringError::Stopping);
        let taken = std::mem::replace(&mut lock(&arriving).taken, none);
        let taken = taken.map_err(|error| Failed(error).into_response())?;
        Ok(Self { request, taken })
    }
}

/// A body of which something may yet come.
struct Arriving {
    rest: BodyDataStream,
    /// Why it has no memory, where there was no room.
    taken: Result<Taken, ScoringError>,
    /// Bytes that came.
    bytes: u64,
}

impl Arriving {
    /// The next part, if there is room for it.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        let part = ready!(self.rest.poll_next_unpin(context));
        if let Some(Ok(part)) = &part
            && let Err(error) = self.grow(part.len() as u64)
        {
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        }
        Poll::Ready(part)
    }

    fn grow(&mut self, bytes: u64) -> Result<(), ScoringError> {
        self.bytes = self.bytes.saturating_add(bytes);
        let needed = self.bytes.saturating_mul(COPIES);
        let grown = match &mut self.taken {
            Ok(taken) if taken.bytes() < needed => taken.resize(needed),
            Ok(_) => Ok(()),
            Err(error) => return Err(error.clone()),
        };
        if let Err(error) = &grown {
            // What came before is given up too.
            self.taken = Err(error.clone());
        }
        grown
    }
}

fn lock(arriving: &Mutex<Arriving>) -> MutexGuard<'_, Arriving> {
    arriving.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what is left of a body, at most `most` bytes, and keeps nothing: who still sends may not
/// come to read the answer.
async fn pass_over(arriving: &Mutex<Arriving>, most: u64) {
    let mut passed = 0;
    while passed < most {
        match poll_fn(|context| lock(arriving).rest.poll_next_unpin(context)).await {
            Some(Ok(part)) => passed = passed.saturating_add(part.len() as u64),
            // An error means that the client went away.
            Some(Err(_)) | None => return,
        }
    }
}
