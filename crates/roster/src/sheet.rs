//! Rows of named columns.

use std::fmt;

use admin::wire::RowMistake;
use csv::{ReaderBuilder, StringRecord, Trim};
use memchr::memchr_iter;

/// Octets of a file.
pub const OCTETS_MAX: u64 = 8 << 20;
/// Mistakes that are told; a file of another kind has one in every row.
const MISTAKES_MAX: usize = 100;
/// What some programs write before UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1 on.
    pub line: u64,
    /// The column's name; empty: it is the row.
    pub column: String,
    /// For people.
    pub message: String,
}

/// All that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes {
    file: String,
    all: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was changed:")?;
        for Mistake { line, column, message } in self.all.iter().take(MISTAKES_MAX) {
            let column = if column.is_empty() { String::new() } else { format!(" column {column}:") };
            write!(f, "\n{}:{line}:{column} {message}", self.file)?;
        }
        let more = self.all.len().saturating_sub(MISTAKES_MAX);
        if more > 0 { write!(f, "\n{}: and {more} more", self.file) } else { Ok(()) }
    }
}

/// A row, and the line that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// From 1 on.
    pub line: u64,
    /// The row.
    pub row: T,
}

/// What the server says of rows, at their lines.
pub fn told<T>(file: &str, rows: &[Placed<T>], mistakes: &[RowMistake]) -> Mistakes {
    let line = |it: &RowMistake| usize::try_from(it.row).ok().and_then(|at| rows.get(at)).map_or(0, |row| row.line);
    let all = mistakes.iter().map(|it| Mistake { line: line(it), column: String::new(), message: it.error.clone() });
    Mistakes { file: file.to_owned(), all: all.collect() }
}

/// The cells of a row, by the names of their columns. What is empty says nothing.
pub(crate) struct Cells<'r> {
    names: &'r [String],
    record: &'r StringRecord,
    pub(crate) line: u64,
    mistakes: Vec<Mistake>,
}

impl Cells<'_> {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let at = self.names.iter().position(|known| known == name)?;
        self.record.get(at).filter(|cell| !cell.is_empty())
    }

    /// A cell that must say something.
    pub(crate) fn wanted(&mut self, name: &str) -> String {
        let text = self.text(name).map(str::to_owned);
        text.unwrap_or_else(|| {
            self.wrong(name, "it is empty: fill it in, or take the row out".to_owned());
            String::new()
        })
    }

    /// A cell as it is meant, or a mistake.
    pub(crate) fn meant<T>(&mut self, name: &str, mean: impl Fn(&str) -> Option<T>, form: &str) -> Option<T> {
        let text = self.text(name)?.to_owned();
        let meant = mean(&text);
        if meant.is_none() {
            self.wrong(name, format!("{text:?}: write {form}"));
        }
        meant
    }

    pub(crate) fn wrong(&mut self, column: &str, message: String) {
        self.mistakes.push(Mistake { line: self.line, column: column.to_owned(), message });
    }
}

/// The columns of a file.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    /// Those that it may have.
    pub(crate) known: &'a [&'a str],
    /// So many of them, the first, it must have.
    pub(crate) wanted: usize,
}

/// Reads a file, row by row.
pub(crate) fn read<T>(
    file: &str,
    octets: &[u8],
    columns: Columns<'_>,
    mut row: impl FnMut(&mut Cells<'_>) -> T,
) -> Result<Vec<Placed<T>>, Mistakes> {
    let of = |all: Vec<Mistake>| Mistakes { file: file.to_owned(), all };
    let one = |line, message: String| of(vec![Mistake { line, column: String::new(), message }]);
    let text = str::from_utf8(octets).map_err(|error| {
        let line = memchr_iter(b'\n', &octets[..error.valid_up_to()]).count() as u64 + 1;
        one(line, "this is not UTF-8: save the table as \"CSV UTF-8\"".to_owned())
    })?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(text.as_bytes());
    let names: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_ascii_lowercase).collect(),
        Err(error) => return Err(one(1, error.to_string())),
    };
    check_header(&names, columns).map_err(|message| one(1, message))?;
    let (mut rows, mut mistakes, mut lines) = (Vec::new(), Vec::new(), Lines { text, seen: 0, line: 1 });
    for record in reader.records() {
        let record = record.map_err(|error| one(error.position().map_or(0, csv::Position::line), error.to_string()))?;
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        if record.len() != names.len() {
            let message = format!(
                "{} cells, and the header has {}: a comma within a cell needs quotes around it",
                record.len(),
                names.len()
            );
            mistakes.push(Mistake { line, column: String::new(), message });
            continue;
        }
        let mut cells = Cells { names: &names, record: &record, line, mistakes: Vec::new() };
        let row = row(&mut cells);
        mistakes.append(&mut cells.mistakes);
        rows.push(Placed { line, row });
    }
    if mistakes.is_empty() { Ok(rows) } else { Err(of(mistakes)) }
}

/// Which line a place in a text is in, asked from the beginning to the end.
struct Lines<'t> {
    text: &'t str,
    seen: usize,
    line: u64,
}

impl Lines<'_> {
    /// That of the first sign from there on that ends no line: a row may be told to begin within the end of the one before.
    fn at(&mut self, byte: u64) -> u64 {
        let octets = self.text.as_bytes();
        let mut to = usize::try_from(byte).unwrap_or(usize::MAX).clamp(self.seen, octets.len());
        to += octets[to..].iter().take_while(|it| matches!(it, b'\r' | b'\n')).count();
        self.line += memchr_iter(b'\n', &octets[self.seen..to]).count() as u64;
        self.seen = to;
        self.line
    }
}

fn check_header(names: &[String], Columns { known: columns, wanted }: Columns<'_>) -> Result<(), String> {
    let known = || columns.join(",");
    for (at, name) in names.iter().enumerate() {
        if !columns.contains(&name.as_str()) {
            return Err(format!("column {name:?} is not known: the first row names the columns, of {}", known()));
        }
        if names[..at].contains(name) {
            return Err(format!("column {name:?} stands there twice"));
        }
    }
    match columns.iter().take(wanted).find(|name| !names.iter().any(|it| it == *name)) {
        Some(missing) => Err(format!("column {missing:?} is missing: the first row names the columns, of {}", known())),
        None => Ok(()),
    }
}

/// The table of these rows.
pub(crate) fn write<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing into memory does not fail, and every row has N cells.
    let _ = writer.write_record(header);
    for row in rows {
        let _ = writer.write_record(row);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
