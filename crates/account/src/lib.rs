//! What users of this machine may do with their own account, over a Unix socket that everybody may write to: see it, change its
//! password, cut a device off.
//!
//! Whose account it is, the system tells (the user at the other end, whom the configuration maps to a login), or the password does. That
//! one is a login like any other: throttled, counted, logged. Who locked an account or let it expire is the operator; it opens nothing
//! here then.
//!
//! | file | what |
//! |---|---|
//! | `wire` | one question and one answer, each a line of JSON |
//! | `client` | asking |
//! | `crowd` | how many connections a user has |
//! | `desk` | answering one question |
//! | `socket` | connections |

pub mod client;
mod crowd;
mod desk;
mod socket;
pub mod wire;

pub use desk::Desk;
pub use socket::{BindError, bind, serve};
