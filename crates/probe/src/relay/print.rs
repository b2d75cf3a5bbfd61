//! The report for people: lines for a terminal, a page to print.

use std::fmt::{self, Write as _};

use askama::Template;

use super::catalog::CLASSIC;
use super::outcome::{Outcome, Played, Verdict};
use super::run::Report;
use super::words::Words;
use keep::Language;

impl Report {
    /// The end of what a terminal shows.
    pub fn summary(&self) -> String {
        let words = Words(Language::English);
        let mut text = format!("\n{}: {}\n{}\n", self.host, self.verdict.code(), words.meaning(self.verdict));
        let counts = self.counted(&words).into_iter().map(|counted| format!("{} {}", counted.count, counted.word));
        text.push_str(&counts.collect::<Vec<_>>().join(", "));
        if let (Some(token), Some(sink), Verdict::Uncertain) = (&self.token, &self.sink, self.verdict) {
            // Writing into a string cannot fail.
            let _ = write!(text, "\nIf a mail that bears {token} arrives at {sink}, the server is an open relay.");
        }
        text
    }

    /// A page to print: it needs nothing from elsewhere, and runs nothing.
    pub fn html(&self, lang: Language) -> Result<String, String> {
        let words = Words(lang);
        let (classic, others) = self.probes.split_at(CLASSIC.len().min(self.probes.len()));
        let page = Page {
            report: self,
            code: self.verdict.code(),
            verdict: words.verdict(self.verdict),
            meaning: words.meaning(self.verdict),
            counts: self.counted(&words),
            classic: rows(classic, &words),
            others: rows(others, &words),
            lang: lang.tag(),
            w: &words,
        };
        page.render().map_err(|error| error.to_string())
    }

    fn counted(&self, words: &Words) -> Vec<Counted> {
        let counts = &self.counts;
        let all = [
            (Outcome::Delivered, counts.delivered),
            (Outcome::Sent, counts.sent),
            (Outcome::Accepted, counts.accepted),
            (Outcome::Deferred, counts.deferred),
            (Outcome::Unanswered, counts.unanswered),
            (Outcome::Refused, counts.refused),
            (Outcome::Local, counts.local),
            (Outcome::Skipped, counts.skipped),
        ];
        let told = all.into_iter().filter(|(_, count)| *count > 0);
        told.map(|(outcome, count)| Counted { count, word: words.outcome(outcome) }).collect()
    }
}

struct Counted {
    count: usize,
    word: &'static str,
}

struct Row<'a> {
    played: &'a Played,
    code: &'static str,
    outcome: &'static str,
    note: &'a str,
}

fn rows<'a>(played: &'a [Played], words: &Words) -> Vec<Row<'a>> {
    let row = |played: &'a Played| Row {
        played,
        code: played.outcome.code(),
        outcome: words.outcome(played.outcome),
        note: words.note(&played.note),
    };
    played.iter().map(row).collect()
}

#[derive(Template)]
#[template(path = "relay.html")]
struct Page<'a> {
    report: &'a Report,
    counts: Vec<Counted>,
    code: &'static str,
    verdict: &'static str,
    meaning: &'static str,
    classic: Vec<Row<'a>>,
    others: Vec<Row<'a>>,
    lang: &'static str,
    w: &'a Words,
}

/// One line, as a terminal shows it.
impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>3} {:<10} {}: {}", self.number, self.outcome.code(), self.id, self.tried)?;
        if !self.said.is_empty() {
            write!(f, " → {}", self.said)?;
        }
        if !self.note.is_empty() {
            write!(f, " ({})", self.note)?;
        }
        Ok(())
    }
}
