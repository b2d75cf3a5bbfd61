//! One event as one line: escaping is here and nowhere else.
//!
//! In text, a value stands bare if it has only harmless characters, else in quotes with `"`, `\` and control characters
//! escaped: a peer can neither end a line nor begin a field.
//!
//! It is our own, since what there is promises less to whoever reads the log: `tracing-subscriber` writes a value of `%` as it
//! comes, and `tracing-logfmt` leaves characters bare that print as nothing or turn the direction of what follows. Neither
//! bounds a value, nor has the same fields in text and JSON with the message as the event's name.

use super::own::is_own;
use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::{
    Event, Level,
    field::{Field, Visit},
};

/// Longest value; what is longer is cut, and says so by `…`.
const VALUE_OCTETS_MAX: usize = 1_024;

/// Buffers of one thread, so that a line costs no allocation.
#[derive(Default)]
struct Scratch {
    line: String,
    fields: String,
    value: String,
    clock: Clock,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Formats an event and hands the line out. An event within an event (from a `Debug` of a value) is left out.
pub(super) fn write(event: &Event<'_>, form: Form, out: impl FnOnce(&[u8])) {
    SCRATCH.with(|scratch| {
        let Ok(mut scratch) = scratch.try_borrow_mut() else { return };
        let Scratch { line, fields, value, clock } = &mut *scratch;
        line.clear();
        fields.clear();
        let metadata = event.metadata();
        let own = is_own(metadata.target());
        let mut visitor = Visitor { form, own, fields, value, event: EventName::NONE };
        event.record(&mut visitor);
        let name = visitor.event;
        head(line, form, clock.now(), *metadata.level());
        name.write(line, form);
        if !own {
            put(fields, form, "target", Value::Text(metadata.target()));
        }
        line.push_str(fields);
        line.push_str(form.end());
        out(line.as_bytes());
    });
}

/// The line that tells of lines that could not be written.
pub(super) fn dropped(out: &mut Vec<u8>, form: Form, lines: u64) {
    notice(out, form, &Notice { level: Level::WARN, event: "lines_dropped" }, |line| {
        put(line, form, "lines", Value::Bare(format_args!("{lines}")));
    });
}

/// The line that tells of lines that were left out, since there were too many of their event.
pub(super) fn suppressed(out: &mut Vec<u8>, form: Form, left_out: &LeftOut) {
    let LeftOut { event, count } = left_out;
    notice(out, form, &Notice { level: Level::INFO, event: "lines_suppressed" }, |line| {
        put(line, form, "event", Value::Text(event));
        put(line, form, "count", Value::Bare(format_args!("{count}")));
    });
}

/// How many lines of an event were left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) event: String,
    pub(super) count: u64,
}

/// What the log says about itself.
struct Notice<'a> {
    level: Level,
    event: &'a str,
}

/// A line of the log about itself.
fn notice(out: &mut Vec<u8>, form: Form, notice: &Notice<'_>, fields: impl FnOnce(&mut String)) {
    let mut line = String::new();
    head(&mut line, form, Clock::default().now(), notice.level);
    let mut event = EventName::NONE;
    event.set(notice.event);
    event.write(&mut line, form);
    fields(&mut line);
    line.push_str(form.end());
    out.extend_from_slice(line.as_bytes());
}

/// Hands out the event's name as its line would have it.
pub(super) fn with_name(event: &Event<'_>, out: impl FnOnce(&str)) {
    let mut visitor = NameVisitor { own: is_own(event.metadata().target()), event: EventName::NONE };
    event.record(&mut visitor);
    out(visitor.event.text());
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}

impl Form {
    fn end(self) -> &'static str {
        match self {
            Self::Text => "\n",
            Self::Json => "}\n",
        }
    }
}

fn head(line: &mut String, form: Form, now: &str, level: Level) {
    let level = match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    };
    let parts = match form {
        Form::Text => [now, " ", level, ""],
        Form::Json => ["{\"time\":\"", now, "\",\"level\":\"", level],
    };
    for part in parts {
        line.push_str(part);
    }
    line.push_str(if form == Form::Json { "\",\"event\":\"" } else { " " });
}

/// The event's name, kept short and on the stack.
struct EventName {
    text: [u8; 96],
    len: usize,
}

impl EventName {
    const NONE: Self = Self { text: [0; 96], len: 0 };

