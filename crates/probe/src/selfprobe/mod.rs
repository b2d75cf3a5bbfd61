//! The relay probes played against ourselves, in the process: as a stranger and from each own address that has no right. What a
//! probe's octets come to is read by a real session, who may relay is judged by the judge in force; nothing is charged, counted
//! or told of it, and no mail comes of it.
//!
//! | file | answers for |
//! |---|---|
//! | `transcript` | what a session would ask of the guard for a probe |
//! | `play` | from which addresses, by which ways in, and what passed |

mod play;
mod transcript;

pub use play::{Way, WayKind, play};
