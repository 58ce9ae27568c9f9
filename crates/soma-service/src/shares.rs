//! How much of something one client address may hold at the same time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What each client address holds, so that none keeps all others out. This machine itself may hold
/// any number: a proxy on it speaks for many clients.
pub struct Shares {
    most: usize,
    held: Mutex<HashMap<IpAddr, usize>>,
}

impl Shares {
    /// At most `most` for each address; 0 turns the limit off.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: Mutex::default(),
        })
    }

    /// One more for `client`, a [`rate_key`](crate::rate_key); none when it holds as many as it may.
    pub fn take(self: &Arc<Self>, client: IpAddr) -> Option<Share> {
        // The network of `::1`, and the key of requests without an address, is `::`.
        let is_here = client.is_loopback() || client.is_unspecified();
        let mut held = self.lock();
        let count = held.entry(client).or_default();
        if self.most > 0 && *count >= self.most && !is_here {
            return None;
        }
        *count += 1;
        Some(Share {
            shares: Arc::clone(self),
            client,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of what a client holds, until it is dropped.
pub struct Share {
    shares: Arc<Shares>,
    client: IpAddr,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.lock();
        if let Some(count) = held.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;

    use super::*;
    use crate::rate_key;

    fn key(text: &str) -> IpAddr {
        let address: SocketAddr = text.parse().unwrap();
        rate_key(Some(&ConnectInfo(address)))
    }

    #[test]
    fn a_client_holds_its_share_and_no_more() {
        let shares = Shares::new(2);
        let (one, other) = (key("10.0.0.1:1"), key("10.0.0.2:1"));
        let first = shares.take(one);
        let second = shares.take(one);
        assert!(first.is_some() && second.is_some());
        assert!(shares.take(one).is_none());
        assert!(shares.take(other).is_some(), "another has its own");
        drop(first);
        assert!(shares.take(one).is_some(), "what was dropped is free");
        drop(second);
        assert!(shares.lock().is_empty(), "memory follows what is held");
    }

    #[test]
    fn this_machine_and_a_limit_of_none_hold_any_number() {
        let shares = Shares::new(1);
        for here in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            let held: Vec<_> = (0..9).map(|_| shares.take(key(here))).collect();
            assert!(held.iter().all(Option::is_some), "{here}");
        }
        let off = Shares::new(0);
        let held: Vec<_> = (0..9).map(|_| off.take(key("10.0.0.1:1"))).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