    fn set(&mut self, text: &str) {
        let word = |octet: u8| if octet.is_ascii_alphanumeric() || b"_.-".contains(&octet) { octet } else { b'_' };
        self.len = text.len().min(self.text.len());
        self.text.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = word(from));
    }

    fn text(&self) -> &str {
        let name = std::str::from_utf8(&self.text[..self.len]).ok().filter(|name| !name.is_empty());
        name.unwrap_or("library")
    }

    fn write(&self, line: &mut String, form: Form) {
        line.push_str(self.text());
        if form == Form::Json {
            line.push('"');
        }
    }
}

/// A value as `tracing` hands it over.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    /// A number or truth value: never escaped.
    Bare(fmt::Arguments<'a>),
}

/// Appends ` key=value` or `,"key":value`.
pub(super) fn put(fields: &mut String, form: Form, key: &str, value: Value<'_>) {
    let parts = match form {
        Form::Text => [" ", key, "="],
        Form::Json => [",\"", key, "\":"],
    };
    for part in parts {
        fields.push_str(part);
    }
    match value {
        Value::Bare(value) => drop(fields.write_fmt(value)),
        Value::Text(text) if form == Form::Text && is_bare(text) => fields.push_str(text),
        Value::Text(text) => quote(fields, form, text),
    }
}

/// What an octet of a value is to the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It may stand without quotes.
    Bare,
    /// It may stand in quotes as it is.
    Quoted,
    /// It is escaped, or part of a character that may have to be.
    Other,
}

/// Of each octet.
static KINDS: [Kind; 256] = kinds();

const fn kinds() -> [Kind; 256] {
    let mut kinds = [Kind::Other; 256];
    let mut octet = 0_u8;
    // Octets above ASCII are parts of characters.
    while octet.is_ascii() {
        kinds[octet as usize] = match octet {
            b'"' | b'\\' => Kind::Other,
            b'=' | b' ' => Kind::Quoted,
            graphic if graphic.is_ascii_graphic() => Kind::Bare,
            _ => Kind::Other,
        };
        octet += 1;
    }
    kinds
}

/// Whether a text can stand without quotes: not empty, and nothing that separates, quotes or hides.
fn is_bare(text: &str) -> bool {
    !text.is_empty() && text.len() <= VALUE_OCTETS_MAX && text.bytes().all(|octet| KINDS[octet as usize] == Kind::Bare)
}

fn quote(fields: &mut String, form: Form, text: &str) {
    let cut = (0..=text.len().min(VALUE_OCTETS_MAX)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    fields.push('"');
    let mut rest = &text[..cut];
    // Nearly all of a text goes as it is, so it goes in runs.
    while let Some(at) = rest.bytes().position(|octet| KINDS[octet as usize] == Kind::Other) {
        let (plain, from) = rest.split_at(at);
        fields.push_str(plain);
        let mut characters = from.chars();
        match characters.next().unwrap_or_default() {
            '"' => fields.push_str("\\\""),
            '\\' => fields.push_str("\\\\"),
            '\n' => fields.push_str("\\n"),
            '\r' => fields.push_str("\\r"),
            '\t' => fields.push_str("\\t"),
            hidden if hidden.is_control() || is_hidden(hidden) => escape(fields, form, hidden),
            other => fields.push(other),
        }
        rest = characters.as_str();
    }
    fields.push_str(rest);
    fields.push_str(if cut < text.len() { "…\"" } else { "\"" });
}

/// Characters that print as nothing or turn the direction of what follows: a log that is read must show them.
fn is_hidden(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escape(fields: &mut String, form: Form, character: char) {
    let code = u32::from(character);
    let _ = match form {
        Form::Text => write!(fields, "\\u{{{code:x}}}"),
        // All hidden characters lie below U+10000: one unit of UTF-16.
        Form::Json => write!(fields, "\\u{code:04x}"),
    };
}

struct Visitor<'a> {
    form: Form,
    /// Whether the message is the event's name; that of a library is prose.
    own: bool,
    fields: &'a mut String,
    value: &'a mut String,
    event: EventName,
}

impl Visitor<'_> {
    fn bare(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        put(self.fields, self.form, field.name(), Value::Bare(value));
    }
}

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, text: &str) {
        if field.name() == "message" && self.own {
            self.event.set(text);
        } else {
            put(self.fields, self.form, field.name(), Value::Text(text));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.value.clear();
        // The value is cut later; a `Debug` that fails leaves what it has written.
        let _ = write!(self.value, "{value:?}");
        if field.name() == "message" && self.own {
            self.event.set(self.value);
            return;
        }
        match unquoted(self.value) {
            Some(text) => put(self.fields, self.form, field.name(), Value::Text(&text)),
            None => put(self.fields, self.form, field.name(), Value::Text(self.value)),
        }
    }
}

