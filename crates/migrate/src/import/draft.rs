//! The configuration while it is made. Its judge is the configuration's own reader: what that refuses is never written.

use super::note::{Note, Outcome, Spot};
use config::{self, Text};
use std::{fmt, path::Path};
use toml::Value;

/// Sections in the order in which they are written; those of one level before what is below them.
const ORDER: [&str; 14] = [
    "",
    "tls",
    "domains",
    "domains.relay",
    "listener",
    "relay",
    "relay.clients",
    "relay.pop",
    "relay.drac",
    "access",
    "limits",
    "auth",
    "spool",
    "delivery",
];
/// Below `delivery`, and so last.
const SMARTHOST: &str = "delivery.smarthost";
/// A name that nobody has (RFC 6761 §6.4), for a file that does not say how its host is called.
pub(super) const NO_NAME: &str = "mail.example.invalid";

/// A section: `[name]` once, or `[[name]]` for each of its kind.
#[derive(Debug, Clone)]
struct Section {
    name: &'static str,
    repeated: bool,
    keys: Vec<(&'static str, Value)>,
}

/// A configuration that is being made.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    sections: Vec<Section>,
}

impl Default for Draft {
    fn default() -> Self {
        let mut draft = Self { sections: Vec::new() };
        draft.set("", "hostname", NO_NAME);
        draft
    }
}

impl Draft {
    /// Gives a key a value, in the place of the one that it had.
    pub(super) fn set(&mut self, section: &'static str, key: &'static str, value: impl Into<Value>) {
        let value = value.into();
        let found = self.sections.iter_mut().find(|it| it.name == section && !it.repeated);
        let Some(found) = found else {
            self.sections.push(Section { name: section, repeated: false, keys: vec![(key, value)] });
            return;
        };
        match found.keys.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => found.keys.push((key, value)),
        }
    }

    /// Lengthens a list by one text, once.
    pub(super) fn add(&mut self, section: &'static str, key: &'static str, text: &str) {
        let mut list = self.list(section, key);
        if !list.iter().any(|known| known.as_str() == Some(text)) {
            list.push(Value::from(text));
        }
        self.set(section, key, list);
    }

    /// One more `[[section]]`.
    pub(super) fn push(&mut self, section: &'static str, keys: Vec<(&'static str, Value)>) {
        self.sections.push(Section { name: section, repeated: true, keys });
    }

    fn list(&self, section: &str, key: &str) -> Vec<Value> {
        let found = self.sections.iter().find(|it| it.name == section && !it.repeated);
        let value = found.and_then(|it| it.keys.iter().find(|(known, _)| *known == key));
        value.and_then(|(_, value)| value.as_array().cloned()).unwrap_or_default()
    }

    /// How many `[[section]]` there are.
    pub(super) fn count(&self, section: &str) -> usize {
        self.sections.iter().filter(|it| it.name == section && it.repeated).count()
    }

    /// What the configuration's reader has against it, first mistake first.
    pub(super) fn mistakes(&self) -> Vec<String> {
        let text = self.to_string();
        let parsed = config::parse(&Text { name: "sekisho.toml", text: &text, base_dir: Path::new("/") }, &[]);
        let Err(report) = parsed else { return Vec::new() };
        report.mistakes().map(|(_, it)| it.hint.iter().fold(it.message.clone(), |all, it| all + "; " + it)).collect()
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in ORDER.iter().chain([&SMARTHOST]) {
            for section in self.sections.iter().filter(|it| it.name == *name) {
                match (*name, section.repeated) {
                    ("", _) => {}
                    (name, false) => writeln!(f, "\n[{name}]")?,
                    (name, true) => writeln!(f, "\n[[{name}]]")?,
                }
                for (key, value) in &section.keys {
                    writeln!(f, "{key} = {value}")?;
                }
            }
        }
        Ok(())
    }
}

/// A setting of theirs, and the key of ours that it becomes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) what: &'a str,
    pub(super) key: &'a str,
}

/// Many values of one setting, and the key that they lengthen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Each<'a> {
    pub(super) change: Change<'a>,
    pub(super) texts: &'a [String],
}

/// The draft and the report on it.
#[derive(Debug, Default)]
pub(super) struct Making {
    pub(super) draft: Draft,
    pub(super) notes: Vec<Note>,
}

impl Making {
    fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// It stands there now, or holds always.
    pub(super) fn taken(&mut self, at: &Spot, what: &str, key: &str) {
        self.note(Note::new(Outcome::Taken, at, what, key));
    }

    /// It is there, but not quite.
    pub(super) fn differs(&mut self, at: &Spot, what: &str, how: &str) {
        self.note(Note::new(Outcome::Differs, at, what, how));
    }

    /// It is not there.
    pub(super) fn not_taken(&mut self, at: &Spot, what: &str, instead: &str) {
        self.note(Note::new(Outcome::NotTaken, at, what, instead));
    }

    /// Makes a change if the configuration's reader has nothing against it, and tells what became of it.
    pub(super) fn offer(&mut self, at: &Spot, taking: Change<'_>, change: impl FnOnce(&mut Draft)) -> bool {
        let mut changed = self.draft.clone();
        change(&mut changed);
        match changed.mistakes().first() {
            None => {
                self.draft = changed;
                self.taken(at, taking.what, taking.key);
                true
            }
            Some(mistake) => {
                self.not_taken(at, taking.what, mistake);
                false
            }
        }
    }

    /// The same for each of many texts. They are judged alone, since thousands would be slow together.
    pub(super) fn offer_each(&mut self, at: &Spot, each: Each<'_>, put: impl Fn(&mut Draft, &str)) {
        let Each { change: Change { what, key }, texts } = each;
        let mut taken = false;
        for text in texts {
            let mut alone = Draft::default();
            put(&mut alone, text);
            match alone.mistakes().first() {
                None => {
                    put(&mut self.draft, text);
                    taken = true;
                }
                Some(mistake) => self.not_taken(at, &format!("{what} {text}"), mistake),
            }
        }
        if taken {
            self.taken(at, what, key);
        }
    }
}
