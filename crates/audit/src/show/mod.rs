//! The report for people, in either language, within 80 columns. Some of what is shown was written by strangers: control
//! characters are not passed on.

mod lines;
mod words;

use crate::danger::Finding;
use crate::report::Report;
use crate::rows::{GrantRow, LoginRow, Use};
use crate::text::Place;
use keep::Language;
use keep::text::{grouped, width};

use self::lines::Page;
use self::words::{Word, word};

/// Rows of one kind that are shown; all are in the JSON.
const ROWS_MAX: usize = 20;

/// The whole report. `when` says a time, given in seconds since 1970.
pub fn text(report: &Report, language: Language, when: &dyn Fn(u64) -> String) -> String {
    let mut shown = Shown { report, language, when, page: Page::default() };
    shown.head();
    shown.listeners();
    shown.addresses();
    shown.names();
    shown.logins();
    shown.grants();
    shown.everybody_else();
    shown.findings();
    shown.unseen();
    shown.page.into_text()
}

struct Shown<'a> {
    report: &'a Report,
    language: Language,
    when: &'a dyn Fn(u64) -> String,
    page: Page,
}

impl Shown<'_> {
    fn word(&self, which: Word) -> &'static str {
        word(which, self.language)
    }

    fn heading(&mut self, which: Word) {
        let heading = self.word(which);
        self.page.blank();
        self.page.line(0, heading);
    }

    fn head(&mut self) {
        let in_force = self.word(if self.report.running { Word::InForce } else { Word::OfFile });
        self.page.line(0, &format!("{}: {} ({in_force})", self.word(Word::Title), self.report.file));
        let watched = match self.report.watched_secs {
            Some(since) => format!("{} {}", self.word(Word::WatchedSince), (self.when)(since)),
            None => self.word(Word::Unwatched).to_owned(),
        };
        self.page.line(0, &watched);
    }

    fn listeners(&mut self) {
        self.heading(Word::Listeners);
        let rows = &self.report.rows.listeners;
        let width = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0).min(20);
        for row in rows {
            self.page.row(2, width, &row.name, &format!("{:<11} {}", row.protocol, row.says.of(self.language)));
            let at = match &row.reach {
                None => row.at.join(" "),
                Some(reach) => format!("{} {} {}", row.at.join(" "), self.word(Word::OnlyFrom), reach.join(" ")),
            };
            self.page.line(5 + width, &at);
        }
    }

    fn addresses(&mut self) {
        self.heading(Word::ByAddress);
        let rows = &self.report.rows;
        if rows.networks.is_empty() {
            return self.page.line(2, self.word(Word::Nobody));
        }
        let width = rows.networks.iter().map(|row| row.network.len()).max().unwrap_or(0).min(24);
        for row in rows.networks.iter().take(ROWS_MAX) {
            let place = place(row.line.as_ref());
            self.page.row(2, width, &row.network, &format!("{place}; {}", self.used(&row.used)));
        }
        self.more(rows.networks.len());
        self.page.line(2, &format!("{} {}", self.word(Word::Together), few(&rows.together)));
        for row in rows.except.iter().take(ROWS_MAX) {
            let why = self.word(if row.why == "gateway" { Word::Gateway } else { Word::Distrusted });
            self.page.line(2, &format!("{} {}: {why}", self.word(Word::Except), row.network));
        }
    }

    fn names(&mut self) {
        let rows = &self.report.rows;
        if !rows.names.is_empty() {
            self.heading(Word::ByName);
        }
        for row in rows.names.iter().take(ROWS_MAX) {
            let place = place(row.line.as_ref());
            self.page.line(2, &format!("{}  {place}; {}", row.name, self.used(&row.used)));
        }
        self.more(rows.names.len());
        if rows.relay_domains.is_empty() {
            return;
        }
        self.heading(Word::Domains);
        for row in rows.relay_domains.iter().take(ROWS_MAX) {
            self.page.line(2, &format!("{}  {}", row.name, place(row.line.as_ref())));
        }
        self.more(rows.relay_domains.len());
    }

    fn logins(&mut self) {
        self.heading(Word::ByLogin);
        let (devices, accounts): (Vec<_>, Vec<_>) =
            self.report.rows.logins.iter().partition(|row| row.device.is_some());
        for rows in [accounts, devices] {
            // Those that can log in come first, and of them those that were used last.
            let mut rows: Vec<&LoginRow> = rows;
            rows.sort_by_key(|row| (row.state != "yes", std::cmp::Reverse(row.used.last_secs)));
            for row in rows.iter().take(ROWS_MAX) {
                self.page.line(2, &format!("{}  {}", row.login, self.login(row)));
            }
            self.more(rows.len());
        }
        if self.report.rows.logins.is_empty() {
            self.page.line(2, self.word(Word::Nobody));
        }
    }

    fn login(&self, row: &LoginRow) -> String {
        let mut told = Vec::new();
        match row.state.as_str() {
            "yes" => {}
            "locked" => told.push(self.word(Word::Locked).to_owned()),
            "expired" => told.push(self.word(Word::Expired).to_owned()),
            _ => told.push(self.word(Word::Revoked).to_owned()),
        }
        if row.device.is_some() {
            let to = if row.reaches_others { Word::Anywhere } else { Word::OwnDomains };
            told.push(self.word(to).to_owned());
            let from = match row.networks.len() {
                0 => self.word(Word::FromAnywhere).to_owned(),
                _ => format!("{} {}", self.word(Word::OnlyFrom), row.networks.join(" ")),
            };
            told.push(from);
            told.push(match row.messages_per_hour {
                Some(most) => format!("{most}{}", self.word(Word::AnHour)),
                None => self.word(Word::NoRate).to_owned(),
            });
        }
        if let Some(expires) = row.expires_secs.filter(|_| row.state == "yes") {
            told.push(format!("{} {}", self.word(Word::Until), (self.when)(expires)));
        }
        told.push(self.used(&row.used));
        told.join("; ")
    }

    fn grants(&mut self) {
        let rows = &self.report.rows.grants;
        if rows.is_empty() {
            return;
        }
        self.heading(Word::Grants);
        for row in rows.iter().take(ROWS_MAX) {
            self.page.line(2, &self.grant(row));
        }
        self.more(rows.len());
    }

    fn grant(&self, row: &GrantRow) -> String {
        let who = row.login.as_ref().or(row.server.as_ref()).cloned().unwrap_or_default();
        let counts = match row.networks.as_slice() {
            [] => format!("{}; ", self.word(Word::ProvesNobody)),
            [one] if *one == row.address || one.split('/').next() == Some(row.address.as_str()) => String::new(),
            networks => format!("{}; ", networks.join(" ")),
        };
        let until = (self.when)(row.expires_secs);
        format!("{}  {who} ({}); {counts}{} {until}", row.address, row.source, self.word(Word::Until))
    }

    fn everybody_else(&mut self) {
        self.heading(Word::EverybodyElse);
        let rows = &self.report.rows;
        self.page.line(2, rows.everybody_else.says.of(self.language));
        if !rows.banned.is_empty() {
            self.page.line(2, &format!("{} {}", self.word(Word::Banned), few(&rows.banned)));
        }
    }

    fn findings(&mut self) {
        self.heading(Word::Findings);
        for finding in &self.report.findings {
            self.finding(finding);
        }
        let totals = self.report.totals;
        let counts = [(totals.danger, Word::Dangers), (totals.warning, Word::Warnings), (totals.note, Word::Notes)];
        let counts = counts.map(|(count, which)| format!("{} {}", grouped(count as u64), self.word(which)));
        self.page.blank();
        self.page.line(0, &counts.join(if self.language == Language::Japanese { "、" } else { ", " }));
    }

    fn finding(&mut self, finding: &Finding) {
        let at = finding.at.as_ref().map(|at| format!(" {at}")).unwrap_or_default();
        let level = self.word(match finding.level {
            crate::danger::Level::Danger => Word::Danger,
            crate::danger::Level::Warning => Word::Warning,
            crate::danger::Level::Note => Word::Note,
        });
        self.page.line(2, &format!("{level} [{}]{at}", finding.code));
        self.page.line(4, finding.what.of(self.language));
        self.page.line(4, &format!("→ {}", finding.todo.of(self.language)));
    }

    fn unseen(&mut self) {
        if self.report.unseen.is_empty() {
            return;
        }
        self.heading(Word::Unseen);
        for text in &self.report.unseen {
            self.page.line(2, text.of(self.language));
        }
    }

    fn used(&self, used: &Use) -> String {
        match (used.last_secs, used.watched_secs) {
            (Some(last), _) => format!("{} {}", self.word(Word::LastUsed), (self.when)(last)),
            (None, Some(since)) => match self.language {
                Language::English => format!("no use seen since {}", (self.when)(since)),
                Language::Japanese => format!("{} 以降の使用なし", (self.when)(since)),
            },
            (None, None) => self.word(Word::UseUnknown).to_owned(),
        }
    }

    fn more(&mut self, count: usize) {
        if let Some(more) = count.checked_sub(ROWS_MAX).filter(|more| *more > 0) {
            let more = grouped(more as u64);
            let text = match self.language {
                Language::English => format!("and {more} more: --json shows all"),
                Language::Japanese => format!("ほか {more} 件（--json ですべて表示）"),
            };
            self.page.line(2, &text);
        }
    }
}

fn place(line: Option<&Place>) -> String {
    line.map(ToString::to_string).unwrap_or_default()
}

/// A few by name, and how many more.
fn few(all: &[String]) -> String {
    match all.len() {
        0 => "—".to_owned(),
        1..=ROWS_MAX => all.join(" "),
        count => format!("{} … (+{})", all[..ROWS_MAX].join(" "), count - ROWS_MAX),
    }
}