/// Looks at the name alone.
struct NameVisitor {
    own: bool,
    event: EventName,
}

impl Visit for NameVisitor {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" && self.own {
            self.event.set(&format!("{value:?}"));
        }
    }
}

/// The text that `Debug` of a string has put in quotes. A `Display` that looks the same loses its quotes, and nothing else.
fn unquoted(debug: &str) -> Option<String> {
    let inner = debug.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => return None,
            '\\' => text.push(unescaped(&mut rest)?),
            other => text.push(other),
        }
    }
    Some(text)
}

fn unescaped(rest: &mut std::str::Chars<'_>) -> Option<char> {
    match rest.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '0' => Some('\0'),
        'u' => {
            let (code, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
            *rest = after.chars();
            char::from_u32(u32::from_str_radix(code, 16).ok()?)
        }
        same @ ('"' | '\\' | '\'') => Some(same),
        _ => None,
    }
}

/// `2026-11-21T23:56:19.123Z`; all but the milliseconds are made once a second.
#[derive(Default)]
struct Clock {
    second: Option<u64>,
    text: String,
}

impl Clock {
    fn now(&mut self) -> &str {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != Some(now.as_secs()) {
            self.second = Some(now.as_secs());
            let second = i64::try_from(now.as_secs()).ok().and_then(|it| jiff::Timestamp::from_second(it).ok());
            self.text = second.unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        }
        self.text.truncate("2026-11-21T23:56:19".len());
        let _ = write!(self.text, ".{:03}Z", now.subsec_millis());
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(form: Form, text: &str) -> String {
        let mut fields = String::new();
        put(&mut fields, form, "k", Value::Text(text));
        fields
    }

    #[test]
    fn a_peers_text_can_neither_end_a_line_nor_begin_a_field() {
        let table = [
            ("plain", " k=plain"),
            ("<a@example.net>", " k=<a@example.net>"),
            ("", " k=\"\""),
            ("a b", " k=\"a b\""),
            ("a=b", " k=\"a=b\""),
            ("a\r\nQUIT", " k=\"a\\r\\nQUIT\""),
            ("\"", " k=\"\\\"\""),
            ("\\", " k=\"\\\\\""),
            ("\u{0}\u{1b}[2J", " k=\"\\u{0}\\u{1b}[2J\""),
            ("関所", " k=\"関所\""),
            ("a\u{202e}b", " k=\"a\\u{202e}b\""),
            ("\u{85}", " k=\"\\u{85}\""),
        ];
        for (text, expected) in table {
            assert_eq!(shown(Form::Text, text), expected, "{text:?}");
            let json: serde_json::Value =
                serde_json::from_str(&format!("{{\"x\":0{}}}", shown(Form::Json, text))).expect("valid JSON");
            assert_eq!(json["k"], text);
        }
        assert!(shown(Form::Text, &"ä".repeat(5_000)).len() < VALUE_OCTETS_MAX + 16);
    }

    #[test]
    fn debug_of_a_string_is_unquoted_once() {
        for text in ["a b", "\"", "\\\"", "\r\n", "\u{1b}", "関所", "", "'", "a\"b"] {
            assert_eq!(unquoted(&format!("{text:?}")).as_deref(), Some(text));
        }
        for other in ["Some(\"a\")", "\"a\"b\"", "\"", "\"\\q\"", "\"\\u{110000}\""] {
            assert_eq!(unquoted(other), None, "{other}");
        }
    }

    proptest::proptest! {
        /// Whatever a value holds, the line stays one line and the quotes stay closed.
        #[test]
        fn any_text_stays_one_field(text in proptest::prelude::any::<String>()) {
            let field = shown(Form::Text, &text);
            proptest::prop_assert!(!field.contains(|c: char| c.is_control()));
            let value = field.strip_prefix(" k=").expect("a field");
            let bare = is_bare(value);
            let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
            proptest::prop_assert!(bare || quoted);
        }
    }
}
