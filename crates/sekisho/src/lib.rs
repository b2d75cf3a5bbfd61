//! Sekisho, a mail border server that is never abused: the program around the crates.
//!
//! `config` says what is meant, `command` is the command line, `admin` the API by which commands rule a running server,
//! `log` the one line per event.

pub mod config;
pub mod log;
