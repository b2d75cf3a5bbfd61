//! Readers of the files whose entries are a key and a value, one a line.

use std::borrow::Cow;
use std::net::IpAddr;

use super::action::Action;
use super::fold::fold;
use super::kind::Kind;
use super::lines::{LogicalLines, is_space, trim_end, trim_start};
use super::mistake::{Notes, shown};
use super::relay;
use super::sendmail::{keys as sendmail, route};
use super::store::{Builder, Store};

/// A file's octets as text. What is not UTF-8 is a mistake outside of comments.
pub(super) fn decode<'a>(octets: &'a [u8], notes: &mut Notes) -> Cow<'a, str> {
    if let Ok(text) = str::from_utf8(octets) {
        return Cow::Borrowed(text);
    }
    for (number, line) in (1..).zip(octets.split(|b| *b == b'\n')) {
        let comment = line.iter().find(|b| !is_space(**b)) == Some(&b'#');
        if let (false, Err(error)) = (comment, str::from_utf8(line)) {
            let before = String::from_utf8_lossy(&line[..error.valid_up_to()]).chars().count();
            let column = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
            notes.mistake((number, column), "not UTF-8", "convert the file, as with iconv");
        }
    }
    String::from_utf8_lossy(octets)
}

fn builder_for(text: &str) -> Builder {
    // The shortest entry has four octets, with its line end.
    let lines = text.bytes().filter(|b| *b == b'\n').count() + 1;
    Builder::with_capacity(text.len(), lines.min(text.len() / 4 + 1))
}

fn too_big(notes: &mut Notes) {
    notes.mistake((1, 1), "more than 4 GiB of entries", "keep them in several files");
}

fn finish(builder: Builder, notes: &mut Notes) -> Store {
    builder.finish(|doubled| {
        notes.warn(doubled.line, || {
            format!("{} is in line {} already, and that one counts", shown(doubled.key), doubled.first_line)
        });
    })
}

