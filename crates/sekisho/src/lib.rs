//! Sekisho, a mail server that never relays for strangers: the program around the crates.
//!
//! `command` is the command line, `run` the server's life as a process, `notify` what systemd is told of it, `status` what operators are, `watching` what is watched of it, `demo` the server to
//! try. What it does is done by the crates below.

pub mod command;
pub mod demo;
mod notify;
pub mod run;
pub mod status;
mod watching;
