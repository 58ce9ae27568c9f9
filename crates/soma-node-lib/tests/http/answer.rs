//! What every answer must be, whatever was asked.

use serde::de::DeserializeOwned;
use soma_api::{ErrorBody, ErrorCode};

/// The longest error body: messages name a bad value, they do not repeat all of it.
const LONGEST_ERROR: usize = 2_000;

/// An answer of the node.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The request, for messages.
    pub(crate) what: String,
    /// The status.
    pub(crate) status: u16,
    /// Headers with names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body; empty for event streams.
    pub(crate) body: Vec<u8>,
    is_head: bool,
}

impl Answer {
    /// Reads what came back over the wire. `is_head`: an answer to HEAD, which has no body.
    pub(crate) fn parse(what: String, received: &[u8], is_head: bool) -> Self {
        let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("{what}: no answer, but {received:?}"));
        let head = String::from_utf8_lossy(&received[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.filter_map(|line| line.split_once(':'));
        let answer = Self {
            status: status.and_then(|status| status.parse().ok()).unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect(),
            body: received[end + 4..].to_vec(),
            what,
            is_head,
        };
        if let (false, Some(length)) = (is_head, answer.header("content-length")) {
            assert_eq!(length, answer.body.len().to_string(), "{}", answer.what);
        }
        answer
    }

    /// True when `received` begins with the head of an event stream.
    pub(crate) fn is_stream(received: &[u8]) -> bool {
        let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let head = end.map(|end| String::from_utf8_lossy(&received[..end]).to_lowercase());
        head.is_some_and(|head| head.contains("content-type: text/event-stream"))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// True for 2xx.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Checks that this is a success, or an error with a known code, its status and a short body.
    /// Gives the code.
    #[track_caller]
    pub(crate) fn typed(&self) -> Option<ErrorCode> {
        if self.is_success() {
            return None;
        }
        let shown = String::from_utf8_lossy(&self.body);
        let about = format!("{}: {} {shown:.300}", self.what, self.status);
        assert!(self.status < 500 || self.status == 503, "{about}");
        if self.is_head {
            return Some(ErrorCode::InvalidRequest);
        }
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/json"), "{about}: {kind}");
        let body: ErrorBody = serde_json::from_slice(&self.body).expect(&about);
        let code = body.known_code().expect(&about);
        assert_eq!(code.http_status(), self.status, "{about}");
        assert!(!body.message.is_empty(), "{about}");
        assert!(body.details.is_object(), "{about}");
        assert!(self.body.len() <= LONGEST_ERROR, "{about}");
        if self.status == 503 || self.status == 429 {
            let seconds = self.header("retry-after").expect(&about);
            assert!(seconds.parse::<u64>().unwrap() > 0, "{about}");
        }
        Some(code)
    }

    /// Checks that this is the error `code`, and gives its body.
    #[track_caller]
    pub(crate) fn error(&self, code: ErrorCode) -> ErrorBody {
        assert_eq!(self.typed(), Some(code), "{}", self.what);
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks that this is a success, and reads its body.
    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.typed(), None, "{}", self.what);
        serde_json::from_slice(&self.body).expect(&self.what)
    }
}
