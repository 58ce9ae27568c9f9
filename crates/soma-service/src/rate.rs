//! Requests per second of one client address: a token bucket for each.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::ConnectInfo;
use governor::{DefaultKeyedRateLimiter, Quota};
use serde::{Deserialize, Serialize};

/// Rate of one client address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateConfig {
    /// Requests a minute that are refilled; 0 turns the limit off.
    pub per_minute: u32,
    /// Requests at once; at least 1 counts.
    pub burst: u32,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self {
            per_minute: 6_000,
            burst: 1_000,
        }
    }
}

/// Checks between two sweeps of addresses that were not seen for long.
const CHECKS_PER_SWEEP: u32 = 4_096;

/// Token buckets by key. Full buckets are swept, so that memory follows the recent clients only.
pub struct RateLimit<K: Clone + std::hash::Hash + Eq> {
    buckets: Option<DefaultKeyedRateLimiter<K>>,
    checks: AtomicU32,
}

impl<K: Clone + std::hash::Hash + Eq> RateLimit<K> {
    /// Buckets after `config`.
    pub fn new(config: RateConfig) -> Self {
        let buckets = NonZeroU32::new(config.per_minute).map(|rate| {
            let burst = NonZeroU32::new(config.burst).unwrap_or(NonZeroU32::MIN);
            DefaultKeyedRateLimiter::keyed(Quota::per_minute(rate).allow_burst(burst))
        });
        Self {
            buckets,
            checks: AtomicU32::new(0),
        }
    }

    /// Takes a token; false when there is none.
    pub fn allows(&self, key: &K) -> bool {
        let Some(buckets) = &self.buckets else {
            return true;
        };
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_PER_SWEEP == CHECKS_PER_SWEEP - 1 {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
        buckets.check_key(key).is_ok()
    }
}

/// The key of a client: its IPv4 address, or the /64 network of its IPv6 address, since one client
/// usually has all of that.
pub fn rate_key(client: Option<&ConnectInfo<SocketAddr>>) -> IpAddr {
    match client.map(|ConnectInfo(address)| address.ip().to_canonical()) {
        Some(IpAddr::V6(address)) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        Some(address) => address,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_bucket_is_empty() {
        let limit = RateLimit::new(RateConfig {
            per_minute: 1,
            burst: 3,
        });
        let allowed = (0..10).filter(|_| limit.allows(&"a")).count();
        assert_eq!(allowed, 3);
        assert!(limit.allows(&"b"), "another client has its own bucket");
        let off = RateLimit::new(RateConfig {
            per_minute: 0,
            burst: 0,
        });
        assert!((0..10_000).all(|_| off.allows(&"a")));
    }

    #[test]
    fn an_ipv6_client_cannot_multiply_itself_within_its_network() {
        let key = |text: &str| rate_key(Some(&ConnectInfo(text.parse().unwrap())));
        assert_eq!(key("[2001:db8::1]:1"), key("[2001:db8::ffff:2]:9"));
        assert_ne!(key("[2001:db8::1]:1"), key("[2001:db8:0:1::1]:1"));
        assert_eq!(key("[::ffff:10.0.0.1]:1"), key("10.0.0.1:2"));
    }
}
