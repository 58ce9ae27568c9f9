//! The node over HTTP, as any client may use or misuse it.
//!
//! - `net`: nodes in this process and their accounts; `raw`: requests byte by byte; `sse`: a
//!   client of the event stream; `answer`: what every answer must be.
//! - `description`: the API's documents. `hostile`: every documented route against bad input.
//!   `fuzz`: random and damaged transactions.
//! - `paging`, `reports`, `events`, `sending`, `waiting`, `limits`, `cors`, `faucet`, `admin`: what
//!   each promises.

mod admin;
mod answer;
#[path = "../by_hand/mod.rs"]
mod by_hand;
mod cors;
mod description;
mod events;
mod faucet;
mod fuzz;
mod hostile;
mod limits;
mod net;
mod paging;
mod raw;
mod reports;
mod sending;
mod sse;
mod waiting;
