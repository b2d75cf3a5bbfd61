//! Names with the line of each: the client map's, and the relay domains.

use std::collections::HashMap;

use smtp::address::Domain;

use super::pattern::Names;
use crate::line::ConfigLine;

/// Names with the line of each.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameTable {
    exact: HashMap<Box<str>, ConfigLine>,
    below: HashMap<Box<str>, ConfigLine>,
}

/// An entry that a name has.
struct NameEntry<'t, 'n> {
    name: &'n str,
    is_below: bool,
    line: &'t ConfigLine,
}

impl NameTable {
    /// Only names that passed the check of the policy come here; a second line for the same one is ignored.
    pub(crate) fn insert(&mut self, names: &Names, line: ConfigLine) {
        let table = if names.below { &mut self.below } else { &mut self.exact };
        table.entry(names.domain.as_str().into()).or_insert(line);
    }

    pub(crate) fn find(&self, name: &Domain) -> Option<&ConfigLine> {
        self.entry(name).map(|entry| entry.line)
    }

    /// The entry for a name, as it is written.
    pub(crate) fn written(&self, name: &Domain) -> Option<String> {
        let entry = self.entry(name)?;
        Some(if entry.is_below { format!(".{}", entry.name) } else { entry.name.to_owned() })
    }

    /// Label by label, so that `notexample.com` is not below `example.com`.
    fn entry<'t, 'n>(&'t self, name: &'n Domain) -> Option<NameEntry<'t, 'n>> {
        let mut rest = name.as_str();
        if let Some(line) = self.exact.get(rest) {
            return Some(NameEntry { name: rest, is_below: false, line });
        }
        if self.below.is_empty() {
            return None;
        }
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(line) = self.below.get(parent) {
                return Some(NameEntry { name: parent, is_below: true, line });
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
