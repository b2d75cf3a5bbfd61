//! The last stretch of a mail's way: from the spool into a Maildir, to an LMTP server, a smarthost or an MX.
//!
//! Answers for: which connection carries which message, how a failure is classed, when a host is left alone, and who is
//! told about it (delivery status notifications). Does not answer for: keeping mail safe and choosing the hour (`spool`),
//! the form of a mailbox (`maildir`), who may send at all (`guard`).
//!
//! [`Delivery::start`] takes jobs from the spool, divides their recipients by destination and settles each with an
//! outcome; every outcome is told as a [`Fate`].
//!
//! * `dispatch`, `job`, `conclude`, `notify`: from the spool and back; `local`, `writers`: into Maildirs, in batches;
//!   `sweep`: what was left there; `remote`, `destination`, `courier`: to other hosts, over kept connections. `shared` is
//!   what all of these have, `names` what
//!   it remembers of hosts.
//! * `retry`, `watched`: trying at once what the operator names, and saying what came of it; `way`: by which way.
//! * `ask`: whether a next hop has a recipient, before mail for it is taken.
//! * `mx`, `tls`, `link`: which host, how protected, as whom, the wire.
//! * `classify`, `dsn`: what a failure means and who is told; pure.

mod ask;
mod classify;
mod clock;
mod conclude;
mod config;
mod courier;
mod destination;
mod dispatch;
pub mod dsn;
mod fate;
mod job;
mod link;
mod local;
pub mod mx;
mod names;
mod notify;
mod remote;
mod retry;
mod shared;
mod sweep;
mod tls;
mod watched;
mod way;
mod writers;

pub use ask::Asker;
pub use config::{
    Answer, Config, FindMailbox, FindMaildirRoot, FindTargets, Limits, Lookups, Mailbox, Mx, OverQuota, Own,
    RemoteRoute, Smarthost, Tls, Unavailable,
};
pub use dispatch::{Delivery, StartError, Stats};
pub use fate::{Bracketed, Fate, FateKind, OnFate, WAYS};
pub use retry::{Retried, Retrier, Wanted};
pub use watched::Told;
