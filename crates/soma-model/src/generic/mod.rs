//! The operations of [`ModelBackend`](crate::ModelBackend) and their gradients, made of burn's.

pub(crate) mod attention;
pub(crate) mod elements;
pub(crate) mod rotary;
pub(crate) mod sigreg;
