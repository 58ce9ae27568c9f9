//! Names to addresses, under the address policy.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::error::BlobError;
use crate::policy::AddressPolicy;

/// A name that has no address here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub(crate) struct LookupError {
    reason: String,
    /// False when the name service says that there is no such name. Whatever else goes wrong may
    /// be the fault of this machine.
    pub(crate) is_own: bool,
}

/// What systems say of names that do not exist: their resolvers give a text only.
const NO_SUCH_NAME: [&str; 6] = [
    // glibc
    "Name or service not known",
    "No address associated with hostname",
    // musl
    "Name does not resolve",
    "Name has no usable address",
    // macOS, Windows
    "nodename nor servname provided, or not known",
    "No such host is known",
];

impl LookupError {
    fn new(error: &io::Error) -> Self {
        let reason = error.to_string();
        let is_own = !NO_SUCH_NAME.iter().any(|text| reason.contains(text));
        Self { reason, is_own }
    }
}

/// True for `localhost` and all names under it: they mean this machine, and are no business of
/// DNS.
pub(crate) fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

async fn addresses(host: &str) -> io::Result<Vec<SocketAddr>> {
    if is_localhost(host) {
        let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        return Ok(vec![(v4, 0).into(), (v6, 0).into()]);
    }
    Ok(tokio::net::lookup_host((host, 0)).await?.collect())
}

/// Resolves names, and gives only addresses that the policy allows. The client connects to what is
/// given here and nothing else, so a name cannot change its meaning in between.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(pub(crate) AddressPolicy);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let all = addresses(&host).await;
            let all = all.map_err(|error| LookupError::new(&error))?;
            let (allowed, refused): (Vec<_>, Vec<_>) = all
                .into_iter()
                .partition(|address| policy.allows(address.ip()));
            if let ([], Some(refused)) = (&allowed[..], refused.first()) {
                let error = BlobError::AddressNotAllowed {
                    host,
                    address: refused.ip().to_string(),
                };
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, error).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_service_that_does_not_answer_is_own_trouble() {
        let is_own = |text: &str| {
            let text = format!("failed to lookup address information: {text}");
            LookupError::new(&io::Error::other(text)).is_own
        };
        assert!(!is_own("Name or service not known"));
        assert!(!is_own("nodename nor servname provided, or not known"));
        assert!(is_own("Temporary failure in name resolution"));
        assert!(is_own("Try again"));
        assert!(is_own("System error"));
    }

    #[tokio::test]
    async fn names_that_lead_inside_are_refused_after_resolution() {
        let policy = AddressPolicy::default();
        let anywhere = Resolver(AddressPolicy::anywhere());
        for name in ["localhost", "bucket.localhost", "A.LocalHost."] {
            let resolver = Resolver(policy.clone());
            let result = resolver.resolve(name.parse().unwrap()).await;
            let error = result.err().expect("refused");
            assert!(error.to_string().contains("not public"), "{error}");
            assert!(anywhere.resolve(name.parse().unwrap()).await.is_ok());
        }
        assert!(!is_localhost("localhost.example") && !is_localhost("mylocalhost"));
    }
}
