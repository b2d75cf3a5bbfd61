//! Looks at the configuration of a Postfix or sendmail that uses Sekisho: which mail never reaches the guard, and where an
//! earlier permit goes around it; and at our own. It reads, and changes nothing.

mod own;
mod postfix;
mod sendmail;

use crate::import::{ImportError, Spot};
use serde::Serialize;
use std::{fmt, path::Path};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Mail gets past the guard, or strangers may relay.
    Danger,
    /// It may, or the guard's word has no effect.
    Warning,
    /// It is so by design, and good to know.
    Note,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub at: Spot,
    /// What is the matter.
    pub what: String,
    /// What to do.
    pub todo: String,
}

/// `main.cf:12: danger: … To do: …`, without control signs.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Danger => "danger",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let line = format!("{}: {severity}: {}; {}", self.at, self.what, self.todo);
        f.write_str(&keep::text::printable(&line))
    }
}

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, finding: Finding) {
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    fn danger(&mut self, at: &Spot, what: impl Into<String>, todo: &str) {
        self.add(Finding { severity: Severity::Danger, at: at.clone(), what: what.into(), todo: todo.to_owned() });
    }

    fn warning(&mut self, at: &Spot, what: impl Into<String>, todo: &str) {
        self.add(Finding { severity: Severity::Warning, at: at.clone(), what: what.into(), todo: todo.to_owned() });
    }

    fn note(&mut self, at: &Spot, what: impl Into<String>, todo: &str) {
        self.add(Finding { severity: Severity::Note, at: at.clone(), what: what.into(), todo: todo.to_owned() });
    }
}

/// Examines a `main.cf`, `sendmail.mc`, `sendmail.cf`, our own `sekisho.toml`, or a folder of one of them; the worst first.
pub fn examine(path: &Path) -> Result<Vec<Finding>, ImportError> {
    let mut findings = Findings::default();
    if is_own(path) {
        own::examine(path, &mut findings)?;
    } else if is_sendmail(path) {
        sendmail::examine(path, &mut findings)?;
    } else {
        postfix::examine(path, &mut findings)?;
    }
    let mut findings = findings.0;
    findings.sort_by(|a, b| (a.severity, &a.at).cmp(&(b.severity, &b.at)));
    Ok(findings)
}

/// Mail servers come first in a folder of several: theirs is what is looked at beside ours.
fn is_own(path: &Path) -> bool {
    if path.is_dir() {
        let others = ["main.cf", "sendmail.mc", "sendmail.cf"];
        return path.join(own::FILE).exists() && !others.iter().any(|other| path.join(other).exists());
    }
    path.extension().is_some_and(|it| it == "toml")
}

fn is_sendmail(path: &Path) -> bool {
    if path.is_dir() {
        return !path.join("main.cf").exists();
    }
    let ends = |end: &str| path.extension().is_some_and(|it| it == end);
    let is_named = path.file_stem().is_some_and(|it| it == "sendmail" || it == "submit");
    ends("mc") || ends("m4") || is_named
}

/// Whether an endpoint is Sekisho's, as far as its name or its usual port tells.
fn is_ours(text: &str) -> bool {
    text.contains("sekisho") || ["10031", "10032", "10033", "10034"].iter().any(|port| text.contains(port))
}
