//! Tables of texts under a header, as narrow as the terminal is.
//!
//! Where a row has no room, columns that nobody needs to the last letter give way first. Where that is not enough, each row (and the
//! header with it) takes several lines: an id is never cut off, since the next command needs all of it.

use anstyle::Style;

use crate::text::{clipped, columns, printable};

/// Blanks between two columns.
const GAP: usize = 2;
/// Blanks before the second and the next lines of a row.
const INDENT: usize = 2;
/// No column is cut to less.
const CUT_MIN: usize = 12;
/// Nor is one longer that could be cut, where rows take several lines.
const CUT_FOLDED: usize = 40;

/// How much room there is, and who gives way.
#[derive(Debug, Clone, Copy)]
pub struct Layout<'a> {
    /// Columns of the terminal; `None`: as many as are wanted.
    pub width: Option<usize>,
    /// Headers of the columns that may be cut off.
    pub cut: &'a [&'a str],
}

/// A column that is shown.
struct Column {
    /// Which of the cells.
    at: usize,
    width: usize,
    may_be_cut: bool,
}

/// The table; without rows, the header alone. It does not end with a line end.
pub fn table(header: &[&str], rows: &[Vec<String>], layout: Layout<'_>) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let lines = folded(wanted(header, &rows, layout), layout.width);
    let bold = Style::new().bold();
    let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
    let mut text: Vec<String> = laid_out(&header, &lines).map(|line| format!("{bold}{line}{bold:#}")).collect();
    text.extend(rows.iter().flat_map(|row| laid_out(row, &lines)));
    text.join("\n")
}

/// The columns as wide as they would like to be. On a terminal one that is empty throughout is left out.
fn wanted(header: &[&str], rows: &[Vec<String>], layout: Layout<'_>) -> Vec<Column> {
    let column = |(at, name): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell)).max().unwrap_or(0);
        let is_left_out = layout.width.is_some() && cells == 0 && !rows.is_empty();
        let may_be_cut = layout.cut.contains(name);
        (!is_left_out).then(|| Column { at, width: cells.max(columns(name)), may_be_cut })
    };
    header.iter().enumerate().filter_map(column).collect()
}

fn total(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}

/// The columns of each line of a row.
fn folded(mut all: Vec<Column>, width: Option<usize>) -> Vec<Vec<Column>> {
    let Some(width) = width.filter(|width| total(&all) > *width) else { return vec![all] };
    let wanted: Vec<usize> = all.iter().map(|column| column.width).collect();
    while total(&all) > width {
        let widest = all.iter_mut().filter(|column| column.may_be_cut && column.width > CUT_MIN);
        let Some(widest) = widest.max_by_key(|column| column.width) else { break };
        widest.width -= 1;
    }
    if total(&all) <= width {
        return vec![all];
    }
    for (column, wanted) in all.iter_mut().zip(wanted) {
        let room = width.saturating_sub(INDENT).clamp(CUT_MIN, CUT_FOLDED);
        column.width = if column.may_be_cut { wanted.min(room) } else { wanted };
    }
    let mut lines: Vec<Vec<Column>> = vec![Vec::new()];
    for column in all {
        let indent = if lines.len() > 1 { INDENT } else { 0 };
        let has_room = |line: &Vec<Column>| line.is_empty() || indent + total(line) + GAP + column.width <= width;
        match lines.last_mut().filter(|line| has_room(line)) {
            Some(line) => line.push(column),
            None => lines.push(vec![column]),
        }
    }
    lines
}

fn laid_out<'a>(cells: &'a [String], lines: &'a [Vec<Column>]) -> impl Iterator<Item = String> + 'a {
    lines.iter().enumerate().map(|(number, line)| {
        let mut text = " ".repeat(if number > 0 { INDENT } else { 0 });
        for (nth, column) in line.iter().enumerate() {
            let cell = cells.get(column.at).map(String::as_str).unwrap_or_default();
            let cell = if column.may_be_cut { clipped(cell, column.width) } else { cell.to_owned() };
            let blanks = column.width.saturating_sub(columns(&cell));
            text.push_str(&" ".repeat(if nth > 0 { GAP } else { 0 }));
            text.push_str(&cell);
            text.push_str(&" ".repeat(blanks));
        }
        text.trim_end().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(header: &[&str], rows: &[&[&str]], width: Option<usize>) -> Vec<String> {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|&cell| cell.to_owned()).collect()).collect();
        let text = table(header, &rows, Layout { width, cut: &["FROM", "WHY"] });
        let text = text.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        text.lines().map(str::to_owned).collect()
    }

    const HEADER: [&str; 4] = ["ID", "FROM", "HELD", "WHY"];

    #[test]
    fn a_pipe_gets_every_column_whole() {
        let long = "x".repeat(200);
        let lines = plain(&HEADER, &[&["7KQ2M4XD", "taro@example.net", "", &long]], None);
        assert_eq!(lines[0], "ID        FROM              HELD  WHY");
        assert_eq!(lines[1], format!("7KQ2M4XD  taro@example.net        {long}"));
    }

    #[test]
    fn what_may_be_cut_gives_way() {
        let lines = plain(&HEADER, &[&["7KQ2M4XD", "taro@example.net", "", &"x".repeat(200)]], Some(40));
        assert_eq!(lines[1], format!("7KQ2M4XD  taro@example.…  {}…", "x".repeat(13)));
        assert!(lines.iter().all(|line| columns(line) <= 40), "{lines:#?}");
        assert!(!lines[0].contains("HELD"), "an empty column is left out");
    }

    #[test]
    fn ids_are_never_cut_and_rows_take_more_lines() {
        let header = ["ID", "SESSION", "CLIENT", "FROM"];
        let row = ["7kq2m4xd", "0123456789abcdef", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", "hanako@long.example"];
        let lines = plain(&header, &[&row, &row], Some(50));
        assert_eq!(lines.len(), 9, "{lines:#?}");
        assert_eq!(lines[0], "ID        SESSION");
        assert_eq!(lines[4], "  2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff".to_owned());
        assert!(lines.iter().all(|line| columns(line) <= 50), "{lines:#?}");
    }

    #[test]
    fn a_wide_character_takes_two_columns() {
        let lines = plain(&["NAME", "LOGIN"], &[&["山田", "taro"], &["Al", "al"]], None);
        assert_eq!(lines, ["NAME  LOGIN", "山田  taro", "Al    al"]);
    }
}
