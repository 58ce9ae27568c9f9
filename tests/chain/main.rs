//! Tests of the chain through its public interface.

mod properties;
