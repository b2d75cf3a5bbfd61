//! The sections of the file, one a module: what is written there with its defaults, what it means, and which of it is read at the
//! start only. A new key is a change of its section's file and of nothing else here.

pub mod access;
pub mod account;
pub mod acme;
pub mod admin;
pub mod alarms;
pub mod auth;
pub mod delivery;
pub mod directory;
pub mod dns;
pub mod dnsbl;
pub mod domains;
pub mod guard;
pub mod limits;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod permissions;
pub mod records;
pub mod relay;
pub mod spool;
pub mod state;
pub mod tls;
pub mod watch;
