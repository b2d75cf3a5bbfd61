//! Names with the line of each: the client map's, and the relay domains.

use std::collections::HashMap;

use smtp::address::Domain;

use super::pattern::Names;
use crate::line::ConfigLine;

/// Names with the line of each.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    exact: HashMap<Box<str>, ConfigLine>,
    below: HashMap<Box<str>, ConfigLine>,
}

impl NameTable {
    /// Only names that passed the check of the policy come here; a second line for the same one is ignored.
    pub(crate) fn insert(&mut self, names: &Names, line: ConfigLine) {
        let table = if names.below { &mut self.below } else { &mut self.exact };
        table.entry(names.domain.as_str().into()).or_insert(line);
    }

    /// Label by label, so that `notexample.com` is not below `example.com`.
    pub(crate) fn find(&self, name: &Domain) -> Option<&ConfigLine> {
        if let Some(line) = self.exact.get(name.as_str()) {
            return Some(line);
        }
        if self.below.is_empty() {
            return None;
        }
        let mut rest = name.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(line) = self.below.get(parent) {
                return Some(line);
            }
            rest = parent;
        }
        None
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &ConfigLine)> {
        let exact = self.exact.iter().map(|(name, line)| (name.to_string(), line));
        exact.chain(self.below.iter().map(|(name, line)| (format!(".{name}"), line)))
    }
}
