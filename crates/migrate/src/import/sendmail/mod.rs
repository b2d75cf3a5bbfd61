//! sendmail's `sendmail.mc` and `sendmail.cf`, both as what they say in the words of the former.

pub mod cf;
mod host;
pub mod mc;
mod take;

use super::{ImportError, Spot, draft::Making, read};
use std::path::{Path, PathBuf};

/// One thing that is said: `FEATURE(`access_db')`, `define(`SMART_HOST', …)`, `DAEMON_OPTIONS(…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Where it stands.
    pub at: Spot,
    /// `FEATURE`, `define`, `DAEMON_OPTIONS`, `LOCAL_CONFIG`, …; a line below `LOCAL_CONFIG` and its like is `line`.
    pub name: String,
    /// In their order, without quotes.
    pub args: Vec<String>,
}

impl Said {
    /// An argument; blank if it is not there.
    pub fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }
}

/// A file as it is read, and what it says.
pub(crate) struct Reading {
    pub(crate) file: PathBuf,
    pub(crate) said: Vec<Said>,
    /// It is a `.cf`, in which features are known by their traces only.
    pub(crate) is_cf: bool,
}

/// Reads a `.mc`, a `.cf`, or of a folder the `.mc` before the `.cf`.
pub(crate) fn read(path: &Path) -> Result<Reading, ImportError> {
    let file = if path.is_dir() {
        let mc = path.join("sendmail.mc");
        if mc.exists() { mc } else { path.join("sendmail.cf") }
    } else {
        path.to_owned()
    };
    let text = read::text(&file)?;
    let name = file.display().to_string();
    let is_cf = cf::is_cf(&text);
    let said = if is_cf { cf::parse(&name, &text) } else { mc::parse(&name, &text) };
    let known = |said: &Said| {
        matches!(
            said.name.as_str(),
            "FEATURE" | "MAILER" | "define" | "OSTYPE" | "DAEMON_OPTIONS" | "include" | "INPUT_MAIL_FILTER"
        )
    };
    if !said.iter().any(known) {
        let why = "neither a sendmail.mc (FEATURE, define, MAILER) nor a sendmail.cf".to_owned();
        return Err(ImportError::NotThat { path: file, why });
    }
    Ok(Reading { file, said, is_cf })
}

/// Turns what it says into ours.
pub(super) fn import(path: &Path, making: &mut Making) -> Result<(), ImportError> {
    let reading = read(path)?;
    let is_msp = reading.said.iter().any(|said| said.name == "FEATURE" && said.arg(0) == "msp");
    if is_msp {
        let why =
            "this is the configuration of the program that hands mail in (submit.mc); give sendmail.mc".to_owned();
        return Err(ImportError::NotThat { path: reading.file, why });
    }
    take::all(&reading, making);
    Ok(())
}
