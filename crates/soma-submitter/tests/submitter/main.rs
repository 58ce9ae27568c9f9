//! A submitter against a network in this process: node, scorer and blob server.

mod claims;
mod fills;
mod journal;
mod money;
mod once;
mod outage;
mod races;
mod resume;
mod tap;
mod world;
