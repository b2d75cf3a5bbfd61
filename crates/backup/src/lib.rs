//! A server as a backup: what of it is copied while it runs, how that is told to be whole, and how it becomes a server again.
//!
//! What must be true of it: all that was acknowledged before a backup began is in it, or was delivered; nothing of a restored queue
//! goes out before a person releases it (`spool::RESTORED`), since nobody can know what went out after the backup; no key is in it
//! in the clear; nothing is put in its place before every sum was seen to be right.
//!
//! | file | answers for |
//! |---|---|
//! | [`picture`] | the running server's part: queue, state, accounts, lines, mail, as a stream |
//! | `mail` | Maildirs while mail comes and goes |
//! | [`pipe`] | the stream from who reads to who writes |
//! | `pack` | files with their sums in a tar archive |
//! | [`store`] | the stream, configuration and keys as a folder or a file |
//! | [`extra`] | what the command adds: configuration, keys, what is left out |
//! | [`manifest`] | what is in a backup |
//! | `name` | how files are called in it |
//! | [`places`], [`target`] | where each part lies, and where it is restored to |
//! | [`passphrase`] | keys sealed with a passphrase |
//! | [`stage`] | a backup is read and verified |
//! | [`restore`] | it is put in its place |
//! | `disk` | files moved and made durable |
//! | [`args`], [`command`] | the two commands |
//! | [`told`] | what people are told |

pub mod args;
pub mod command;
mod disk;
mod error;
pub mod extra;
mod mail;
pub mod manifest;
mod name;
mod pack;
pub mod passphrase;
pub mod picture;
pub mod pipe;
pub mod places;
pub mod restore;
pub mod stage;
pub mod store;
pub mod target;
pub mod told;

pub use error::BackupError;
pub use restore::refuse_unfinished;
