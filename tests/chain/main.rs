//! Tests of the chain through its public interface.

mod blocks;
mod defects;
mod proofs;
mod properties;
mod replay;
