//! Whether validators can open what is published under a URL.
//!
//! They take what they cannot open for fraud, and bond or stake are lost. A node on this machine is
//! one of a localnet, whose validators open files and loopback addresses of this machine too. One at a
//! private address is of a closed network, whose validators open such addresses. Those of any other
//! network open public addresses only.

use std::net::IpAddr;

use reqwest::Url;

use crate::client::Client;
use crate::error::SdkError;
use crate::http::{address, is_on_this_machine};

impl Client {
    /// As [`check_reach`], for the network of this client's node.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`].
    pub fn check_reach(&self, url: &str) -> Result<(), SdkError> {
        check_reach(self.rpc_url(), url)
    }
}

/// Checks that validators of the network with a node at `node` can be expected to open `url`. What
/// a name leads to is not looked up.
///
/// # Errors
/// [`SdkError::InvalidArgument`] for a file or a loopback address, where the node is elsewhere, and for
/// a private address, where the node has none.
pub fn check_reach(node: &str, url: &str) -> Result<(), SdkError> {
    if is_on_this_machine(node) {
        return Ok(());
    }
    // What is no URL at all is refused where it is used.
    let Ok(parsed) = Url::parse(url) else {
        return Ok(());
    };
    let what = if parsed.scheme() == "file" {
        "is a file of this machine"
    } else if is_on_this_machine(url) || address(&parsed).is_some_and(|ip| ip.is_unspecified()) {
        "leads to this machine"
    } else if has_private_address(&parsed) && !is_in_closed_network(node) {
        "leads to a private address"
    } else {
        return Ok(());
    };
    Err(SdkError::InvalidArgument(format!(
        "URL `{}` {what}, which validators of the network at {node} cannot open; publish it under \
         an https or http URL that everybody can open",
        shown(parsed)
    )))
}

fn has_private_address(url: &Url) -> bool {
    address(url).is_some_and(is_private)
}

fn is_in_closed_network(node: &str) -> bool {
    Url::parse(node).is_ok_and(|node| has_private_address(&node))
}

/// True for addresses that mean something else in another network.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            // 100.64.0.0/10 is shared by a carrier's customers.
            let is_shared = matches!(address.octets(), [100, 64..=127, ..]);
            address.is_private() || address.is_link_local() || is_shared
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// A URL for messages: without a user name and a password, which would stand in logs.
fn shown(mut url: Url) -> Url {
    // Only URLs that can have none refuse, and those have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: [&str; 4] = [
        "http://127.0.0.1:9000",
        "http://localhost:9000",
        "http://[::1]:9000/",
        "http://127.8.0.1",
    ];
    const CLOSED: [&str; 2] = ["http://10.0.0.7:9000", "https://[fd00::7]:9000"];
    const ELSEWHERE: [&str; 4] = [
        "https://node.example",
        // Names that only begin like loopback addresses.
        "https://localhost.example",
        "http://127.0.0.1.example:9000",
        "https://127.example",
    ];
    const ONLY_HERE: [&str; 10] = [
        "file:///tmp/blobs/1",
        "FILE:///tmp/blobs/1",
        "http://127.0.0.1:9126/blobs/1",
        "http://2130706433/blobs/1",
        "http://localhost:9126/blobs/1",
        "http://LOCALHOST./blobs/1",
        "http://bucket.localhost/1",
        "http://[::1]:9126/blobs/1",
        "http://[::ffff:127.0.0.1]/blobs/1",
        "http://0.0.0.0:9126/blobs/1",
    ];
    const PRIVATE: [&str; 4] = [
        "http://192.168.1.5/blobs/1",
        "https://10.0.0.7/blobs/1",
        "http://169.254.1.1/blobs/1",
        "http://[fd00::1]/blobs/1",
    ];

    #[test]
    fn what_only_this_machine_can_open_is_not_published_to_a_network_elsewhere() {
        let is_refused = |node: &str, url: &str| {
            let Err(error) = check_reach(node, url) else {
                return false;
            };
            assert_eq!(error.name(), "InvalidArgument", "{node}: {url}");
            assert!(error.to_string().contains(node), "{error}");
            true
        };
        for url in ONLY_HERE.into_iter().chain(PRIVATE) {
            assert!(!HERE.iter().any(|node| is_refused(node, url)), "{url}");
            assert!(ELSEWHERE.iter().all(|node| is_refused(node, url)), "{url}");
        }
        // In a closed network, private addresses are for all.
        for node in CLOSED {
            assert!(ONLY_HERE.iter().all(|url| is_refused(node, url)), "{node}");
            assert!(!PRIVATE.iter().any(|url| is_refused(node, url)), "{node}");
        }
        for url in [
            "https://a.example/b",
            "http://8.8.8.8/b",
            "http://[2606:4700::1]/b",
            // Refused elsewhere, and by another name.
            "s3://bucket/key",
            "no url",
        ] {
            for node in ELSEWHERE {
                assert!(check_reach(node, url).is_ok(), "{node}: {url}");
            }
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let url = "http://me:secret@10.0.0.7/b";
        let error = check_reach("https://node.example", url).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("http://10.0.0.7/b"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
