//! The whole program against real clients on loopback. Each test starts a demo of its own on ports of its own.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

mod access;
mod asking;
mod auth_policy;
mod clients;
mod config;
mod dns;
mod dnsbl;
mod dovecot;
mod dovecot_auth;
mod drac;
mod dracd;
mod examples;
mod fixtures;
mod guesses;
mod hanging;
mod kill;
mod life;
mod map_command;
mod one_brain;
mod outside;
mod policy;
mod pop_before_smtp;
mod probes;
mod queue;
mod rights;
mod smarthost;
mod socketmap;
mod state_engine;
mod strangers;
mod support;
mod telling;
mod traps_auth;
mod traps_mail;
mod traps_relay;
mod watch;
