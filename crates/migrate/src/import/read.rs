//! Reading files of other programs: bounded, and nothing but files.

use super::ImportError;
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// What is longer is no configuration.
const FILE_OCTETS_MAX: u64 = 16 << 20;

/// The text of a file; octets that are no UTF-8 become replacement signs.
pub(crate) fn text(path: &Path) -> Result<String, ImportError> {
    read(path).map_err(|error| ImportError::Unreadable { path: path.to_owned(), error })
}

fn read(path: &Path) -> io::Result<String> {
    // Asked before it is opened: opening a FIFO would wait.
    let about = path.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file"));
    }
    let mut octets = Vec::new();
    File::open(path)?.take(FILE_OCTETS_MAX + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > FILE_OCTETS_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "this is too long for a configuration"));
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}
