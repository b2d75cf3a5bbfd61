//! The last stretch of a mail's way: from the spool into a Maildir, to an LMTP server, a smarthost or an MX.
//!
//! Answers for: which connection carries which message, how a failure is classed, when a host is left alone, and who is
//! told about it (delivery status notifications). Does not answer for: keeping mail safe and choosing the hour (`spool`),
//! the form of a mailbox (`maildir`), who may send at all (`guard`).
//!
//! [`Delivery::start`] takes jobs from the spool, divides their recipients by destination and settles each with an
//! outcome; every outcome is told as a [`Fate`].
//!
//! * `manager`, `job`: from the spool and back; `local`: into Maildirs, in batches; `remote`, `destination`, `courier`:
//!   to other hosts, over kept connections.
//! * `mx`, `tls`, `login`, `link`: which host, how protected, as whom, the wire.
//! * `classify`, `dsn`: what a failure means and who is told; pure.

mod classify;
mod config;
mod courier;
mod destination;
pub mod dsn;
mod fate;
mod job;
mod link;
mod local;
mod login;
mod manager;
pub mod mx;
mod notify;
mod remote;
mod tls;
mod writers;

pub use config::{
    Answer, Config, FindMailbox, FindTargets, Limits, Lookups, Mailbox, Mx, OverQuota, Own, RemoteRoute, Smarthost,
    Tls, Unavailable,
};
pub use fate::{Fate, FateKind, OnFate};
pub use manager::{Delivery, StartError, Stats};
