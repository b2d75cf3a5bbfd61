//! The mailbox on disk: a Maildir that delivery writes, POP3 reads and Dovecot shares.
//!
//! Answers for: file names, durable delivery in batches, Maildir++ quota, the unique-ids that Dovecot gives for the
//! same mail (`dovecot-uidlist`), the exclusive lock of a POP3 session. Not for: whose mailbox it is, what a message
//! says, when delivery is tried again. Everything here blocks: an asynchronous caller uses a blocking thread.
//!
//! Messages are stored with LF line ends, as Dovecot's own delivery agent does by default; `,S=` in a file name is the
//! stored size and `,W=` the size with CRLF line ends (RFC 1939 §11 wants the latter).
//!
//! Others write there, too: folders, pipes, links, files that nobody may read, names in any encoding, names that tell the wrong
//! size. Nothing of it makes us wait or turns the mailbox away: `plain` opens regular files only, and a maildrop is what can be
//! read of the mailbox.

pub mod create;
pub mod deliver;
pub mod line_ends;
pub mod maildrop;
pub mod name;
pub mod quota;
pub mod uidlist;

mod dotlock;
mod durable;
mod error;
mod listing;
mod plain;
mod sizes;
mod sweep;
mod twins;

pub use create::{create, exists};
pub use deliver::{Attempt, DeliverError, Delivered, Delivery, DeliveryKey, Order, Tmp};
pub use error::MaildropError;
pub use maildrop::{Entry, Maildrop};
pub use quota::{Quota, Usage};
pub use sweep::sweep_tmp;
