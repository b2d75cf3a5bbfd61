//! A [`Ledger`](crate::Ledger) whose lines are bound to each other: each carries a number and a keyed sum (HMAC-SHA-256) over the sum
//! of the line before and itself. Who has not the key can change, take out, swap, double or add no line without its being found;
//! a cut-off end is found by a [`Head`] that was noted elsewhere.
//!
//! ```text
//! {"seq":7,"chain":"relay","before":"…","mac":"…"}      the first line of every file: what came before it
//! {"seq":8,"mark":"…","at":"…",…,"mac":"…"}             a line as it was given, between its number and its sum
//! {"seq":9,"torn":12,…,"mac":"…"}                       12 octets before it are no line: a crash tore them; the sum is over them too
//! ```
//!
//! | killed, or the power cut | after it |
//! |---|---|
//! | while a line is written | its octets stay, and are what the next line calls `torn` |
//! | lines written, not synced | the same, or they are not there: whoever appends without syncing must be able to give them again |
//! | while files are put aside | a number is left out among the files; no line is lost |
//! | new file begun, its first line not written | the chain goes on from the file before |
//!
//! Lines from before a chain was kept in the same file may stand before its first; they are counted, and prove nothing.

mod append;
mod link;
mod verify;

pub use append::{Chain, Line, Writer};
pub use link::{Head, HeadError, Key, Mac, is_beginning};
pub use verify::{Broken, Flaw, Verified};

#[cfg(test)]
mod tests;
