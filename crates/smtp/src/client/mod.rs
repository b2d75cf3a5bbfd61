//! The client side of SMTP (RFC 5321) and LMTP (RFC 2033) as data.
//!
//! [`Session`] takes what the peer sent and what its owner wants, and says what to write and what
//! happened. It opens no socket, reads no clock and never sees a message: its owner streams the
//! message through a [`DotWriter`] when told to ([`Event::SendBody`]).
//!
//! It answers for: what is offered is what is used, a reply belongs to the command it answers, what a
//! peer can send is bounded, and nothing of an address or a message can become a command. It does not
//! answer for certificates, for the choice of a mechanism or a host, or for what a refusal means.

mod capabilities;
mod dot;
mod error;
mod protocol;
mod response;
mod sending;
mod session;
#[cfg(test)]
mod tests;
mod transaction;

pub use capabilities::Capabilities;
pub use dot::DotWriter;
pub use error::ClientError;
pub use protocol::Protocol;
pub use response::{Response, ResponseError, ResponseLimits, ResponseReader};
pub use session::{Config, Event, Input, Session, Wait};
pub use transaction::{BadPath, Path, RecipientFate, Report, Stage, To, Transaction};
