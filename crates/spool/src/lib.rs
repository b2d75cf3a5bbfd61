//! The durable queue: what was acknowledged is on disk, and leaves it only when every recipient is settled.
//!
//! Answers for: accepting (group commit), recovery, the order and time of attempts, leases, hold and release,
//! and the space on disk. Does not answer for: where a mail goes and how (crate `delivery`), nor who may send
//! (crate `guard`).
//!
//! A mail's way: [`Spool::incoming`] → [`Incoming::write`] → [`Incoming::commit`] (durable) → [`Spool::next`]
//! (leased as a [`Job`]) → [`Spool::settle`].
//!
//! * `incoming`: a mail that is being received; `writer`: the one thread that appends and syncs.
//! * `index`, `entry`, `state`, `schedule`: what is queued, in memory; `job`, `body`: what delivery is handed.
//! * `record`, `codec`, `checksum`, `scan`: the form on disk, pure; `segment`, `durable`, `recovery`: files.
//! * `held`: what nobody may be told of, by destination; `tend`: how that is kept within bounds.
//! * `relayed`: the chain in which each message that is relayed leaves its line.
//! * `manage`: the operator's view; `hold`: what is kept until a person decides; `space`: room on disk; `copy`: for a backup.

mod alarm;
mod body;
mod checksum;
mod codec;
mod config;
mod copy;
mod durable;
mod entry;
mod envelope;
mod error;
mod held;
mod hold;
mod id;
mod incoming;
mod index;
mod job;
mod manage;
mod mutex;
mod record;
mod recovery;
mod relayed;
mod scan;
mod schedule;
mod segment;
mod settle;
mod shared;
mod space;
mod spool;
mod state;
mod tend;
mod waiting;
mod writer;

pub mod fuzzing;

pub use body::{Body, BodyReader, Chunks};
pub use config::{HeldLimits, SpoolConfig};
pub use copy::{Copied, CopyError, Piece, RESTORED};
pub use envelope::{Envelope, Origin, Ownership, Recipient, Ret, Sender, Target, Via};
pub use error::{AcceptError, OpenError, SpoolError};
pub use id::{QueueId, QueueIdError};
pub use incoming::Incoming;
pub use job::Job;
pub use manage::{AgeBucket, Filter, Listed, ListedRecipient, RecipientState, Stats};
pub use recovery::{Damage, Recovery};
pub use schedule::Backoff;
pub use settle::{Outcome, Settled};
pub use spool::Spool;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type UnixMicros = u64;
