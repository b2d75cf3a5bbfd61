//! Files that say who may and who may not, read as the programs read them whose files they are.
//!
//! | file or folder | what is in it |
//! |---|---|
//! | [`kind`] | which kinds of file there are, and `TYPE:FILE` |
//! | [`table`] | a file, read and checked; looking a key up in it |
//! | [`value`] | what a value tells a server to do |
//! | [`mistake`] | what is wrong with a file, and where |
//! | [`subject`] | clients, senders, recipients: of whom a table is asked |
//! | [`found`], [`action`], [`relay`] | what comes out: a value, an action, an entry that lets somebody relay |
//! | `postfix` | access(5), cidr_table(5): sources, keys, values |
//! | `pattern` | pcre_table(5), regexp_table(5) |
//! | `sendmail` | the access database, `deny`, classes, mailertables: sources, keys, values |
//! | `wrappers` | `hosts.allow` of TCP wrapper |
//! | [`mmdb`] | MaxMind DB files: countries and autonomous systems of addresses |
//! | `database` | what a database gave instead of its source |
//! | [`sql`] | look-ups in SQLite and PostgreSQL, without asking them |
//! | `source`, `lines`, `key`, `store` | what the readers have in common |
//!
//! A file is taken whole or not at all: a line that its own program would complain about and skip refuses the file, so
//! that a reload keeps the old one. What the program takes with a complaint, or overlooks, is a [`Warning`].
//!
//! Nothing here grants anything. An `OK` ends a list; what says `RELAY` becomes a [`RelayEntry`], which is worth nothing
//! until the relay policy has taken it.

pub mod action;
mod database;
pub mod found;
mod key;
pub mod kind;
mod lines;
pub mod mistake;
pub mod mmdb;
mod pattern;
mod postfix;
pub mod relay;
mod sendmail;
mod source;
pub mod sql;
mod store;
pub mod subject;
pub mod table;
pub mod value;
mod wrappers;

pub use action::{Action, Reply};
pub use found::Found;
pub use kind::{Kind, Spec, database_of};
pub use mistake::{Mistake, Warning};
pub use mmdb::Mmdb;
pub use relay::{ClientPattern, RelayEntry, RelayWhat};
pub use sendmail::route::Route;
pub use sendmail::tag::Tag;
pub use sql::SqlMap;
pub use subject::Subject;
pub use table::Table;
pub use wrappers::clients::{Clients, Holds, Name};
