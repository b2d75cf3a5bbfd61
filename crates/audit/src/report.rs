//! The whole report: the set in rows, what was found, and what could not be seen.

use serde::{Deserialize, Serialize};

use crate::danger::{self, Finding, Level, Seen};
use crate::rows::{Rows, Watched};
use crate::text::Text;

/// The form of a report; it grows whenever a field changes its meaning or goes.
pub const FORM: u16 = 1;

/// Who may relay, by what right, and what is dangerous in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORM`].
    pub form: u16,
    /// The configuration's file.
    pub file: String,
    /// It is what a running server goes by; else what one would that starts now.
    pub running: bool,
    /// Seconds since 1970 when it was made.
    pub now_secs: u64,
    /// Since when every use of a right is known, in seconds since 1970; null: nothing watched.
    pub watched_secs: Option<u64>,
    /// The set.
    #[serde(flatten)]
    pub rows: Rows,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// How many of each.
    pub totals: Totals,
    /// What could not be seen, and was not judged.
    pub unseen: Vec<Text>,
}

/// Findings by level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Dangers.
    pub danger: usize,
    /// Warnings.
    pub warning: usize,
    /// Notes.
    pub note: usize,
}

impl Totals {
    fn of(findings: &[Finding]) -> Self {
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        Self { danger: count(Level::Danger), warning: count(Level::Warning), note: count(Level::Note) }
    }
}

/// Whose configuration is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A running server's.
    Running,
    /// The file's.
    File,
}

impl Report {
    /// Makes it of what was seen.
    pub fn new(of: Of, seen: &Seen<'_>, watched: Watched<'_>, unseen: Vec<Text>) -> Self {
        let rows = Rows::new(seen.set, watched);
        let findings = danger::all(seen, &rows);
        Self {
            form: FORM,
            file: seen.settings.file.to_string(),
            running: of == Of::Running,
            now_secs: seen.set.now_secs(),
            watched_secs: watched.noted.map(|noted| noted.since_secs),
            rows,
            totals: Totals::of(&findings),
            findings,
            unseen,
        }
    }

    /// How many findings are as bad as that, or worse.
    pub fn as_bad_as(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level <= level).count()
    }
}
