//! A client of the event stream.

use soma_api::{EventId, EventMessage};

use crate::answer::Answer;
use crate::net::Api;
use crate::raw::{Request, send};

/// Where a client wants to begin.
#[derive(Clone, Debug)]
pub(crate) enum Begin {
    /// Wherever the node begins.
    Now,
    /// With `?from=`.
    From(String),
    /// After the header `Last-Event-ID`.
    After(String),
    /// Both, in this order.
    Both(String, String),
}

impl Begin {
    /// At this event.
    pub(crate) fn at(id: EventId) -> Self {
        Self::From(id.to_string())
    }

    /// After this event.
    pub(crate) fn after(id: EventId) -> Self {
        Self::After(id.to_string())
    }
}

/// An open event stream.
pub(crate) struct Stream {
    response: reqwest::Response,
    text: String,
}

/// One event as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Received {
    /// The line `id:`.
    pub(crate) id: Option<String>,
    /// The line `event:`.
    pub(crate) event: String,
    /// The line `data:`.
    pub(crate) data: String,
}

impl Received {
    /// The message, whose id and type must be those of the event.
    pub(crate) fn message(&self) -> EventMessage {
        let message: EventMessage = serde_json::from_str(&self.data).expect(&self.data);
        assert_eq!(self.id, Some(message.id.to_string()));
        assert_eq!(self.event, message.event.type_name());
        message
    }
}

impl Stream {
    /// Opens a stream of `types`; all when empty.
    pub(crate) async fn open(api: &Api, begin: Begin, types: &str) -> Self {
        let mut request = reqwest::Client::new().get(format!("http://{}/v1/events", api.address));
        if !types.is_empty() {
            request = request.query(&[("types", types)]);
        }
        request = match begin {
            Begin::Now => request,
            Begin::From(text) => request.query(&[("from", text)]),
            Begin::After(text) => request.header("last-event-id", text),
            Begin::Both(from, after) => request
                .query(&[("from", from)])
                .header("last-event-id", after),
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let found = block.lines().find_map(|line| line.strip_prefix(name));
                    found.map(|text| text.trim_start().to_owned())
                };
                let received = field("data:").map(|data| Received {
                    id: field("id:"),
                    event: field("event:").unwrap_or_default(),
                    data,
                });
                self.text = rest.to_owned();
                // Comments keep the connection alive and are no events.
                match received {
                    Some(received) => return Some(received),
                    None => continue,
                }
            }
            let chunk = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

/// What is answered to a request for a stream.
pub(crate) async fn ask(api: &Api, query: &str, last_event_id: Option<&str>) -> Answer {
    let mut request = Request::new("GET", format!("/v1/events{query}"));
    if let Some(text) = last_event_id {
        request = request.header("last-event-id", text);
    }
    send(api.address, &request).await
}