/// The source of an indexed table: what postmap(1) reads.
pub(super) fn postmap(kind: Kind, text: &str, notes: &mut Notes) -> Store {
    let mut builder = builder_for(text);
    for logical in LogicalLines::new(text) {
        let line = logical.line;
        let Some(key_end) = key_end(&logical.text) else {
            let quote = logical.text.find('"').unwrap_or(0);
            notes.mistake(logical.place(quote), "a quotation mark that is not closed", "close it, or escape it by \\");
            continue;
        };
        let (key, rest) = logical.text.split_at(key_end);
        let value = trim_end(trim_start(rest));
        if key.is_empty() {
            notes.mistake((line, 1), "a line that continues nothing", "begin it without white space");
        } else if value.is_empty() {
            notes.mistake(logical.place(key_end), format!("{} has no value", shown(key)), "write KEY, space, VALUE");
        } else if let Some(nul) = logical.text.find('\0') {
            notes.mistake(logical.place(nul), "a zero octet", "remove it");
        } else {
            check_access(kind, line, (key, value), notes);
            if !builder.push(&fold(key), value, line) {
                too_big(notes);
                break;
            }
        }
    }
    finish(builder, notes)
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
fn check_access(kind: Kind, line: u32, (key, value): (&str, &str), notes: &mut Notes) {
    if key.ends_with(':') {
        notes.warn(line, || format!("{} ends with a colon: is this an alias file?", shown(key)));
    }
    let code = value.len() == 3 && matches!(value.as_bytes()[0], b'4' | b'5');
    if kind == Kind::Access && code && value.bytes().all(|b| b.is_ascii_digit()) {
        notes.warn(line, || format!("{value} without a text means OK, not a refusal: write {value} and a text"));
    }
}

/// What makemap(8) reads: an entry a line, comments only at the start of a line, nothing goes on.
pub(super) fn makemap(kind: Kind, text: &str, notes: &mut Notes) -> Store {
    let mut builder = builder_for(text);
    for (number, raw) in (1..).zip(text.split('\n')) {
        if raw.is_empty() || raw.starts_with('#') {
            continue;
        }
        let line = trim_end(raw);
        if line.is_empty() {
            if raw != "\r" {
                notes.warn(number, || "white space alone: makemap calls it an error, and goes on".to_owned());
            }
            continue;
        }
        if is_space(line.as_bytes()[0]) {
            notes.mistake((number, 1), "a line that begins with white space", "write it at the start of the line");
            continue;
        }
        let end = line.bytes().position(is_space).unwrap_or(line.len());
        let (key, value) = (&line[..end], trim_start(&line[end..]));
        let key = fold(key);
        if check_entry(kind, number, (&key, value), notes) && !builder.push(&key, value, number) {
            too_big(notes);
            break;
        }
    }
    finish(builder, notes)
}

/// Whether the entry can be taken.
fn check_entry(kind: Kind, line: u32, (key, value): (&str, &str), notes: &mut Notes) -> bool {
    let after = u32::try_from(key.chars().count()).unwrap_or(u32::MAX).saturating_add(1);
    if key.contains('\0') || value.contains('\0') {
        notes.mistake((line, 1), "a zero octet", "remove it");
        return false;
    }
    if value.is_empty() && kind != Kind::Deny {
        notes.mistake((line, after), format!("{} has no value", shown(key)), "write KEY, TAB, VALUE");
        return false;
    }
    match kind {
        Kind::SendmailAccess => {
            sendmail::check_key(key, line, notes);
            sendmail::check_value(line, (key, value), notes);
        }
        Kind::Deny => {
            if let Err(what) = sendmail::deny_key(key) {
                notes.mistake((line, 1), what, "write user@domain, a domain, an address, or its first octets");
                return false;
            }
            if let Action::Unsupported(what) = Action::parse(kind, value) {
                notes.mistake((line, after + 1), what, "begin the message with a code of 400 to 599, or with none");
                return false;
            }
        }
        Kind::Mailertable => {
            if let Err(what) = value.parse::<route::Route>() {
                notes.mistake((line, after + 1), what.to_string(), "write MAILER:HOST, as in smtp:[mx.example.com]");
                return false;
            }
        }
        _ => {}
    }
    true
}

/// A list of words: what sendmail reads into a class. `#` begins a comment anywhere.
pub(super) fn words(kind: Kind, text: &str, notes: &mut Notes) -> Store {
    let mut builder = builder_for(text);
    for (number, raw) in (1..).zip(text.split('\n')) {
        let line = raw.split('#').next().unwrap_or("");
        for word in line.split(|c: char| c.is_ascii() && is_space(c as u8)).filter(|word| !word.is_empty()) {
            let start = word.as_ptr() as usize - raw.as_ptr() as usize;
            let column = u32::try_from(raw[..start].chars().count()).unwrap_or(u32::MAX).saturating_add(1);
            let key = fold(word);
            if let Err((what, hint)) = check_word(kind, &key) {
                notes.mistake((number, column), what, hint);
                continue;
            }
            let value = if kind == Kind::LocalHostNames { "OK" } else { "RELAY" };
            if !builder.push(key.trim_end_matches('.'), value, number) {
                too_big(notes);
                return finish(builder, notes);
            }
        }
    }
    finish(builder, notes)
}

fn check_word(kind: Kind, word: &str) -> Result<(), (String, &'static str)> {
    let network = relay::network(word);
    let looks_like_address = word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'/'));
    match (kind, network) {
        (Kind::IpAllow, None) => Err((
            format!("{} is no address and no octets of one", shown(word)),
            "write as in 192.168.1.10 or 192.168.1",
        )),
        (_, None) if looks_like_address => {
            Err((format!("{} is neither an address nor a domain", shown(word)), "write as in 192.168.1 or example.com"))
        }
        (Kind::NameAllow | Kind::LocalHostNames, Some(_)) if word.parse::<IpAddr>().is_ok() || looks_like_address => {
            Err((format!("{} is an address", shown(word)), "this list has names only"))
        }
        (_, Some(_)) => Ok(()),
        // A class of sendmail has domain literals too: [192.0.2.1].
        (Kind::LocalHostNames, _) if word.starts_with('[') && word.ends_with(']') => Ok(()),
        (_, None) => sendmail::domain_name(word).map_err(|what| (what, "write a domain, as in example.com")),
    }
}

/// What a database gave.
pub(super) fn pairs<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    kind: Kind,
    pairs: impl IntoIterator<Item = (K, V)>,
    notes: &mut Notes,
) -> Store {
    let mut builder = Builder::default();
    let indexed =
        matches!(kind, Kind::Access | Kind::Hash | Kind::Btree | Kind::SendmailAccess | Kind::Deny | Kind::Mailertable);
    if !indexed {
        notes.mistake((0, 1), format!("a map of type {kind} has no database"), "name the text file");
    }
    for (key, value) in pairs {
        let (key, value) = (unterminated(key.as_ref()), unterminated(value.as_ref()));
        let (Ok(key), Ok(value)) = (str::from_utf8(key), str::from_utf8(value)) else {
            let key = String::from_utf8_lossy(key);
            notes.mistake((0, 1), format!("{} is not UTF-8", shown(&key)), "make the database anew from its text");
            continue;
        };
        if key.is_empty() || !indexed {
            continue;
        }
        let key = fold(key);
        let fine = match kind {
            Kind::SendmailAccess | Kind::Deny | Kind::Mailertable => check_entry(kind, 0, (&key, value), notes),
            _ => true,
        };
        if fine && !builder.push(&key, value, 0) {
            too_big(notes);
            break;
        }
    }
    finish(builder, notes)
}

fn unterminated(octets: &[u8]) -> &[u8] {
    octets.strip_suffix(&[0]).unwrap_or(octets)
}
