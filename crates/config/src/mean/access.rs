//! Maps that refuse and logs that tell of logins, as meant.

use std::path::Path;

use maps::Kind;

use super::{Meaning, relay};
use crate::{
    file::{self, Mode},
    settings::{Access, Watch, WatchSource},
};

/// What `access.map` may be.
const KINDS: [Kind; 8] =
    [Kind::Access, Kind::Cidr, Kind::Pcre, Kind::Regexp, Kind::Hash, Kind::Btree, Kind::SendmailAccess, Kind::Deny];

pub(super) fn rules(written: &[file::Access], meaning: &mut Meaning<'_>, data_dir: &Path) -> Vec<Access> {
    let mut rules = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        let path = format!("access[{index}]");
        let Some(map) = relay::map_file(&entry.map, meaning, (&format!("{path}.map"), &KINDS, data_dir)) else {
            continue;
        };
        let says_itself = matches!(map.kind, Kind::SendmailAccess | Kind::Deny);
        match (says_itself, entry.at) {
            (false, None) => meaning.wrong(
                &path,
                format!("`{path}.at` is missing: a map of type {} does not say what is looked up", map.kind),
                "\"client\", \"helo\", \"sender\" or \"recipient\"",
            ),
            (true, Some(_)) => {
                meaning.wrong(
                    &format!("{path}.at"),
                    format!("the entries of a {} map say it themselves", map.kind),
                    "remove it",
                );
            }
            _ => {}
        }
        rules.push(Access { map, at: entry.at, observe: entry.mode == Mode::Observe });
    }
    rules
}

pub(super) fn watches(written: &[file::Watch], meaning: &mut Meaning<'_>) -> Vec<Watch> {
    let mut watches = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        let source = match (&entry.file, &entry.unit) {
            (Some(file), None) => WatchSource::File(meaning.base_dir.join(file)),
            (None, Some(unit)) => WatchSource::Unit(unit.clone()),
            _ => {
                meaning.wrong(
                    &format!("watch[{index}]"),
                    "a log is either a `file` or a `unit`",
                    "give exactly one of the two",
                );
                continue;
            }
        };
        watches.push(Watch { format: entry.format, source });
    }
    watches
}
