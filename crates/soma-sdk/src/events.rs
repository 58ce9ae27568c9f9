//! The stream of events: resumed where it broke, without gaps or duplicates.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;
use soma_api::{ErrorBody, EventId, EventMessage};

use crate::client::Client;
use crate::error::SdkError;
use crate::http::Query;
use crate::sse::{Frame, Parser};

/// The node says that it lives at least this often; without a sign the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(45);

/// The longest wait before connecting again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Which events, from where on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRequest {
    /// Only these types, such as `block` or `target_filled`; all when empty.
    pub types: Vec<String>,
    /// Begin with this event; with the next block when absent.
    pub from: Option<EventId>,
    /// Go on after this event, which was seen already. Wins over `from`.
    pub after: Option<EventId>,
}

/// Events in order. When the connection breaks, [`EventStream::next`] connects again and goes on
/// after the last event that it gave.
pub struct EventStream {
    client: Client,
    request: EventRequest,
    connection: Option<Connection>,
    failures: u32,
}

struct Connection {
    response: Response,
    parser: Parser,
    frames: VecDeque<Frame>,
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventStream after {:?}", self.request.after)
    }
}

impl Client {
    /// Opens the stream of events.
    ///
    /// # Errors
    /// [`SdkError`] when the node refuses: a bad type, or a place whose block it has dropped.
    pub async fn events(&self, request: EventRequest) -> Result<EventStream, SdkError> {
        let mut stream = EventStream {
            client: self.clone(),
            request,
            connection: None,
            failures: 0,
        };
        if stream.request.from.is_none() && stream.request.after.is_none() {
            // "The next block" must not move when the connection breaks before the first event.
            let height = self.status().await?.height.saturating_add(1);
            stream.request.from = Some(EventId { height, index: 0 });
        }
        stream.connect().await?;
        Ok(stream)
    }
}

impl EventStream {
    /// The place of the last event given: what to resume after in another process.
    pub fn position(&self) -> Option<EventId> {
        self.request.after
    }

    /// The next event. Waits for it as long as it takes; connects again when the connection
    /// breaks.
    ///
    /// # Errors
    /// What connecting again cannot mend: a dropped block, a node that stays away for all of the
    /// client's retries. Calling again tries again.
    pub async fn next(&mut self) -> Result<EventMessage, SdkError> {
        loop {
            let result = match self.connection.as_mut() {
                Some(connection) => connection.next(&self.client).await,
                None => match self.connect().await {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
            };
            match result {
                Ok(message) => {
                    self.failures = 0;
                    // A node may repeat what was sent before the break.
                    if self.request.after.is_some_and(|seen| message.id <= seen) {
                        continue;
                    }
                    self.request.after = Some(message.id);
                    return Ok(message);
                }
                Err(error) => {
                    self.connection = None;
                    self.pause_or_give_up(error).await?;
                }
            }
        }
    }

    async fn pause_or_give_up(&mut self, error: SdkError) -> Result<(), SdkError> {
        let limit = self.client.shared.settings.retries;
        if !error.is_transient() || self.failures >= limit {
            self.failures = 0;
            return Err(error);
        }
        let wait = Duration::from_millis(100).saturating_mul(1 << self.failures.min(10));
        self.failures += 1;
        tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
        Ok(())
    }

    async fn connect(&mut self) -> Result<(), SdkError> {
        let mut query = Query::new();
        if !self.request.types.is_empty() {
            query.push(("types", self.request.types.join(",")));
        }
        if let Some(from) = self.request.from {
            query.push(("from", from.to_string()));
        }
        let seen = self.request.after.map(|id| id.to_string());
        let client = &self.client;
        let response = client
            .http()
            .open(client.rpc(), "/v1/events", &query, seen)
            .await?;
        self.connection = Some(Connection {
            response,
            parser: Parser::default(),
            frames: VecDeque::new(),
        });
        Ok(())
    }
}

impl Connection {
    async fn next(&mut self, client: &Client) -> Result<EventMessage, SdkError> {
        let at = client.rpc();
        let lost = |reason: &str| SdkError::Transport {
            service: at.service,
            url: at.url.clone(),
            reason: reason.to_owned(),
            sent: true,
        };
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return read(&frame).map_err(|reason| match reason {
                    Bad::Refused(body) => body.into(),
                    Bad::Shape(reason) => SdkError::UnexpectedAnswer {
                        service: at.service,
                        url: at.url.clone(),
                        reason,
                    },
                });
            }
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk()).await;
            let chunk = chunk
                .map_err(|_| lost("the event stream fell silent"))?
                .map_err(|error| client.http().broken(at, &error))?
                .ok_or_else(|| lost("the event stream ended"))?;
            self.parser
                .push(&chunk, &mut self.frames)
                .map_err(|_| lost("an event of the stream does not end"))?;
        }
    }
}

enum Bad {
    Refused(ErrorBody),
    Shape(String),
}

fn read(frame: &Frame) -> Result<EventMessage, Bad> {
    let shape = |error: serde_json::Error| Bad::Shape(error.to_string());
    match frame.event.as_str() {
        "error" => Err(Bad::Refused(
            serde_json::from_str(&frame.data).map_err(shape)?,
        )),
        _ => serde_json::from_str(&frame.data).map_err(shape),
    }
}
