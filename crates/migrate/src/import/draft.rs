//! The configuration while it is made. Its judge is the configuration's own reader: what that refuses is never written.

use super::note::{Note, Outcome, Spot};
use config::{self, Settings, Text};
use std::{fmt, path::Path, sync::Arc};
use toml::Value;

/// Pieces of which it is tried what a start says without them.
const PIECES_MAX: usize = 500;
/// Rounds in which what a start refuses is left out; each leaves one piece out.
const ROUNDS_MAX: usize = 1_000;
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

    /// Whether a list has something in it.
    pub(super) fn lists(&self, section: &str, key: &str) -> bool {
        !self.list(section, key).is_empty()
    }

    /// How many `[[section]]` there are.
    pub(super) fn count(&self, section: &str) -> usize {
        self.sections.iter().filter(|it| it.name == section && it.repeated).count()
    }

    /// Whether there is such a section.
    pub(super) fn has(&self, section: &str) -> bool {
        self.sections.iter().any(|it| it.name == section)
    }

    /// Whether a listener speaks this protocol, or offers logins otherwise.
    pub(super) fn offers_login(&self) -> bool {
        let of = |section: &Section, key: &str| {
            let found = section.keys.iter().find(|(known, _)| *known == key);
            found.and_then(|(_, value)| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let mut listeners = self.sections.iter().filter(|it| it.name == "listener");
        listeners.any(|it| of(it, "protocol").starts_with("submission") || matches!(&*of(it, "auth"), "tls" | "always"))
    }

    /// What the configuration's reader has against it, first mistake first.
    pub(super) fn mistakes(&self) -> Vec<String> {
        self.read().map_or_else(|mistakes| mistakes, |_| Vec::new())
    }

    fn read(&self) -> Result<Settings, Vec<String>> {
        let text = self.to_string();
        let parsed = config::parse(&Text { name: "sekisho.toml", text: &text, base_dir: Path::new("/") }, &[]);
        parsed.map(|loaded| loaded.settings).map_err(|report| {
            let told = |it: &config::Mistake| it.hint.iter().fold(it.message.clone(), |all, it| all + "; " + it);
            report.mistakes().map(|(_, it)| told(it)).collect()
        })
    }

    /// The same, and what a start would have against it: files are read.
    pub(super) fn refusals(&self) -> Vec<String> {
        self.read().map_or_else(|mistakes| mistakes, |settings| crate::check::check(&Arc::new(settings)).refusals)
    }

    /// The same of a change alone: faults of the rest, or of this machine, are none of it.
    fn refusals_of(change: impl FnOnce(&mut Self)) -> Vec<String> {
        let mut alone = Self::default();
        alone.push("listener", stand_in());
        let before = alone.refusals();
        change(&mut alone);
        alone.refusals().into_iter().filter(|refusal| !before.contains(refusal)).collect()
    }

    /// The pieces that it could do without: each key and each entry of its list, and each `[[section]]` whole.
    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (section, it) in self.sections.iter().enumerate() {
            // A certificate without its key is none.
            if it.repeated || it.name == "tls" {
                pieces.push(Piece { section, key: None, entry: None });
                continue;
            }
            for (key, value) in it.keys.iter().filter(|(key, _)| *key != "hostname") {
                pieces.push(Piece { section, key: Some(*key), entry: None });
                let entries = 0..value.as_array().map_or(0, Vec::len);
                pieces.extend(entries.map(|entry| Piece { section, key: Some(*key), entry: Some(entry) }));
            }
        }
        pieces
    }

    /// What it is without a piece, and what that was.
    fn without(&self, piece: &Piece) -> (Self, String) {
        let mut less = self.clone();
        let section = &mut less.sections[piece.section];
        let name = section.name;
        let mut gone = Vec::new();
        match piece.key {
            None => gone = less.sections.remove(piece.section).keys,
            Some(key) => {
                let Some(at) = section.keys.iter().position(|(known, _)| *known == key) else {
                    return (less, key.to_owned());
                };
                match (&mut section.keys[at].1, piece.entry) {
                    (Value::Array(list), Some(entry)) if list.len() > 1 => gone.push((key, list.remove(entry))),
                    _ => gone.push(section.keys.remove(at)),
                }
            }
        }
        less.sections.retain(|it| it.repeated || !it.keys.is_empty());
        let gone: Vec<String> = gone.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        (less, format!("[{name}] {}", gone.join(", ")))
    }

    /// Whether a refusal names what a piece says: an address, a name, the file of a map.
    fn is_named(&self, piece: &Piece, refusal: &str) -> bool {
        let keys = self.sections[piece.section].keys.iter().filter(|(key, _)| piece.key.is_none_or(|it| it == *key));
        let texts = keys.flat_map(|(_, value)| match (value, piece.entry) {
            (Value::Array(list), Some(entry)) => list.get(entry..=entry).unwrap_or_default(),
            (Value::Array(list), None) => list.as_slice(),
            (value, _) => std::slice::from_ref(value),
        });
        let is_in = |text: &str| !text.is_empty() && refusal.contains(text);
        texts
            .filter_map(Value::as_str)
            .any(|text| is_in(text) || text.split_once(':').is_some_and(|(_, file)| is_in(file)))
    }
}

