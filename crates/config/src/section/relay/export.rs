//! `relay.export`: the database file of the addresses that have a grant now.

use crate::reading::Reading;
use std::path::PathBuf;

/// `relay.export`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// A hash, not a btree.
    pub hash: bool,
    /// The file itself: the name that is written, with the `.db` that belongs to it.
    pub path: PathBuf,
}

pub(super) fn meant(text: &str, reading: &mut Reading<'_>) -> Option<Export> {
    let (hash, path) = match text.split_once(':') {
        Some(("hash", path)) if !path.is_empty() => (true, path),
        Some(("btree", path)) if !path.is_empty() => (false, path),
        _ => {
            let message = format!("`relay.export`: \"{text}\" is no database file");
            reading.wrong("relay.export", message, "\"btree:FILE\" or \"hash:FILE\"");
            return None;
        }
    };
    Some(Export { hash, path: maps::database_of(&reading.below(path)) })
}
