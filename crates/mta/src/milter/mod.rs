//! sendmail's mail filter protocol, versions 2 to 6, the filter's side: the mail server connects and tells of each step of
//! its SMTP sessions, the filter answers.
//!
//! [`Session`] is one connection of a mail server, which carries one SMTP session, or several after each other. It answers
//! the negotiation by itself, keeps the macros, holds the server to the order of steps, and checks that each event gets
//! the one reply that it wants. What to answer is the caller's; so are paths, which are given as they came and parsed with
//! [`smtp::address`].
//!
//! ```
//! use mta::milter::{Config, Event, MilterError, Reply, Session};
//!
//! fn answer(session: &mut Session, octets: &[u8], out: &mut Vec<u8>) -> Result<(), MilterError> {
//!     session.push(octets);
//!     while let Some(event) = session.next_event(out)? {
//!         if event.wants_reply() {
//!             session.reply(&Reply::Continue, out)?;
//!         }
//!     }
//!     Ok(())
//! }
//!
//! let mut session = Session::new(Config::default());
//! let mut out = Vec::new();
//! let offer = b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";
//! answer(&mut session, offer, &mut out).unwrap();
//! assert_eq!(&out[4..9], b"O\0\0\0\x06");
//! ```
//!
//! There is no RFC. The protocol is what sendmail's libmilter defines (`libmilter/mfdef.h`: octets and bits) and what
//! Postfix makes of it. Not offered: packets above 64 KiB (`SMFIP_MDS_256K`, `SMFIP_MDS_1M`), replies left out
//! (`SMFIP_NR_…`), header values with their leading space (`SMFIP_HDR_LEADSPC`).

mod command;
mod error;
mod event;
mod macros;
mod negotiation;
mod packet;
mod phase;
mod reply;
mod session;
#[cfg(test)]
mod tests;

pub use error::{MilterError, Misuse};
pub use event::{Event, path_text};
pub use macros::{MACRO_OCTETS_MAX, MACROS_MAX, Stage};
pub use negotiation::{Actions, Config, Negotiated, Steps, VERSION_MAX, VERSION_MIN};
pub use packet::{DATA_OCTETS_MAX, INPUT_OCTETS_MAX};
pub use reply::{Modification, Reply};
pub use session::Session;
