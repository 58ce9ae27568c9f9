//! Engines that agree on blocks over loopback, each with a chain of its own on disk.

mod committee;
mod faults;
mod hostile;
mod net;
mod progress;
mod seven;
mod twins;
