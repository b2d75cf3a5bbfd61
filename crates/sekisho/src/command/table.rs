//! What commands print: a table for people, JSON for programs.

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use terminal::table::Layout;

use super::{fault::Fault, global::Form};

pub(super) use terminal::{printable, time::local_minute};

/// Columns that give way on a narrow terminal. Ids and addresses of clients are not among them: the next command needs all of them, and a
/// record to be published is no use in part.
const CUT: &[&str] = &[
    "ALIAS",
    "AT",
    "BY",
    "BY WAY OF",
    "FROM",
    "GIVEN AS",
    "HELD",
    "LEADS TO",
    "OUTCOME",
    "REASON",
    "REPLY",
    "STANDING",
    "TO",
    "WHY",
    "WHY IT WAITS",
    "WITH",
];

/// A table of texts under a header, as wide as the terminal.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<Vec<String>> = rows.map(Vec::from).collect();
    terminal::table::table(&header, &rows, Layout { width: terminal::width(), cut: CUT })
}

/// The same with how many there are, or that there are none. `what`: one, and many.
pub(super) fn list<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    what: [&str; 2],
) -> String {
    let rows: Vec<[String; N]> = rows.collect();
    let [one, many] = what;
    match rows.len() {
        0 => format!("Nothing found: no {many}."),
        1 => format!("{}\n\n1 {one}", table(header, rows.into_iter())),
        count => format!("{}\n\n{count} {many}", table(header, rows.into_iter())),
    }
}

/// Prints a value: as JSON, or as `text` makes it.
pub(super) fn show<T: Serialize>(form: Form, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Fault> {
    match form {
        Form::Json => line(&(serde_json::to_string_pretty(value).map_err(anyhow::Error::from)? + "\n")),
        Form::Text => Ok(terminal::print(&(text(value) + "\n"))?),
    }
}

/// Prints a text as it is.
pub(super) fn line(text: &str) -> Result<(), Fault> {
    Ok(terminal::print_bare(text)?)
}

/// A time for a cell, as the clock on the wall has it.
pub(super) fn when(time: Option<&String>) -> String {
    time.map(|time| terminal::time::brief(time)).unwrap_or_default()
}

/// A line for each warning.
pub(super) fn warnings(warnings: &[String]) -> String {
    each("warning", Style::new().fg_color(Some(AnsiColor::Yellow.into())), warnings)
}

/// The same for what is only to be known.
pub(super) fn notes(notes: &[String]) -> String {
    each("note", Style::new(), notes)
}

fn each(word: &str, style: Style, lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + &format!("{style}{word}:{style:#} {}\n", printable(line)))
}

/// `yes` or nothing.
pub(super) fn yes(value: bool) -> String {
    if value { "yes".to_owned() } else { String::new() }
}

/// The text, or nothing.
pub(super) fn or_blank(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}
