//! One try over HTTP: redirects by hand, ranges, and what each status means.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, HeaderMap, LOCATION, RANGE, RETRY_AFTER, TRANSFER_ENCODING,
};
use reqwest::{Client, Response, StatusCode, redirect};
use url::Url;

use super::failure::classify;
use super::part::Part;
use super::{FetchConfig, Fetcher, OnProgress, Try};
use crate::error::BlobError;
use crate::location::{Location, shown};
use crate::resolve::Resolver;

/// Redirects that are followed.
const REDIRECTS: usize = 5;

pub(super) fn client(config: &FetchConfig) -> Result<Client, BlobError> {
    Client::builder()
        .user_agent(concat!("soma/", env!("CARGO_PKG_VERSION")))
        // Redirects are followed by hand, each with all checks; a proxy would connect for us,
        // without them.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Resolver(config.policy.clone())))
        .connect_timeout(config.connect_timeout)
        .read_timeout(config.idle_timeout)
        .build()
        .map_err(|error| BlobError::Settings(error.to_string()))
}

impl Fetcher {
    pub(super) async fn read_http(
        &self,
        url: &Url,
        part: &mut Part,
        progress: OnProgress<'_>,
    ) -> Result<Try, BlobError> {
        let response = match self.follow(url, part.bytes()).await? {
            Ok(response) => response,
            Err(again) => return Ok(again),
        };
        let status = response.status();
        match status {
            StatusCode::PARTIAL_CONTENT if starts_at(response.headers(), part.bytes()) => {}
            StatusCode::RANGE_NOT_SATISFIABLE if ends_at(response.headers(), part.bytes()) => {
                return Ok(Try::Ended);
            }
            // The server does not know ranges: all of it comes again.
            StatusCode::OK => {
                if part.bytes() > 0 {
                    part.restart().await?;
                }
            }
            // What is here is not the beginning of what is there.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                part.restart().await?;
                return Ok(again(format!("the server answers {status} to a range")));
            }
            _ => return self.refused(url, &response),
        }
        self.receive(response, part, progress).await
    }

    /// Sends the request, and follows redirects.
    async fn follow(&self, url: &Url, offset: u64) -> Result<Result<Response, Try>, BlobError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            self.config.policy.check(&url)?;
            let mut request = self.client.get(url.clone());
            // Checksums are of the bytes as they lie there.
            request = request.header(ACCEPT_ENCODING, "identity");
            if offset > 0 {
                request = request.header(RANGE, format!("bytes={offset}-"));
            }
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => return classify(&error).map(Err),
            };
            if !response.status().is_redirection() {
                return Ok(Ok(response));
            }
            url = next(&url, response.headers())?;
        }
        Err(BlobError::Unavailable {
            url: shown(url.as_str()),
            reason: format!("more than {REDIRECTS} redirects"),
            tries: 1,
        })
    }

    async fn receive(
        &self,
        mut response: Response,
        part: &mut Part,
        progress: OnProgress<'_>,
    ) -> Result<Try, BlobError> {
        let is_range = response.status() == StatusCode::PARTIAL_CONTENT;
        let has_end = response.content_length().is_some()
            || response.headers().contains_key(TRANSFER_ENCODING);
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    part.add(&bytes).await?;
                    progress(part.bytes());
                }
                // A server may give less than the range. Without a declared end, the end may be a
                // broken connection.
                Ok(None) if (is_range || !has_end) && !part.is_whole() => {
                    return Ok(again("the connection ended too early".to_owned()));
                }
                Ok(None) => return Ok(Try::Ended),
                Err(error) => return classify(&error),
            }
        }
    }

    fn refused(&self, url: &Url, response: &Response) -> Result<Try, BlobError> {
        let status = response.status();
        let mut reason = format!("the server answers {status}");
        if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            reason.push_str(PRIVATE);
        }
        let passing = status.is_server_error()
            || [
                StatusCode::REQUEST_TIMEOUT,
                StatusCode::TOO_EARLY,
                StatusCode::TOO_MANY_REQUESTS,
            ]
            .contains(&status);
        if !passing {
            let url = shown(url.as_str());
            let tries = 1;
            return Err(BlobError::Unavailable { url, reason, tries });
        }
        let seconds = response.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Try::Again {
            reason,
            pause: seconds.map(Duration::from_secs),
            is_own: false,
        })
    }
}

/// What may help where a server gives the blob to some only.
pub(super) const PRIVATE: &str = "; whoever serves it must let everybody read it, without keys";

pub(super) fn again(reason: String) -> Try {
    Try::Again {
        reason,
        pause: None,
        is_own: false,
    }
}

/// Where a redirect leads.
fn next(url: &Url, headers: &HeaderMap) -> Result<Url, BlobError> {
    let invalid = |reason: &str| BlobError::InvalidUrl {
        url: shown(url.as_str()),
        reason: reason.to_owned(),
    };
    let target = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let target = target.ok_or_else(|| invalid("it redirects to nowhere"))?;
    let target = url
        .join(target)
        .map_err(|_| invalid("it redirects to what is no URL"))?;
    if url.scheme() == "https" && target.scheme() != "https" {
        return Err(invalid("it redirects from https to http"));
    }
    match Location::parse(target.as_str())? {
        Location::Http(target) => Ok(target),
        Location::File(_) | Location::S3 { .. } => Err(BlobError::SchemeNotAllowed {
            url: shown(url.as_str()),
            scheme: target.scheme().to_owned(),
            allowed: "https or http",
        }),
    }
}

/// True when the server's range begins where it was asked to.
fn starts_at(headers: &HeaderMap, offset: u64) -> bool {
    let range = headers
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    let start = range.and_then(|range| {
        range
            .strip_prefix("bytes ")?
            .split('-')
            .next()?
            .parse()
            .ok()
    });
    start == Some(offset)
}

/// True when the server says that the blob ends where it was asked to go on.
fn ends_at(headers: &HeaderMap, offset: u64) -> bool {
    let range = headers
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    let length = range.and_then(|range| range.strip_prefix("bytes */")?.parse().ok());
    length == Some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(from: &str, to: &str) -> Result<Url, BlobError> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, to.parse().unwrap());
        next(&Url::parse(from).unwrap(), &headers)
    }

    #[test]
    fn a_redirect_never_gives_up_encryption() {
        let error = redirect("https://a.example/x", "http://a.example/x").unwrap_err();
        assert_eq!(error.name(), "InvalidUrl");
        assert!(redirect("http://a.example/x", "https://a.example/x").is_ok());
        let relative = redirect("https://a.example/x/y", "../z?a=b").unwrap();
        assert_eq!(relative.as_str(), "https://a.example/z?a=b");
        let same_scheme = redirect("https://a.example/x", "//b.example/y").unwrap();
        assert_eq!(same_scheme.as_str(), "https://b.example/y");
    }

    #[test]
    fn ranges_are_read_exactly() {
        let headers = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, text.parse().unwrap());
            headers
        };
        assert!(starts_at(&headers("bytes 5-9/10"), 5));
        assert!(starts_at(&headers("bytes 5-9/*"), 5));
        for other in [
            "bytes 4-9/10",
            "5-9/10",
            "bytes */10",
            "bytes -5",
            "items 5-9/10",
        ] {
            assert!(!starts_at(&headers(other), 5), "{other}");
        }
        assert!(ends_at(&headers("bytes */10"), 10));
        assert!(!ends_at(&headers("bytes */11"), 10));
        assert!(!ends_at(&headers("bytes 0-9/10"), 10));
        assert!(!starts_at(&HeaderMap::new(), 0) && !ends_at(&HeaderMap::new(), 0));
    }
}
