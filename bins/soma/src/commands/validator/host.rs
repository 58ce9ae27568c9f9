//! How others reach a host.

use std::net::IpAddr;

use super::metadata::check_peer;
use crate::error::CliError;

/// A host as the multiaddress that others connect to.
pub(super) fn peer_address(host: &str, port: u16) -> Result<String, CliError> {
    let address = match host.parse() {
        Ok(IpAddr::V4(ip)) => format!("/ip4/{ip}/tcp/{port}"),
        Ok(IpAddr::V6(ip)) => format!("/ip6/{ip}/tcp/{port}"),
        Err(_) if is_name(host) => format!("/dns4/{host}/tcp/{port}"),
        Err(_) => {
            let text = format!("`{host}` is neither a name nor an IP address");
            return Err(CliError::Usage(text));
        }
    };
    check_peer(&address)?;
    Ok(address)
}

fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && label.len() <= 63 && label.chars().all(allowed)
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

/// A host as it stands in a URL.
pub(super) fn in_url(host: &str) -> String {
    match host.parse() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_become_addresses_that_peers_understand() {
        for (host, address) in [
            ("10.0.0.2", "/ip4/10.0.0.2/tcp/8084"),
            ("::1", "/ip6/::1/tcp/8084"),
            ("node-1.example.org", "/dns4/node-1.example.org/tcp/8084"),
        ] {
            assert_eq!(peer_address(host, 8_084).unwrap(), address);
        }
        for host in ["", "a b", "a/b", "https://a", "a..b", "10.0.0.2:1"] {
            assert!(peer_address(host, 1).is_err(), "{host}");
        }
        assert!(peer_address("10.0.0.2", 0).is_err());
        assert_eq!(in_url("::1"), "[::1]");
        assert_eq!(in_url("a.b"), "a.b");
    }
}
