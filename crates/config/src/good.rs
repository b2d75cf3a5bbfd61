//! Configurations that worked: the one in force and the one before it, as files below `data_dir`, so that a reload can be taken back.
//!
//! | killed here | after it |
//! |---|---|
//! | the one in force renamed to be the one before | there is none in force; the next start or reload writes it |
//! | the new one written | both are there |

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::{Loaded, Text, parse};

/// Octets of one that is read.
const OCTETS_MAX: u64 = 16 << 20;

/// Where they lie.
#[derive(Debug, Clone)]
pub struct Good {
    dir: PathBuf,
}

impl Good {
    /// Of a server's `data_dir`. Nothing is made yet.
    pub fn new(data_dir: &Path) -> Self {
        Self { dir: data_dir.join("configuration") }
    }

    /// The one in force.
    pub fn in_force(&self) -> PathBuf {
        self.dir.join("in-force.toml")
    }

    /// The one before it.
    pub fn before(&self) -> PathBuf {
        self.dir.join("before.toml")
    }

    /// Keeps the text of a configuration that has come into force; what was in force before is the one before. Blocks.
    pub fn keep(&self, text: &str) -> io::Result<()> {
        let (now, before) = (self.in_force(), self.before());
        if fs::read(&now).is_ok_and(|known| known == text.as_bytes()) {
            return Ok(());
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        match keep::rename(&now, &before) {
            Err(error) if error.source.kind() != io::ErrorKind::NotFound => return Err(error.source),
            _ => {}
        }
        let file = keep::NewFile { path: &now, octets: text.as_bytes(), mode: 0o600, owner: None };
        file.replace().map_err(|error| error.source)
    }

    /// What is to be known once the one before is in force again, and `file` says otherwise.
    pub fn taken_back(&self, file: &str) -> String {
        format!(
            "The configuration before the last change is in force again.\n{file} still has the newer one, and the next reload or \
             start takes it: correct it (sekisho config diff), or copy {} over it.",
            self.in_force().display()
        )
    }

    /// The one before, as the configuration of `file`, with `sets` over it. Blocks.
    pub fn load_before(&self, file: &Path, sets: &[String]) -> Result<Loaded, String> {
        let before = self.before();
        let octets = match keep::read(&before, OCTETS_MAX, keep::Accepts::RegularFile) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(
                    "no earlier configuration is kept: the one in force has been so since the first start".to_owned()
                );
            }
            octets => octets.map_err(|error| format!("{}: {error}", before.display()))?,
        };
        let text = String::from_utf8(octets).map_err(|error| format!("{}: {error}", before.display()))?;
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let base_dir = file.parent().unwrap_or(Path::new("/"));
        let text = Text { name: &before.to_string_lossy(), text: &text, base_dir };
        parse(&text, sets).map_err(|report| report.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_one_before_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let good = Good::new(dir.path());
        let file = dir.path().join("sekisho.toml");
        let before = || good.load_before(&file, &["limits.hops=33".to_owned()]);
        assert!(before().unwrap_err().contains("no earlier"));
        let text = |name: &str| format!("hostname = '{name}.example'\ndata_dir = 'data'\n");
        for name in ["one", "one", "two", "two"] {
            good.keep(&text(name)).unwrap();
        }
        assert_eq!(fs::metadata(good.in_force()).unwrap().permissions().mode() & 0o777, 0o600);
        let settings = before().unwrap().settings;
        assert_eq!((settings.hostname.as_str(), settings.limits.hops), ("one.example", 33));
        assert_eq!(settings.data_dir, dir.path().join("data"), "as of the file itself");
        // Taken back, and taken back again.
        good.keep(&text("one")).unwrap();
        assert_eq!(before().unwrap().settings.hostname, "two.example");
    }
}
