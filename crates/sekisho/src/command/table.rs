//! What commands print: a table for people, JSON for programs.

use comfy_table::{Table, presets};
use serde::Serialize;
use std::io::{self, Write as _};

use super::{fault::Fault, global::Form};

/// A table of texts under a header.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    table.trim_fmt()
}

/// A text without control characters, which a terminal would obey. Some of what is listed was written by strangers.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

/// Prints a value: as JSON, or as `text` makes it.
pub(super) fn show<T: Serialize>(form: Form, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Fault> {
    let mut shown = match form {
        Form::Json => serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?,
        Form::Text => text(value),
    };
    shown.push('\n');
    line(&shown)
}

/// Prints a text. A reader that has seen enough (`| head`) is no error.
pub(super) fn line(text: &str) -> Result<(), Fault> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A time in seconds since 1970 as it is here, to the minute.
pub(super) fn local_minute(secs: u64) -> String {
    let time = i64::try_from(secs).ok().and_then(|secs| jiff::Timestamp::from_second(secs).ok());
    let local = time.map(|time| time.to_zoned(jiff::tz::TimeZone::system()));
    local.map_or_else(|| secs.to_string(), |local| local.strftime("%Y-%m-%d %H:%M").to_string())
}

/// A line for each warning.
pub(super) fn warnings(warnings: &[String]) -> String {
    warnings.iter().fold(String::new(), |text, warning| text + "warning: " + &printable(warning) + "\n")
}

/// The same for what is only to be known.
pub(super) fn notes(notes: &[String]) -> String {
    notes.iter().fold(String::new(), |text, note| text + "note: " + &printable(note) + "\n")
}

/// `yes` or nothing.
pub(super) fn yes(value: bool) -> String {
    if value { "yes".to_owned() } else { String::new() }
}

/// The text, or nothing.
pub(super) fn or_blank(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}
