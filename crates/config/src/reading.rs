//! Reading what is written: where a key stands, what a path is meant from, and the mistakes found so far.

use crate::report::Mistake;
use crate::source::{Position, Sources};
use crate::tree::Tree;
use crate::value::Unreadable;
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

/// A configuration that is being read.
pub(crate) struct Reading<'t> {
    pub(crate) tree: &'t Tree<'t>,
    pub(crate) sources: &'t Sources,
    /// Folder of the configuration file.
    pub(crate) base_dir: &'t Path,
    /// `data_dir`, which relative paths are meant from.
    pub(crate) data_dir: PathBuf,
    pub(crate) mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    /// Where a key stands; if it is not written, the innermost table around it that is.
    pub(crate) fn position(&self, path: &str) -> Position {
        self.sources.position(&self.tree.span(path))
    }

    /// `/x` as it is, `x` below `data_dir`.
    pub(crate) fn below(&self, path: &str) -> PathBuf {
        self.data_dir.join(path)
    }

    /// One mistake a place: what follows from the first is no news.
    pub(crate) fn wrong(&mut self, path: &str, message: impl Into<String>, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        let span = self.tree.span(path);
        if self.mistakes.iter().all(|known| known.span != span) {
            self.mistakes.push(Mistake { span, message: message.into(), hint });
        }
    }

    /// A value that could be read, or a mistake at its place.
    pub(crate) fn parsed<T>(&mut self, path: &str, value: Result<T, Unreadable>) -> Option<T> {
        value.map_err(|why| self.wrong(path, format!("`{path}`: {}", why.message), &why.hint)).ok()
    }

    /// The values of a list that could be read, and a mistake at the place of each that could not.
    pub(crate) fn each<T>(
        &mut self,
        key: &str,
        texts: &[String],
        read: impl Fn(&str) -> Result<T, Unreadable>,
    ) -> Vec<T> {
        let each = texts.iter().enumerate();
        each.filter_map(|(index, text)| self.parsed(&format!("{key}[{index}]"), read(text))).collect()
    }

    /// A list of single addresses.
    pub(crate) fn addresses(&mut self, key: &str, texts: &[String]) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            if let Ok(address) = text.parse() {
                addresses.push(guard::canonical_ip(address));
            } else {
                let message = format!("`{key}`: \"{text}\" is no address");
                self.wrong(&format!("{key}[{index}]"), message, "as in \"172.17.0.1\"");
            }
        }
        addresses
    }
}
