//! The interfaces of other mail servers, for who answers, and for who asks where anybody here does. No I/O: octets come in,
//! values go out, and the other way round.
//!
//! | folder | what it speaks |
//! |---|---|
//! | `address` | addresses of hosts, in the spellings of all these |
//! | `path` | forward-paths and reverse-paths, as these tell them |
//! | `policy` | Postfix's policy delegation |
//! | `socketmap` | look-ups by sendmail and Postfix |
//! | `milter` | sendmail's mail filter protocol, version 6 |
//! | `dovecot_auth` | Dovecot's authentication protocol |
//! | `auth_policy` | Dovecot's authentication policy reports |

pub mod address;
pub mod auth_policy;
pub mod dovecot_auth;
mod lines;
pub mod milter;
pub mod path;
pub mod policy;
pub mod socketmap;
mod text;
