//! One try over HTTP: redirects by hand, ranges, and what each status means.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use url::Url;

use super::part::Part;
use super::{FetchConfig, Fetcher, OnProgress, Try};
use crate::error::BlobError;
use crate::location::{Location, shown};
use crate::policy::Resolver;

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
        let declared = response.content_length().is_some();
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    part.add(&bytes).await?;
                    progress(part.bytes());
                }
                // Without a declared length, an end may be a broken connection.
                Ok(None) if !declared && !part.is_whole() => {
                    return Ok(again("the connection ended too early".to_owned()));
                }
                Ok(None) => return Ok(Try::Ended),
                Err(error) => return classify(&error),
            }
        }
    }

    fn refused(&self, url: &Url, response: &Response) -> Result<Try, BlobError> {
        let status = response.status();
        let reason = format!("the server answers {status}");
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
        let pause = seconds.map(Duration::from_secs);
        Ok(Try::Again { reason, pause })
    }
}

fn again(reason: String) -> Try {
    Try::Again {
        reason,
        pause: None,
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

/// A failure of the connection: refused by the policy, or worth another try.
fn classify(error: &reqwest::Error) -> Result<Try, BlobError> {
    let mut reason = error.to_string();
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = policy_error(error) {
            return Err(refused);
        }
        // The innermost cause says most.
        reason = error.to_string();
        cause = error.source();
    }
    Ok(again(reason))
}

fn policy_error(error: &(dyn Error + 'static)) -> Option<BlobError> {
    let inside = error
        .downcast_ref::<std::io::Error>()
        .and_then(|error| error.get_ref());
    let inside = inside.and_then(|error| error.downcast_ref::<BlobError>());
    inside
        .or_else(|| error.downcast_ref::<BlobError>())
        .cloned()
}
