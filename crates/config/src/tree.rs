//! The configuration as a tree of values that know where they stand: the file, with every `--set` laid over it.

use crate::report::Mistake;
use crate::source::Sources;
use serde::Deserialize;
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

/// The merged values and the texts that their spans point into.
pub(crate) struct Tree<'t> {
    root: Spanned<DeTable<'t>>,
}

/// The texts of a configuration: the file, then a line of TOML for each `--set`.
pub(crate) fn sources(name: &str, text: &str, sets: &[String]) -> Sources {
    let mut sources = Sources::default();
    sources.add(name, text);
    for set in sets {
        sources.add("--set", &override_line(set));
    }
    sources
}

/// `KEY=VALUE` as a line of TOML. What is no value of TOML is meant as a string, so that the shell's quotes are enough.
fn override_line(set: &str) -> String {
    let Some((key, value)) = set.split_once('=') else { return set.to_owned() };
    let (key, value) = (key.trim(), value.trim());
    if DeValue::parse(value).is_ok() {
        return format!("{key} = {value}");
    }
    format!("{key} = {}", toml::Value::String(value.to_owned()))
}

impl<'t> Tree<'t> {
    /// Parses the texts and lays each over those before it; a text that is no TOML is reported with all its errors.
    pub(crate) fn parse(sources: &'t Sources) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut root = Spanned::new(0..0, DeTable::new());
        for (source, base) in sources.iter() {
            let (table, errors) = DeTable::parse_recoverable(&source.text);
            mistakes.extend(errors.into_iter().map(|error| Mistake {
                span: shifted(error.span().unwrap_or(0..0), base),
                message: error.message().to_owned(),
                hint: None,
            }));
            let table = shift_table(table.into_inner(), base);
            if base == 0 { root = Spanned::new(0..0, table) } else { merge(root.get_mut(), table, &mut mistakes) }
        }
        if mistakes.is_empty() { Ok(Self { root }) } else { Err(mistakes) }
    }

    /// The values with their places.
    pub(crate) fn root(&self) -> &DeTable<'t> {
        self.root.get_ref()
    }

    /// The values as they are written.
    pub(crate) fn read<T: Deserialize<'t>>(&self) -> Result<T, Mistake> {
        T::deserialize(toml::de::Deserializer::from(self.root.clone())).map_err(|error| Mistake {
            span: error.span().unwrap_or(0..0),
            message: error.message().to_owned(),
            hint: None,
        })
    }

    /// Where `listener[0].bind` stands; `None`: it is not written.
    pub(crate) fn written(&self, path: &str) -> Option<Range<usize>> {
        let mut table = Some(self.root.get_ref());
        let mut span = None;
        for part in path.split('.') {
            let (key, indices) = part.split_once('[').unwrap_or((part, ""));
            let mut value = table?.get(key)?;
            for index in indices.split('[').filter(|index| !index.is_empty()) {
                value = value.get_ref().get(index.trim_end_matches(']').parse::<usize>().ok()?)?;
            }
            span = Some(value.span());
            table = value.get_ref().as_table();
        }
        span
    }

    /// Where `listener[0].bind[1]` stands; if it is not written, the innermost value around it that is.
    pub(crate) fn span(&self, path: &str) -> Range<usize> {
        let mut span = 0..0;
        let mut table = Some(self.root.get_ref());
        for part in path.split('.') {
            let (key, indices) = part.split_once('[').unwrap_or((part, ""));
            let Some(mut value) = table.and_then(|table| table.get(key)) else { break };
            span = value.span();
            for index in indices.split('[').filter_map(|index| index.trim_end_matches(']').parse::<usize>().ok()) {
                let Some(item) = value.get_ref().get(index) else { return span };
                value = item;
                span = value.span();
            }
            table = value.get_ref().as_table();
        }
        span
    }
}

fn shifted(span: Range<usize>, base: usize) -> Range<usize> {
    span.start + base..span.end + base
}

