//! Files that say who may and who may not, read as the programs read them whose files they are.
//!
//! | file | what is in it |
//! |---|---|
//! | [`kind`] | which kinds of file there are, and `TYPE:FILE` |
//! | [`table`] | a file, read and checked; looking a key up in it |
//! | [`mistake`] | what is wrong with a file, and where |
//! | [`subject`] | clients, senders, recipients: which keys a server tries for them, and in which order |
//! | [`action`] | what a value tells a server to do |
//! | [`relay`] | the entries that let somebody relay, for the relay policy to check |
//! | [`Route`] | values of a mailertable |
//!
//! A file is taken whole or not at all: a line that its own program would complain about and skip refuses the file, so
//! that a reload keeps the old one. What the program takes with a complaint, or overlooks, is a [`Warning`].
//!
//! Nothing here grants anything. An `OK` ends a list; what says `RELAY` becomes a [`RelayEntry`], which is worth nothing
//! until the relay policy has taken it.

pub mod action;
mod fold;
pub mod kind;
mod lines;
pub mod mistake;
mod pattern;
mod postfix;
mod read;
pub mod relay;
mod sendmail;
mod store;
pub mod subject;
pub mod table;
mod wrappers;

pub use action::{Action, Reply};
pub use kind::{Kind, Spec};
pub use mistake::{Mistake, Warning};
pub use relay::{ClientPattern, RelayEntry, RelayWhat};
pub use sendmail::route::Route;
pub use subject::{Subject, Tag};
pub use table::{Found, Table};
