//! Which addresses may be connected to.
//!
//! Anybody can put any URL on chain. Were a service to open those that lead into its own network,
//! it would read for strangers what only it can reach. So only public addresses are connected to:
//! checked on the address itself, after DNS, for every connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::error::BlobError;
use crate::resolve::is_localhost;

/// Which addresses may be connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Allows all addresses: for localnets and services in a closed network.
    pub allow_private: bool,
    /// Addresses that are allowed beside public ones.
    pub also: Vec<IpAddr>,
}

impl AddressPolicy {
    /// All addresses.
    pub fn anywhere() -> Self {
        Self {
            allow_private: true,
            also: Vec::new(),
        }
    }

    /// True when `address` may be connected to.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow_private || is_public(address) || self.also.contains(&address.to_canonical())
    }

    /// Checks a URL whose host is an address or `localhost`; other names are checked when they are
    /// resolved.
    pub(crate) fn check(&self, url: &Url) -> Result<(), BlobError> {
        let (address, host) = match url.host() {
            Some(Host::Ipv4(address)) => (IpAddr::V4(address), address.to_string()),
            Some(Host::Ipv6(address)) => (IpAddr::V6(address), address.to_string()),
            Some(Host::Domain(name)) if is_localhost(name) => {
                (IpAddr::V4(Ipv4Addr::LOCALHOST), name.to_owned())
            }
            _ => return Ok(()),
        };
        if self.allows(address) {
            return Ok(());
        }
        Err(BlobError::AddressNotAllowed {
            host,
            address: address.to_string(),
        })
    }
}

/// True for addresses of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        // This network; shared by carriers; protocol assignments; 6to4 relays; benchmarks;
        // reserved.
        || a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18)
        // Azure's host, which serves each machine its secrets.
        || address.octets() == [168, 63, 129, 16]
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let v4 = |high: u16, low: u16| {
        let bytes = [high.to_be_bytes(), low.to_be_bytes()].concat();
        <[u8; 4]>::try_from(bytes).is_ok_and(|bytes| is_public_v4(bytes.into()))
    };
    match s {
        // Addresses that stand for IPv4 ones: mapped, translated (NAT64), 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        // Protocol assignments and Teredo, documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // What is assigned to the public internet.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "100.127.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2001:10::1",
            "3fff::1",
            "100::1",
            "4000::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn literal_addresses_in_any_spelling_are_checked() {
        let policy = AddressPolicy::default();
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest/",
        ] {
            let error = policy.check(&Url::parse(text).unwrap()).unwrap_err();
            assert_eq!(error.name(), "AddressNotAllowed", "{text}");
            assert!(
                AddressPolicy::anywhere()
                    .check(&Url::parse(text).unwrap())
                    .is_ok()
            );
        }
        assert!(
            policy
                .check(&Url::parse("http://1.1.1.1/").unwrap())
                .is_ok()
        );
    }
}
