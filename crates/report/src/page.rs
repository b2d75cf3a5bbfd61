//! A page for people: titles, sentences and tables in one language; as text, as HTML that can be printed, or as a mail.

use askama::Template;
use keep::Language;
use keep::text::{printable, width};
use serde::Serialize;

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Its language.
    #[serde(skip)]
    pub language: Language,
    /// Its title.
    pub title: String,
    /// What it is about, and of which time.
    pub about: String,
    /// Its sections, in order.
    pub sections: Vec<Section>,
}

/// A section of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Its title.
    pub title: String,
    /// Sentences above the table.
    pub says: Vec<String>,
    /// Heads of the table's columns; empty: there is no table.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
    /// What to do, below the table.
    pub todo: Vec<String>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Html<'p> {
    page: &'p Page,
}

impl Section {
    /// A section without anything in it yet.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    /// A sentence.
    #[must_use]
    pub fn say(mut self, sentence: impl Into<String>) -> Self {
        self.says.push(sentence.into());
        self
    }

    /// What to do.
    #[must_use]
    pub fn todo(mut self, sentence: impl Into<String>) -> Self {
        self.todo.push(sentence.into());
        self
    }

    /// Its table; without rows there is none.
    #[must_use]
    pub fn table<const N: usize>(mut self, head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Self {
        self.rows = rows.into_iter().map(|row| row.map(|cell| printable(&cell)).to_vec()).collect();
        if !self.rows.is_empty() {
            self.head = head.map(str::to_owned).to_vec();
        }
        self
    }
}

impl Page {
    /// For a terminal or the text part of a mail; no line is broken.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n{}\n", self.title, self.about);
        for section in &self.sections {
            out.extend(["\n", &section.title, "\n"]);
            out.extend(section.says.iter().map(|sentence| format!("  {}\n", printable(sentence))));
            out += &section.columns();
            out.extend(section.todo.iter().map(|sentence| format!("  > {}\n", printable(sentence))));
        }
        out
    }

    /// One document that needs nothing else; every value is escaped.
    pub fn html(&self) -> String {
        // The template writes into memory: it cannot fail.
        Html { page: self }.render().unwrap_or_default()
    }
}

impl Section {
    /// The table with its columns aligned, two blanks between.
    fn columns(&self) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|at| lines().filter_map(|line| line.get(at)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        let mut out = String::new();
        if self.head.is_empty() {
            return out;
        }
        for line in lines() {
            let mut row = String::from("  ");
            for (cell, most) in line.iter().zip(&widths) {
                row += cell;
                row += &" ".repeat(most.saturating_sub(width(cell)) + 2);
            }
            out += row.trim_end();
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_is_neither_obeyed_nor_markup() {
        let section = Section::new("A").say("one").table(["X", "Y"], [["<b>\u{1b}[2J".to_owned(), "漢字".to_owned()]]);
        let page =
            Page { language: Language::English, title: "T".into(), about: "now".into(), sections: vec![section] };
        assert_eq!(page.text(), "T\nnow\n\nA\n  one\n  X        Y\n  <b>\u{fffd}[2J  漢字\n");
        let html = page.html();
        assert!(html.contains("&#60;b&#62;\u{fffd}[2J") && !html.contains("<b>"), "{html}");
        assert!(html.contains("lang=\"en\""), "{html}");
    }
}
