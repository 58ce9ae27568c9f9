//! Workflows of the client against a localnet in this process.

mod claim;
mod fetch;
mod publish;
mod world;
