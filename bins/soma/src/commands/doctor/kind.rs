//! Which service answers at a URL.

use reqwest::{Client, Response, StatusCode, Url};

use super::Check;

/// A kind of service. It is known by a route that no other has, which is asked with GET so that
/// nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Name of its check.
    pub(super) name: &'static str,
    /// What it is, in a sentence.
    called: &'static str,
    route: &'static str,
    /// What it says to GET there.
    answer: StatusCode,
    /// That it says at `/health` how it is.
    has_health: bool,
    /// What to do when it is not there.
    pub(super) fix: &'static str,
}

impl Kind {
    pub(super) const NODE: Self = Self {
        name: "node",
        called: "a node",
        route: "/v1/chain",
        answer: StatusCode::OK,
        has_health: true,
        fix: "start one with `soma start localnet`, or choose another with `soma env switch`",
    };
    pub(super) const FAUCET: Self = Self {
        name: "faucet",
        called: "a faucet",
        route: "/v1/faucet",
        answer: StatusCode::METHOD_NOT_ALLOWED,
        has_health: true,
        fix: "faucets are for test networks; set its URL with `soma env new --faucet`",
    };
    pub(super) const SCORER: Self = Self {
        name: "scorer",
        called: "a scorer",
        route: "/v1/info",
        answer: StatusCode::OK,
        has_health: true,
        fix: "start one with `soma start scoring`, or give its URL with --scorer",
    };
    pub(super) const BLOBS: Self = Self {
        name: "blobs",
        called: "a blob server",
        // No checksum: no blob has this name.
        route: "/blobs/doctor",
        answer: StatusCode::BAD_REQUEST,
        has_health: true,
        fix: "start one with `soma start blobs`, or set its URL with `soma env new --blobs`",
    };
    pub(super) const ADMIN: Self = Self {
        name: "admin",
        called: "the admin service of a node",
        route: "/v1/admin/advance-epoch",
        answer: StatusCode::METHOD_NOT_ALLOWED,
        has_health: false,
        fix: "start the node with its admin routes, or set their URL with `soma env new --admin`",
    };
    const ALL: [Self; 5] = [
        Self::NODE,
        Self::FAUCET,
        Self::SCORER,
        Self::BLOBS,
        Self::ADMIN,
    ];

    /// That such a service answers at `url` and is well, or the check that failed.
    pub(super) async fn check(&self, client: &Client, url: &str) -> Result<Check, Check> {
        check_url(self.name, url)?;
        let status = self.ask(client, url).await;
        let status = status.map_err(|error| self.silent(url, &error))?;
        if status != self.answer {
            let found = self.mistaken(client, url, status).await;
            return Err(self.failed(found));
        }
        if self.has_health {
            let health = client.get(at(url, "/health")).send().await;
            let health = health.map_err(|error| self.silent(url, &error))?;
            if !health.status().is_success() {
                return Err(self.failed(refusal(url, health).await));
            }
        }
        Ok(Check::ok(self.name, format!("{url} answers")))
    }

    async fn ask(&self, client: &Client, url: &str) -> reqwest::Result<StatusCode> {
        let response = client.get(at(url, self.route)).send().await?;
        Ok(response.status())
    }

    /// What answers `status` where this service would not.
    async fn mistaken(&self, client: &Client, url: &str, status: StatusCode) -> String {
        for other in Self::ALL.iter().filter(|other| *other != self) {
            let asked = other.ask(client, url).await;
            if asked.is_ok_and(|status| status == other.answer) {
                return format!(
                    "{url} is not {}: {} answers there",
                    self.called, other.called
                );
            }
        }
        let (called, route) = (self.called, self.route);
        format!("{url} is not {called}, or not well: it answers {status} to {route}")
    }

    fn silent(&self, url: &str, error: &reqwest::Error) -> Check {
        self.failed(format!("{url} does not answer: {error}"))
    }

    pub(super) fn failed(&self, found: String) -> Check {
        Check::failed(self.name, found, self.fix)
    }
}

pub(super) fn at(url: &str, route: &str) -> String {
    format!("{}{route}", url.trim_end_matches('/'))
}

fn check_url(name: &'static str, text: &str) -> Result<(), Check> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| ["http", "https"].contains(&url.scheme()));
    if let Some(url) = url {
        if url.username().is_empty() && url.password().is_none() {
            return Ok(());
        }
        // Not repeated: what is printed here is shown to others.
        let found = "its URL carries a user name or password, which services do not ask for";
        return Err(Check::failed(name, found, "give the URL without"));
    }
    let fix = "give the whole URL, such as http://127.0.0.1:9124";
    Err(Check::failed(name, format!("`{text}` is no URL"), fix))
}

async fn refusal(url: &str, response: Response) -> String {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let text: String = text.chars().take(200).collect();
    format!("{url} answers {status}: {text}")
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn what_is_no_url_is_called_so() {
        assert!(check_url("scorer", "http://127.0.0.1:1").is_ok());
        let check = check_url("scorer", "http://me:secret@a.example").unwrap_err();
        assert!(!format!("{check:?}").contains("secret"), "{check:?}");
        for text in ["foo", "foo:1", "", "ftp://a"] {
            let check = check_url("scorer", text).unwrap_err();
            assert_eq!(check.state, State::Failed);
            assert!(check.found.contains("is no URL"), "{check:?}");
        }
    }
}
