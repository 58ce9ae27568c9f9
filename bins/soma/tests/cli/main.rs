//! The program as a user runs it.

mod arguments;
mod crashes;
mod help;
mod journey;
mod localnet;
mod program;
mod score;
mod start;
mod submit;
mod wallet;
