//! What is kept on disk: each submission from the first step to the payout, and which candidates
//! are spent.
//!
//! ```text
//! state/lock                       one program at a time
//! state/submissions/TARGET.json    one file for each target: nothing is submitted twice
//! state/history/TARGET-DATA.json   those that ended
//! state/spent.jsonl                candidates that the chain takes no more
//! ```
//! A file is replaced as a whole and flushed before anything that it announces is done: the salt
//! before the commitment is sent, each signed transaction before it is sent.

mod entry;
mod folder;
mod spent;

pub(crate) use entry::VERSION;
pub use entry::{Claimed, Entry, LostReason, Opened, Sealed, State};
pub use folder::Folder;
pub use spent::{Spending, Spent};