fn shift_table(table: DeTable<'_>, base: usize) -> DeTable<'_> {
    table
        .into_iter()
        .map(|(key, value)| (Spanned::new(shifted(key.span(), base), key.into_inner()), shift(value, base)))
        .collect()
}

fn shift(value: Spanned<DeValue<'_>>, base: usize) -> Spanned<DeValue<'_>> {
    let span = shifted(value.span(), base);
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, base)),
        DeValue::Array(array) => DeValue::Array(array.into_iter().map(|item| shift(item, base)).collect()),
        leaf => leaf,
    };
    Spanned::new(span, value)
}

/// Lays `over` on `under`: tables are merged, an entry of an array of tables is meant by its `name`, all else is replaced.
fn merge<'t>(under: &mut DeTable<'t>, over: DeTable<'t>, mistakes: &mut Vec<Mistake>) {
    for (key, value) in over {
        match (under.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value.get_ref()) {
            (Some(DeValue::Table(below)), DeValue::Table(_)) => merge_value(below, value, mistakes),
            (Some(DeValue::Array(entries)), DeValue::Table(_)) => merge_named(entries, value, mistakes),
            _ => {
                under.remove(key.get_ref().as_ref());
                under.insert(key, value);
            }
        }
    }
}

fn merge_value<'t>(below: &mut DeTable<'t>, value: Spanned<DeValue<'t>>, mistakes: &mut Vec<Mistake>) {
    if let DeValue::Table(table) = value.into_inner() {
        merge(below, table, mistakes);
    }
}

fn merge_named<'t>(entries: &mut DeArray<'t>, value: Spanned<DeValue<'t>>, mistakes: &mut Vec<Mistake>) {
    let DeValue::Table(table) = value.into_inner() else { return };
    for (name, value) in table {
        let named = |entry: &&mut Spanned<DeValue<'t>>| {
            entry.get_ref().get("name").and_then(|it| it.get_ref().as_str()) == Some(name.get_ref())
        };
        match entries.iter_mut().find(named).map(Spanned::get_mut) {
            Some(DeValue::Table(below)) => merge_value(below, value, mistakes),
            _ => mistakes.push(Mistake {
                span: name.span(),
                message: format!("nothing there has the name `{}`", name.get_ref()),
                hint: Some("an entry of a list is meant by its `name`, as in listener.NAME.KEY=VALUE".to_owned()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "hostname = 'a.example'\n[limits]\nhops = 50\n[[listener]]\nname = 'mx'\nprotocol = 'smtp'\nbind = ['a', 'b']\n";

    #[test]
    fn an_override_is_toml_or_else_a_string() {
        let table = [
            ("limits.hops=3", "limits.hops = 3"),
            ("hostname=a.example", "hostname = \"a.example\""),
            ("relay.networks=['10.0.0.1']", "relay.networks = ['10.0.0.1']"),
            ("log.file=/x y", "log.file = \"/x y\""),
            ("listener.mx.bind = [\"::1\"]", "listener.mx.bind = [\"::1\"]"),
            ("nothing", "nothing"),
        ];
        for (set, line) in table {
            assert_eq!(override_line(set), line);
        }
    }

    #[test]
    fn overrides_lie_over_the_file_and_keep_their_places() {
        let sets = ["limits.hops=33".to_owned(), "listener.mx.connections_max=7".to_owned()];
        let sources = sources("f.toml", TEXT, &sets);
        let tree = Tree::parse(&sources).expect("parses");
        let file: crate::File = tree.read().expect("deserialises");
        assert_eq!((file.limits.hops, file.listener[0].connections_max), (33, 7));
        assert_eq!(sources.position(&tree.span("listener[0].bind[1]")).to_string(), "f.toml:7:14");
        assert_eq!(sources.position(&tree.span("limits.hops")).to_string(), "--set:1:15");
    }

    #[test]
    fn an_override_of_an_unknown_entry_is_a_mistake() {
        let sources = sources("f.toml", TEXT, &["listener.nix.connections_max=7".to_owned()]);
        let Err(mistakes) = Tree::parse(&sources) else { panic!("parsed") };
        assert_eq!(mistakes[0].message, "nothing there has the name `nix`");
    }
}
