//! What this crate promises against hostile servers, files and neighbours: real connections on this
//! machine, real files.

mod absent;
mod cache;
mod disk;
mod download;
mod flights;
mod hostile;
mod policy;
mod real_s3;
mod s3;
mod s3_server;
mod sealed;
mod server;
mod store;
mod support;
mod web;
