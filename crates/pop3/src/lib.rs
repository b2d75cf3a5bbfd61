//! POP3 as data: a session without I/O. Bytes and answers go in, replies and questions come out, time is an argument.
//!
//! RFC 1939 whole, RFC 2449 (CAPA, response codes), RFC 2595 (STLS), RFC 3206 (AUTH and SYS codes), RFC 5034 (AUTH),
//! RFC 6856 (UTF8). Who may log in, where the mail lies and how it is locked are the driver's questions to answer.

pub mod command;
pub mod config;
pub mod listing;
pub mod replies;
pub mod reply;
pub mod secret;
pub mod session;
pub mod stuff;

pub use config::{Config, Limits, Offer, PlainText};
pub use listing::{Lines, Listing};
pub use reply::{Code, Reply};
pub use secret::Secret;
pub use session::{Answer, Drained, Input, Output, Peer, Question, Session, Wanted};
