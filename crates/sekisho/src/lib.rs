//! Sekisho, a mail server that never relays for strangers: the program around the crates.
//!
//! `command` is the command line, `run` the server's life as a process, `status` what is told of it, `watching` what is watched of it, `log` the one line per event, `demo` the server to
//! try. What it does is done by the crates below.

pub mod command;
pub mod demo;
pub mod log;
pub mod run;
pub mod status;
mod watching;
