//! The whole program against real clients on loopback. Each test starts a demo of its own on ports of its own.

mod clients;
mod dovecot;
mod kill;
mod pop_before_smtp;
mod probes;
mod support;
