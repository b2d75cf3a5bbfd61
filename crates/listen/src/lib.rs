//! The way in: sockets, connection limits, the PROXY header, and the byte stream with or without TLS, and its certificate.
//!
//! Answers for who is connected and on which socket; not for what is said there (see `serve`).

pub mod certificate;
pub mod crowd;
pub mod cut;
pub mod gate;
pub mod link;
pub mod memory;
pub mod open_files;
pub mod proxy;
pub mod socket;
pub mod stream;
pub mod tls;
pub mod wire;

pub use certificate::Certificate;
pub use crowd::{Ceilings, Crowd, Crowded, Place};
pub use cut::Cut;
pub use gate::{Gate, Met, Pass, Refused, Shed};
pub use link::Link;
pub use socket::Address;
pub use stream::{Stream, TlsFacts, TlsTooOld, cause};
pub use wire::{Heard, Wire};
