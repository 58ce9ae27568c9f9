//! Snapshots: made while a network goes on, given to new nodes, refused when they are not what they
//! should be; and nodes that only follow.

mod bootstrap;
mod followers;
mod hostile;
mod net;
mod pruned;
mod tamper;
