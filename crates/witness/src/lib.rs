//! Who tells whom of logins: `watch` reads the logs of other servers for theirs, `export` keeps a file of the grants for
//! programs that can only read one.

pub mod export;
pub mod watch;
