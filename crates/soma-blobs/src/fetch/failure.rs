//! What a failed connection means: whose fault it is, and whether another try may help.

use std::error::Error;

use super::Try;
use crate::error::{BlobError, innermost};
use crate::resolve::LookupError;

/// A failure of the connection: refused by the policy, or worth another try.
pub(super) fn classify(error: &(dyn Error + 'static)) -> Result<Try, BlobError> {
    let mut is_own = false;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = policy_error(error) {
            return Err(refused);
        }
        is_own |= is_own_network(error);
        cause = error.source();
    }
    Ok(Try::Again {
        reason: innermost(error),
        pause: None,
        is_own,
    })
}

/// Too many open files, in this process and on this machine: the same on all Unix systems.
const TOO_MANY_FILES: [i32; 2] = [24, 23];

/// True for failures that lie on this side of the connection.
fn is_own_network(error: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, NetworkDown, NetworkUnreachable};
    if let Some(lookup) = error.downcast_ref::<LookupError>() {
        return lookup.is_own;
    }
    error.downcast_ref::<std::io::Error>().is_some_and(|error| {
        [AddrNotAvailable, NetworkDown, NetworkUnreachable].contains(&error.kind())
            || (cfg!(unix)
                && error
                    .raw_os_error()
                    .is_some_and(|code| TOO_MANY_FILES.contains(&code)))
    })
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_connection_that_fails_on_this_side_is_own_trouble() {
        let is_own = |kind: io::ErrorKind| is_own_network(&io::Error::from(kind));
        assert!(is_own(io::ErrorKind::NetworkUnreachable));
        assert!(is_own(io::ErrorKind::NetworkDown));
        assert!(is_own(io::ErrorKind::AddrNotAvailable));
        assert!(is_own_network(&io::Error::from_raw_os_error(24)));
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::HostUnreachable,
            io::ErrorKind::TimedOut,
            io::ErrorKind::UnexpectedEof,
        ] {
            assert!(!is_own(kind), "{kind}");
        }
    }
}
