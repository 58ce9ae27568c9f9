//! What peers may send, and what becomes of those that send what no honest node sends.
//!
//! ```text
//! libp2p ─▶ gate: banned? within its limits? ─▶ decoded, signed by whom it says? ─▶ engine ─▶ host
//!             │ no                                   │ no                                   │ of no use
//!             ▼                                      ▼                                      ▼
//!          dropped, counted                        a fault ◀─────────────────────── a fault of its publisher
//!                                                    │ too many
//!                                                    ▼
//!                                  banned: disconnected, and nothing of it is looked at
//! ```
//! Gossip passes messages on before anybody looks at them, so who delivered a message is not to
//! blame for it. Its *publisher* is: the network has checked that it signed the message. Faults are
//! only what an honest node cannot do, whatever it knows and whenever it hears of it. A message of
//! which the publisher is not known, or not connected here, is measured with its neighbour's other
//! such messages, and is nobody's fault.

mod gate;
mod guard;
mod publisher;
mod rate;
mod transport;

pub use guard::{Ban, Fault, Guard, PeerCounts};
pub use publisher::Publisher;
pub use transport::protocol;
pub(crate) use transport::start;
