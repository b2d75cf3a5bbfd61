//! Configurations of other mail systems, turned into one of ours: what can be taken is, and for the rest it is said what
//! differs and what to do. What would let strangers relay is never taken, only named.

mod drac;
mod draft;
mod hosts;
mod note;
mod pair;
pub mod postfix;
mod read;
pub mod sendmail;

pub use note::{Note, Outcome, Spot};
pub(crate) use read::text as read_text;

use draft::Making;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Whose configuration is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Postfix: `main.cf`, or the folder of it.
    Postfix,
    /// sendmail: `sendmail.mc`, `sendmail.cf`, or the folder of them.
    Sendmail,
    /// The original `rpc.dracd`: `dracd.allow`, its folder, or the script that starts it.
    Drac,
    /// TCP wrapper: `hosts.allow`, with `hosts.deny` beside it.
    Hosts,
}

/// A configuration of ours and the report on its making.
#[derive(Debug, Serialize)]
pub struct Imported {
    /// The TOML; `sekisho config check` has nothing against it.
    pub config: String,
    /// Line by line, in the order of the files.
    pub notes: Vec<Note>,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is no such configuration.
    #[error("{path}: {why}", path = path.display())]
    NotThat {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

/// Reads `path` and what it names.
pub fn import(source: Source, path: &Path) -> Result<Imported, ImportError> {
    let mut making = Making::default();
    match source {
        Source::Postfix => postfix::import(path, &mut making)?,
        Source::Sendmail => sendmail::import(path, &mut making)?,
        Source::Drac => drac::import(path, &mut making)?,
        Source::Hosts => hosts::import(path, &mut making)?,
    }
    let first = making.notes.first().map_or_else(|| Spot::new(&path.display().to_string(), 1), |note| note.at.clone());
    making.settle(&Spot { line: 1, ..first });
    if let Some(mistake) = making.draft.mistakes().first() {
        return Err(ImportError::NotThat { path: path.to_owned(), why: format!("what it became is wrong: {mistake}") });
    }
    let Making { draft, notes } = making;
    // The order of the file, whose name came first comes first; a note about the whole stands with its line.
    let config = format!(
        "# Made from {} by sekisho import. What each key means: sekisho config reference\n{draft}",
        path.display().to_string().escape_debug()
    );
    Ok(Imported { config, notes })
}
