//! The audit of a node, with a real scorer and real weights.
//!
//! `weights`: files of the small model; `world`: a node, its scorer, and who submits to it.
//! `fills`, `honest`, `reveals`, `trouble`, `restart`, `reports`, `proxy`, `winners`: what each promises.

mod fills;
mod honest;
mod proxy;
mod reports;
mod restart;
mod reveals;
mod trouble;
mod weights;
mod winners;
mod world;
