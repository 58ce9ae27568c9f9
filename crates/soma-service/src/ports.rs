//! Ports for services of one machine that are started together.

use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::ops::Range;

/// Below the ports that systems give to connections, which begin at 32,768 or above: no connection
/// takes one of these by chance before it is listened on.
const RANGE: Range<u16> = 16_000..32_000;

/// Ports of this machine that nothing listens on now, from a random place on, so that networks that
/// start at the same time rarely look at the same ones.
///
/// # Errors
/// When there are none.
pub fn free_ports(count: usize) -> std::io::Result<Vec<u16>> {
    let places = u64::from(RANGE.end - RANGE.start);
    let begin = RandomState::new().hash_one(std::process::id()) % places;
    let ports = (begin..begin + places).filter_map(|place| {
        let place = u16::try_from(place % places).ok()?;
        TcpListener::bind(("127.0.0.1", RANGE.start + place)).ok()
    });
    // All are held until all are chosen, so that none is chosen twice.
    let held: Vec<TcpListener> = ports.take(count).collect();
    if held.len() < count {
        return Err(std::io::Error::from(std::io::ErrorKind::AddrInUse));
    }
    let port = |listener: &TcpListener| Ok(listener.local_addr()?.port());
    held.iter().map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_listened_on() {
        let ports = free_ports(20).unwrap();
        let listeners = ports
            .iter()
            .map(|port| TcpListener::bind(("127.0.0.1", *port)));
        let listeners: Vec<_> = listeners.collect::<Result<_, _>>().unwrap();
        assert_eq!(listeners.len(), 20);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }
}
