//! What is dangerous, doubtful or good to know in who may relay and in the way to it. Each finding stands once, in English and
//! Japanese; `sekisho audit` and `sekisho doctor` tell the same ones.

mod files;
mod listeners;
mod logins;
mod names;
mod relay;
mod unused;

use config::{Position, Settings};
use serde::{Deserialize, Serialize};

pub use names::{ListedAddress, OwnDomain, Published, Told};
pub use unused::is_unused;

use crate::rows::Rows;
use crate::set::Set;
use crate::text::{Place, Text};

/// How bad it is; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Strangers may relay, or secrets go to whoever listens.
    Danger,
    /// It may come to that, or a protection has no effect.
    Warning,
    /// It is so by design, and good to know.
    Note,
}

impl Level {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Danger => "danger",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable word.
    pub code: String,
    /// How bad it is.
    pub level: Level,
    /// Where it is written; `None`: it is no line of a file.
    pub at: Option<Place>,
    /// What is the matter.
    pub what: Text,
    /// What to do.
    pub todo: Text,
}

impl Finding {
    fn new(level: Level, code: &str, at: Option<Place>) -> Self {
        Self { code: code.to_owned(), level, at, what: Text::default(), todo: Text::default() }
    }

    fn en(mut self, what: impl Into<String>, todo: impl Into<String>) -> Self {
        (self.what.en, self.todo.en) = (what.into(), todo.into());
        self
    }

    fn ja(mut self, what: impl Into<String>, todo: impl Into<String>) -> Self {
        (self.what.ja, self.todo.ja) = (what.into(), todo.into());
        self
    }
}

/// The configuration's text, in which a finding is given its line.
#[derive(Debug, Clone)]
pub struct Lines {
    file: String,
    text: String,
}

impl Lines {
    /// A file and what is in it.
    pub fn new(file: &str, text: String) -> Self {
        Self { file: file.to_owned(), text }
    }

    /// The first line that has all of these words; 1 if it is not written.
    #[expect(clippy::unnecessary_wraps, reason = "goes where some have none")]
    fn with(&self, words: &[&str]) -> Option<Place> {
        let has = |line: &str| !line.trim_start().starts_with('#') && words.iter().all(|word| line.contains(word));
        let line = (1..).zip(self.text.lines()).find(|(_, line)| has(line)).map_or(1, |(number, _)| number);
        Some(Place { file: self.file.clone(), line })
    }

    fn listener(&self, name: &str) -> Option<Place> {
        self.with(&["name", &format!("\"{name}\"")])
    }

    #[expect(clippy::unnecessary_wraps, reason = "goes where some have none")]
    fn at(&self, place: &Position) -> Option<Place> {
        Some(Place { file: self.file.clone(), line: place.line })
    }
}

/// What the configuration alone shows.
pub fn of_settings(settings: &Settings, lines: &Lines) -> Vec<Finding> {
    let mut found = Vec::new();
    for listener in &settings.listeners {
        found.extend(listeners::of(listener, settings, lines.listener(&listener.name).as_ref()));
    }
    found.extend(relay::of(settings, lines));
    found.extend(files::of(settings, lines));
    found
}

/// What else there is to go by.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The configuration.
    pub settings: &'a Settings,
    /// Its text.
    pub lines: &'a Lines,
    /// Who may relay.
    pub set: &'a Set,
    /// Where the machine stands.
    pub here: &'a guard::never_granted::Here,
    /// Trusted addresses that seem to be many.
    pub collapsed: &'a [std::net::IpAddr],
    /// Our own domains, as far as they were asked about.
    pub domains: &'a [OwnDomain],
    /// Relaying addresses that lists in DNS have.
    pub listed: &'a [ListedAddress],
}

/// All of it; the worst first.
pub fn all(seen: &Seen<'_>, rows: &Rows) -> Vec<Finding> {
    let mut found = of_settings(seen.settings, seen.lines);
    found.extend(listeners::ways_in(seen));
    found.extend(listeners::mechanisms(seen));
    found.extend(relay::of_set(seen));
    found.extend(logins::of(seen));
    found.extend(names::of(seen));
    found.extend(unused::of(rows, seen.set.now_secs()));
    found.sort_by(|a, b| (a.level, &a.code, &a.at).cmp(&(b.level, &b.code, &b.at)));
    found.dedup();
    found
}
