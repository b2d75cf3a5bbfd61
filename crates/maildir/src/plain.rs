//! Opening what others may have put in the place of a file: only a regular file, never through a link, never waiting.
//!
//! Whoever may write in the mailbox could lay a pipe there, which to open is to wait for ever, or a link to a file that is not
//! theirs to read.

use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Opens for reading; `Err` of kind `InvalidInput` for what is no regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    with(OpenOptions::new().read(true), path)
}

/// Opens so that what is written goes to the end.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    with(OpenOptions::new().append(true), path)
}

/// Opens with these options.
pub(crate) fn with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = options.custom_flags(flags.bits()).open(path).map_err(|error| match error.raw_os_error() {
        // A link; a pipe without a reader, or a socket; a folder opened for writing.
        Some(code) if is_other_kind(code) => no_file(),
        _ => error,
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
}

fn is_other_kind(code: i32) -> bool {
    use nix::errno::Errno;
    [Errno::ELOOP, Errno::ENXIO, Errno::EISDIR].contains(&Errno::from_raw(code))
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no regular file")
}

/// Whether an error says that there is something, but no regular file.
pub(crate) fn is_no_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput && error.raw_os_error().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use std::fs;
    use std::io::{Read as _, Write as _};

    #[test]
    fn only_regular_files_are_opened_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "a").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for name in ["link", "folder", "pipe", "socket"] {
            for opened in [open(&at(name)), append(&at(name))] {
                assert!(is_no_file(&opened.unwrap_err()), "{name}");
            }
        }
        append(&at("file")).unwrap().write_all(b"b").unwrap();
        let mut text = String::new();
        open(&at("file")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), open(&at("none")).unwrap_err().kind()), ("ab", io::ErrorKind::NotFound));
    }
}
