//! Tests of the chain through its public interface.

mod blocks;
mod commits;
mod defects;
mod genesis;
mod minority;
mod proofs;
mod properties;
mod replay;
mod snapshots;
mod voids;
