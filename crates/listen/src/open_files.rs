//! How many files the process may have open: each connection is one.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, and gives what is in force then. Nobody here counts on the low soft limit that
/// systems begin with, which is for programs that wait by `select`.
pub fn raise() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// The limit in force; `None`: the system does not tell.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|limits| limits.0)
}

/// How many files are open now; `None`: the system does not tell. The look itself is one of them, and is not counted.
pub fn used() -> Option<u64> {
    let entries = std::fs::read_dir("/dev/fd").ok()?;
    u64::try_from(entries.count()).ok().map(|count| count.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_hard_one() {
        let limit = raise().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (limit, limit));
        assert_eq!(super::limit(), Some(limit));
        assert!(used().is_some_and(|used| used >= 3 && used < limit));
    }
}
