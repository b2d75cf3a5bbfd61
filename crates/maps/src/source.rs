//! The source of a table of keys and values: what is common to all programs that read one.

use std::borrow::Cow;

use crate::lines::is_space;
use crate::mistake::{Notes, Position, shown};
use crate::store::{Builder, Entry, Store};

/// A file's octets as text. What is not UTF-8 is a mistake outside of comments.
pub(crate) fn decode<'a>(octets: &'a [u8], notes: &mut Notes) -> Cow<'a, str> {
    if let Ok(text) = str::from_utf8(octets) {
        return Cow::Borrowed(text);
    }
    for (number, line) in (1..).zip(octets.split(|b| *b == b'\n')) {
        let comment = line.iter().find(|b| !is_space(**b)) == Some(&b'#');
        if let (false, Err(error)) = (comment, str::from_utf8(line)) {
            let before = String::from_utf8_lossy(&line[..error.valid_up_to()]);
            notes.mistake(Position::behind(number, &before), "not UTF-8", "convert the file, as with iconv");
        }
    }
    String::from_utf8_lossy(octets)
}

/// The entries of one table while they are read.
pub(crate) struct Entries<'n> {
    builder: Builder,
    pub(crate) notes: &'n mut Notes,
}

impl<'n> Entries<'n> {
    /// Of a database.
    pub(crate) fn new(notes: &'n mut Notes) -> Self {
        Self { builder: Builder::default(), notes }
    }

    /// Of a text, with room for them.
    pub(crate) fn of_text(text: &str, notes: &'n mut Notes) -> Self {
        // The shortest entry has four octets, with its line end.
        let lines = text.bytes().filter(|b| *b == b'\n').count() + 1;
        Self { builder: Builder::with_capacity(text.len(), lines.min(text.len() / 4 + 1)), notes }
    }

    /// Takes an entry whose key is folded. `None`: there is no room for more.
    pub(crate) fn take(&mut self, entry: Entry<'_>) -> Option<()> {
        if self.builder.push(entry) {
            return Some(());
        }
        let first = Position::start_of(1);
        self.notes.mistake(first, "more than 4 GiB of entries", "keep them in several files");
        None
    }

    /// All of them.
    pub(crate) fn finish(self) -> Store {
        let Self { builder, notes } = self;
        builder.finish(|doubled| {
            notes.warn(doubled.line, || {
                format!("{} is in line {} already, and that one counts", shown(doubled.key), doubled.first_line)
            });
        })
    }
}
