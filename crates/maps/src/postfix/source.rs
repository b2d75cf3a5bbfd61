//! The source of an indexed table: what postmap(1) reads.

use crate::key::fold;
use crate::kind::Kind;
use crate::lines::{Logical, LogicalLines, is_space, trim_end, trim_start};
use crate::mistake::{Notes, Position, shown};
use crate::source::Entries;
use crate::store::{Entry, Store};

/// All of a file.
pub(crate) fn read(kind: Kind, text: &str, notes: &mut Notes) -> Store {
    let mut entries = Entries::of_text(text, notes);
    for logical in LogicalLines::new(text) {
        let Some(entry) = entry(&logical, entries.notes) else { continue };
        warn_of_oddities(kind, entry, entries.notes);
        if entries.take(Entry { key: &fold(entry.key), ..entry }).is_none() {
            break;
        }
    }
    entries.finish()
}

/// What stands in a line, its key as it is written. `None`: a mistake.
fn entry<'l>(logical: &'l Logical<'_>, notes: &mut Notes) -> Option<Entry<'l>> {
    let line = logical.line;
    let Some(key_end) = key_end(&logical.text) else {
        let quote = logical.text.find('"').unwrap_or(0);
        let what = "a quotation mark that is not closed";
        notes.mistake(logical.position(quote), what, "close it, or escape it by \\");
        return None;
    };
    let (key, rest) = logical.text.split_at(key_end);
    let value = trim_end(trim_start(rest));
    if key.is_empty() {
        let start = Position::start_of(line);
        notes.mistake(start, "a line that continues nothing", "begin it without white space");
    } else if value.is_empty() {
        let what = format!("{} has no value", shown(key));
        notes.mistake(logical.position(key_end), what, "write KEY, space, VALUE");
    } else if let Some(nul) = logical.text.find('\0') {
        notes.mistake(logical.position(nul), "a zero octet", "remove it");
    } else {
        return Some(Entry { key, value, line });
    }
    None
}

/// Where the key ends: at the first white space outside of quotation marks. `None`: they are not closed.
fn key_end(line: &str) -> Option<usize> {
    let mut quoted = false;
    let mut bytes = line.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => quoted = !quoted,
            _ if is_space(byte) && !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(line.len())
}

/// What Postfix complains about in an entry that it takes, and what an operator gets wrong most.
fn warn_of_oddities(kind: Kind, entry: Entry<'_>, notes: &mut Notes) {
    let Entry { key, value, line } = entry;
    if key.ends_with(':') {
        notes.warn(line, || format!("{} ends with a colon: is this an alias file?", shown(key)));
    }
    let code = value.len() == 3 && matches!(value.as_bytes()[0], b'4' | b'5');
    if kind == Kind::Access && code && value.bytes().all(|b| b.is_ascii_digit()) {
        notes.warn(line, || format!("{value} without a text means OK, not a refusal: write {value} and a text"));
    }
}
