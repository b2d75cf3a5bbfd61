//! The source of a database: what makemap(8) reads. An entry a line, comments only at the start of a line, nothing goes on.

use std::net::Ipv6Addr;

use super::access::uncompressed;
use super::route::Route;
use super::{action, deny, tag};
use crate::action::Action;
use crate::key::fold;
use crate::kind::Kind;
use crate::lines::{is_space, trim_end, trim_start};
use crate::mistake::{Notes, Position, shown};
use crate::source::Entries;
use crate::store::{Entry, Store};

/// All of a file.
pub(crate) fn read(kind: Kind, text: &str, notes: &mut Notes) -> Store {
    let mut entries = Entries::of_text(text, notes);
    for (number, raw) in (1..).zip(text.split('\n')) {
        let Some(entry) = entry(number, raw, entries.notes) else { continue };
        let entry = Entry { key: &fold(entry.key), ..entry };
        if check(kind, entry, entries.notes) && entries.take(entry).is_none() {
            break;
        }
    }
    entries.finish()
}

/// What stands in a line, its key as it is written. `None`: nothing, or a mistake.
fn entry<'l>(number: u32, raw: &'l str, notes: &mut Notes) -> Option<Entry<'l>> {
    if raw.is_empty() || raw.starts_with('#') {
        return None;
    }
    let line = trim_end(raw);
    if line.is_empty() {
        if raw != "\r" {
            notes.warn(number, || "white space alone: makemap calls it an error, and goes on".to_owned());
        }
        return None;
    }
    if is_space(line.as_bytes()[0]) {
        let start = Position::start_of(number);
        notes.mistake(start, "a line that begins with white space", "write it at the start of the line");
        return None;
    }
    let end = line.bytes().position(is_space).unwrap_or(line.len());
    Some(Entry { key: &line[..end], value: trim_start(&line[end..]), line: number })
}

/// Whether an entry, its key folded, can be taken.
pub(crate) fn check(kind: Kind, entry: Entry<'_>, notes: &mut Notes) -> bool {
    let Entry { key, value, line } = entry;
    let (start, behind_key) = (Position::start_of(line), Position::behind(line, key));
    if key.contains('\0') || value.contains('\0') {
        notes.mistake(start, "a zero octet", "remove it");
        return false;
    }
    if value.is_empty() && kind != Kind::Deny {
        notes.mistake(behind_key, format!("{} has no value", shown(key)), "write KEY, TAB, VALUE");
        return false;
    }
    let at_value = behind_key.plus(" ");
    match kind {
        Kind::SendmailAccess => {
            warn_of_key(key, line, notes);
            warn_of_value(entry, notes);
        }
        Kind::Deny => {
            if let Err(what) = deny::check_key(key) {
                notes.mistake(start, what, "write user@domain, a domain, an address, or its first octets");
                return false;
            }
            if let Action::Unsupported(what) = action::deny(value) {
                notes.mistake(at_value, what, "begin the message with a code of 400 to 599, or with none");
                return false;
            }
        }
        Kind::Mailertable => {
            if let Err(what) = value.parse::<Route>() {
                notes.mistake(at_value, what.to_string(), "write MAILER:HOST, as in smtp:[mx.example.com]");
                return false;
            }
        }
        _ => {}
    }
    true
}

/// A key that no look-up will ever use is worth a word.
fn warn_of_key(key: &str, line: u32, notes: &mut Notes) {
    let (tag, rest) = match key.split_once(':') {
        Some((tag, rest)) if tag != "ipv6" && !tag.contains(['@', '.', '[']) => (tag, rest),
        _ => ("", key),
    };
    if !tag.is_empty() && !tag::KNOWN.contains(&tag) {
        notes.warn(line, || format!("{} is no tag that sendmail looks up", shown(tag)));
    }
    let compressed = rest.strip_prefix("ipv6:").and_then(|addr| addr.parse::<Ipv6Addr>().ok());
    if let Some(addr) = compressed.filter(|addr| rest[5..] != uncompressed(*addr)) {
        notes.warn(line, || format!("sendmail looks addresses up in full: write IPv6:{}", uncompressed(addr)));
    }
    if rest.strip_suffix('.').is_some_and(|r| r.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !r.is_empty()) {
        notes.warn(line, || format!("{} is never looked up: octets stand without a dot at their end", shown(rest)));
    }
}

/// A value that sendmail would send as the text of a refusal, though it was hardly meant so.
fn warn_of_value(entry: Entry<'_>, notes: &mut Notes) {
    let Entry { key, value, line } = entry;
    let judged = !key.contains(':') || ["connect:", "from:", "to:", "ipv6:"].iter().any(|tag| key.starts_with(tag));
    if judged && matches!(action::access(value), Action::Unsupported(_)) {
        notes.warn(line, || format!("{} is none of sendmail's words: it refuses, with this as its text", shown(value)));
    }
}
