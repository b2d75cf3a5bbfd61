//! Real mail servers beside a demo, on loopback: who may relay is the guard's word, through every interface.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

#[path = "../e2e/support.rs"]
#[expect(dead_code, reason = "the demo's own tests use more of it")]
mod demo;
mod dovecot;
mod examples;
mod exim;
mod guides;
mod log_readers;
mod postfix;
mod probe;
mod prometheus;
mod qmail;
mod rpcbind;
mod sendmail;
mod support;
