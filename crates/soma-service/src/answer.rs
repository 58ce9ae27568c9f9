//! Answers on their way, and what a connection waits for: the service, or its client.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use hyper::body::{Buf, Bytes, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// What goes on at a connection.
struct Load {
    /// Whether there was a request.
    has_begun: bool,
    /// Requests whose answer the service has yet to give, or to go on with.
    working: usize,
    /// Answers and pieces of answers that the client has yet to take.
    waiting: usize,
    /// When a request came, an answer went on, or the client took bytes of one.
    last: Instant,
}

impl Load {
    /// True while the client waits for the service, and the service for nothing of the client's.
    fn is_at_work(&self) -> bool {
        self.working > 0 && self.waiting == 0
    }
}

/// The load of one connection. Clones share it.
#[derive(Clone)]
pub(super) struct Traffic(watch::Sender<Load>);

impl Traffic {
    /// A connection on which nothing has happened yet.
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Load {
            has_begun: false,
            working: 0,
            waiting: 0,
            last: Instant::now(),
        }))
    }

    /// Notes what happens. Told is only who waits for whom: a usual small answer changes it twice.
    fn change(&self, change: impl FnOnce(&mut Load)) {
        self.0.send_if_modified(|load| {
            let before = load.is_at_work();
            change(load);
            load.last = Instant::now();
            load.is_at_work() != before
        });
    }

    /// Something happened now.
    pub(super) fn touch(&self) {
        self.change(|_| ());
    }

    /// A request has come.
    pub(super) fn begin(&self) -> Counted {
        self.change(|load| load.has_begun = true);
        self.work()
    }

    fn work(&self) -> Counted {
        self.count(|load| &mut load.working)
    }

    fn wait(&self) -> Counted {
        self.count(|load| &mut load.waiting)
    }

    fn count(&self, which: fn(&mut Load) -> &mut usize) -> Counted {
        self.change(|load| *which(load) += 1);
        Counted {
            traffic: self.clone(),
            which,
        }
    }

    /// Returns once a request has come.
    pub(super) async fn first(&self) {
        // No error: this is the sender.
        let _ = self.0.subscribe().wait_for(|load| load.has_begun).await;
    }

    /// Returns once the service had nothing to do for `limit`, and the client took nothing.
    pub(super) async fn idle(&self, limit: Duration) {
        let mut load = self.0.subscribe();
        loop {
            // No error: this is the sender.
            let quiet = load.wait_for(|load| !load.is_at_work()).await;
            let last = quiet.map(|load| load.last);
            let last = last.unwrap_or_else(|_| Instant::now());
            let left = limit.saturating_sub(last.elapsed());
            if left.is_zero() {
                return;
            }
            // Bytes that were taken meanwhile are seen at its end.
            let _ = timeout(left, load.wait_for(Load::is_at_work)).await;
        }
    }
}

/// One of what is counted, until it is dropped.
pub(super) struct Counted {
    traffic: Traffic,
    which: fn(&mut Load) -> &mut usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.traffic.change(|load| *(self.which)(load) -= 1);
    }
}

/// What is sent for a request.
pub(super) struct Answer {
    body: Body,
    traffic: Traffic,
    /// Whether the service or the client is waited for.
    turn: Counted,
    is_pending: bool,
}

impl Answer {
    /// The answer to the request that `begun` counts.
    pub(super) fn new(body: Body, begun: Counted) -> Self {
        let traffic = begun.traffic.clone();
        Self {
            body,
            // Counted before `begun` is over: there is no moment without either.
            turn: traffic.wait(),
            traffic,
            is_pending: false,
        }
    }
}

impl HttpBody for Answer {
    type Data = Piece;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        // hyper asks for the next frame only when it has room for it, and asks again as soon as a
        // body that had none wakes it.
        if frame.is_pending() != self.is_pending {
            self.is_pending = frame.is_pending();
            self.turn = match self.is_pending {
                true => self.traffic.work(),
                false => self.traffic.wait(),
            };
        }
        frame.map_ok(|frame| {
            frame.map_data(|bytes| Piece {
                bytes,
                waits: self.traffic.wait(),
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of an answer, which tell when some of them are written. What is written otherwise says
/// nothing: HTTP/2 pings a client that asks for nothing, too.
pub(super) struct Piece {
    bytes: Bytes,
    /// hyper may have it long after it has the last of the answer.
    waits: Counted,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.waits.traffic.touch();
    }
}
