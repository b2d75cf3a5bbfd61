//! Our own `sekisho.toml`: what a start would refuse, and what the audit finds in it: who may relay without a login, what goes over
//! the net in the clear, and who else may ask or read.

use super::{Finding, Findings, Severity};
use crate::import::{ImportError, Spot, read_text};
use audit::danger::{Level, Lines};
use config::{ConfigError, Settings};
use std::path::Path;
use std::sync::Arc;

/// What it is called in a folder.
pub(super) const FILE: &str = "sekisho.toml";

pub(super) fn examine(path: &Path, findings: &mut Findings) -> Result<(), ImportError> {
    let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
    let (file, text) = (path.display().to_string(), read_text(&path)?);
    match config::read(&path, &[]) {
        Err(ConfigError::Unreadable { path, error }) => Err(ImportError::Unreadable { path, error }),
        Err(ConfigError::Mistaken(report)) => {
            for (place, mistake) in report.mistakes() {
                let todo = mistake.hint.as_deref().unwrap_or("sekisho config check shows the line");
                findings.danger(&Spot::new(&file, place.line), mistake.message.clone(), todo);
            }
            Ok(())
        }
        Ok(loaded) => {
            let settings = Arc::new(loaded.settings);
            start(&settings, &file, findings);
            for found in audit::danger::of_settings(&settings, &Lines::new(&file, text)) {
                findings.add(taken(found, &file));
            }
            Ok(())
        }
    }
}

/// What a start would refuse.
fn start(settings: &Arc<Settings>, file: &str, findings: &mut Findings) {
    let checked = crate::check::check(settings);
    let at = Spot::new(file, 1);
    for refusal in checked.refusals {
        findings.danger(&at, refusal, "the server does not start so: sekisho config check");
    }
    for warning in checked.warnings {
        findings.warning(&at, warning, "see sekisho config check");
    }
}

/// A finding of the audit, in the doctor's words.
fn taken(found: audit::Finding, file: &str) -> Finding {
    let severity = match found.level {
        Level::Danger => Severity::Danger,
        Level::Warning => Severity::Warning,
        Level::Note => Severity::Note,
    };
    let at = found.at.map_or_else(|| Spot::new(file, 1), |at| Spot::new(&at.file, at.line));
    Finding { severity, at, what: found.what.en, todo: found.todo.en }
}
