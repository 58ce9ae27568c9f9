//! A submitter against a network in this process: node, scorer and blob server.

mod fills;
mod journal;
mod money;
mod once;
mod outage;
mod races;
mod resume;
mod world;
