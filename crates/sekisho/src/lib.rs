//! Sekisho, a mail border server that is never abused: the program around the crates.
//!
//! A mail comes in by `listen`, is served by `serve` and judged by `judge`, and lies in the
//! spool. `config` says what is meant, `command` is the command line, `admin` the API by which commands rule a running server, `log` the one line per
//! event, `export` a file of grants for those who can only read one, `watch` reads the logs of other servers, `import` and `doctor`
//! their configurations, `run` the server's life as a process, `demo` the server to try.

/// The crates, under their old paths.
pub use {admin, config, judge, listen, listen::tls};

pub mod command;
pub mod demo;
pub mod doctor;
pub mod export;
pub mod import;
pub mod log;
pub mod run;
pub mod serve;
pub mod watch;
