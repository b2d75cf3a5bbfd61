//! SMTP as data: addresses, commands, replies, and the sessions of both sides as state machines without I/O.
//!
//! Answers for grammar and order of the protocol (RFC 5321 and the extensions that the server offers). It does not
//! decide who may relay, knows no clock, socket or file: bytes and answers go in, replies and questions come out.

pub mod address;
pub mod client;
pub mod command;
pub mod dot;
pub mod dsn;
pub mod head;
pub mod http;
pub mod line;
pub mod opening;
pub mod replies;
pub mod reply;
pub mod server;
pub mod xtext;

pub use address::{AddressError, Domain, DomainError, ForwardPath, Host, LocalPart, Mailbox, ReversePath, Routing};
pub use dsn::{Notify, Ret};
pub use reply::{Enhanced, Reply};
