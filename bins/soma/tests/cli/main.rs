//! The program as a user runs it.

mod arguments;
mod ceremony;
mod client;
mod crashes;
mod demo;
mod disputes;
mod help;
mod journey;
mod localnet;
mod nodes;
mod program;
mod publishing;
mod score;
mod start;
mod submit;
mod validators;
mod wallet;
