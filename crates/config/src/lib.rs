//! The configuration: as written ([`file`]), as meant ([`Settings`]), and what is wrong with it ([`Report`]).
//!
//! A text goes through `tree` (values with places), `shape` (keys, types, ranges) and `mean` (values across sections). Each
//! step finds all the mistakes it can, so that the operator corrects a file once. Nothing dangerous comes out of here: what
//! would relay for strangers is a mistake like any other, with its line.

pub mod file;
mod mean;
pub mod reference;
mod report;
mod settings;
mod shape;
mod source;
mod tree;

pub use file::{
    AuthOffer, LogFormat, LogLevel, Protocol, RelayMode, Rpcbind, SmarthostTls, Stage, TlsOffer, WatchFormat,
};
pub use report::{Mistake, Report};
pub use settings::*;
pub use source::Place;

use std::{io, path::Path, path::PathBuf, sync::Arc};

/// Where the configuration is looked for when none is given.
pub const DEFAULT_FILE: &str = "/etc/sekisho/sekisho.toml";

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// As written, with every default and override in its place.
    pub file: file::File,
    /// As meant.
    pub settings: Settings,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file can be read, but not be meant so.
    #[error("{0}")]
    Mistaken(Report),
}

/// Reads a file and lays each `KEY=VALUE` of `sets` over it.
pub fn read(path: &Path, sets: &[String]) -> Result<Loaded, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let base_dir = absolute.parent().unwrap_or(Path::new("/"));
    parse(&Text { name: &path.to_string_lossy(), text: &text, base_dir }, sets).map_err(ConfigError::Mistaken)
}

/// A configuration text and where it came from.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// What mistakes and traces call it.
    pub name: &'a str,
    /// The TOML.
    pub text: &'a str,
    /// Folder that a relative `data_dir` is meant from.
    pub base_dir: &'a Path,
}

/// Reads a text and lays each `KEY=VALUE` of `sets` over it.
pub fn parse(text: &Text<'_>, sets: &[String]) -> Result<Loaded, Report> {
    let sources = Arc::new(tree::sources(text.name, text.text, sets));
    let report = |mistakes| Report::new(sources.clone(), mistakes);
    let tree = tree::Tree::parse(&sources).map_err(report)?;
    let mistakes = shape::check(tree.root());
    let file = match tree.file() {
        Ok(file) => file,
        Err(mistake) if mistakes.is_empty() => return Err(report(vec![mistake])),
        Err(_) => return Err(report(mistakes)),
    };
    let mut meaning = mean::Meaning { tree: &tree, sources: &sources, base_dir: text.base_dir, mistakes };
    let settings = mean::settings(&file, &mut meaning);
    mean::dangers(&settings, &mut meaning);
    let mistakes = meaning.mistakes;
    if mistakes.is_empty() { Ok(Loaded { file, settings }) } else { Err(report(mistakes)) }
}

#[cfg(test)]
mod tests;