/// A part of a draft.
struct Piece {
    section: usize,
    /// `None`: the whole section.
    key: Option<&'static str>,
    /// One of its list.
    entry: Option<usize>,
}

/// A listener that harms nobody, where there must be one.
pub(super) fn stand_in() -> Vec<(&'static str, Value)> {
    let bind = Value::Array(vec![Value::from("127.0.0.1:25")]);
    vec![("name", Value::from("smtp")), ("protocol", Value::from("smtp")), ("bind", bind)]
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

    /// Whether a start would take a change alone.
    pub(super) fn fits(change: impl FnOnce(&mut Draft)) -> bool {
        Draft::refusals_of(change).is_empty()
    }

    /// The same as `offer` for a change that names files: those are read as a start would read them.
    pub(super) fn offer_files(&mut self, at: &Spot, taking: Change<'_>, change: impl Fn(&mut Draft)) -> bool {
        match Draft::refusals_of(&change).first() {
            None => self.offer(at, taking, change),
            Some(refusal) => {
                self.not_taken(at, taking.what, refusal);
                false
            }
        }
    }

    /// What fits each for itself may not fit together, or not with this machine: it is left out and named, until a start would
    /// take the rest. What no piece is to blame for stays.
    pub(super) fn settle(&mut self, at: &Spot) {
        if self.draft.count("listener") == 0 {
            self.draft.push("listener", stand_in());
            let how =
                "none that it has can be taken; port 25 of 127.0.0.1 stands for them: give [[listener]] its `bind`";
            self.differs(at, "where it listens", how);
        }
        // What is so without any of it is not to be helped here.
        let mut nothing = Draft::default();
        nothing.push("listener", stand_in());
        let of_machine = nothing.refusals();
        for _ in 0..ROUNDS_MAX {
            let refusals = self.draft.refusals();
            let Some(first) = refusals.iter().find(|refusal| !of_machine.contains(refusal)) else { return };
            let (mut pieces, mistakes) = (self.draft.pieces(), self.draft.mistakes());
            // What the refusal names, then what was put in last; nothing that the rest needs.
            pieces.reverse();
            pieces.sort_by_key(|piece| !self.draft.is_named(piece, first));
            let found = pieces.iter().take(PIECES_MAX).map(|piece| self.draft.without(piece)).find(|(less, _)| {
                less.mistakes().iter().all(|it| mistakes.contains(it)) && !less.refusals().contains(first)
            });
            let Some((less, what)) = found else { return };
            self.draft = less;
            self.not_taken(at, &what, first);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_start_would_refuse_is_left_out_alone() {
        let dir = tempfile::tempdir().unwrap();
        let good = dir.path().join("good");
        std::fs::write(&good, "branch.example\n").unwrap();
        let mut making = Making::default();
        let map = |file: &str| format!("relay-domains:{}", dir.path().join(file).display());
        making.draft.add("domains", "maps", &map("none"));
        making.draft.add("domains", "maps", &map("good"));
        making.draft.set("tls", "certificate", "/nonexistent/c.pem");
        making.draft.set("tls", "key", "/nonexistent/k.pem");
        making.draft.set("limits", "hops", 40);
        making.settle(&Spot::new("main.cf", 1));
        let text = making.draft.to_string();
        assert!(text.contains(&map("good")) && text.contains("hops = 40"), "{text}");
        assert!(!text.contains("none") && !text.contains("c.pem"), "{text}");
        // There must be a listener, and each that went is named.
        assert!(text.contains("127.0.0.1:25"), "{text}");
        let notes: Vec<String> = making.notes.iter().map(ToString::to_string).collect();
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(
            notes.iter().any(|note| note.contains("[domains] maps = ") && note.contains("none: No such file")),
            "{notes:?}"
        );
    }
}
