//! From a machine without a server to one that runs: `sekisho init`, certificates from an authority, systemd, the package.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

mod acme;
mod clean;
mod init;
mod machine;
mod package;
mod pebble;
mod support;
mod systemd;
