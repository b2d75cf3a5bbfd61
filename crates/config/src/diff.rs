//! What a reload would change: the configuration in force against a file, key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::source::Position;
use crate::tree::{self, Tree};
use crate::{ConfigError, File, Loaded, Text, parse, read_text};

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The key; an entry of a list is meant by its name, as in `--set`.
    pub key: String,
    /// Its value in force; `None`: there is no such entry.
    pub running: Option<Value>,
    /// Its value by the file; `None`: there is no such entry.
    pub file: Option<Value>,
    /// Where the file says so; `None`: it does not, and the default counts.
    pub place: Option<String>,
    /// It is read at the start only.
    pub needs_restart: bool,
}

impl Difference {
    /// Key, both values, place, and what it takes to change it.
    pub fn row(&self) -> [String; 5] {
        let value = |it: &Option<Value>| it.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let place = self.place.clone().unwrap_or_else(|| "default".to_owned());
        let needs = if self.needs_restart { "restart" } else { "reload" };
        [self.key.clone(), value(&self.running), value(&self.file), place, needs.to_owned()]
    }
}

/// A value, and how its place is found in a tree.
struct Leaf {
    value: Value,
    path: String,
}

/// Compares what is in force with a file and `sets` over it. What is wrong with the file is an error.
pub fn diff(running: &File, file: &Path, sets: &[String]) -> Result<Vec<Difference>, ConfigError> {
    let text = read_text(file)?;
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let base_dir = absolute.parent().unwrap_or(Path::new("/"));
    let name = file.to_string_lossy();
    let new = parse(&Text { name: &name, text: &text, base_dir }, sets).map_err(ConfigError::Mistaken)?;
    let sources = Arc::new(tree::sources(&name, &text, sets));
    // It was parsed before.
    let tree = Tree::parse(&sources).ok();
    let place = |path: &str| -> Option<Position> { Some(sources.position(&tree.as_ref()?.written(path)?)) };
    let restart = needing_a_restart(running, &new, base_dir);
    let (old, new) = (leaves(running), leaves(&new.file));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differ = keys.into_iter().filter(|key| old.get(*key).map(|it| &it.value) != new.get(*key).map(|it| &it.value));
    let difference = |key: &String| {
        let place = new.get(key).and_then(|leaf| place(&leaf.path));
        let below = |restart: &&'static str| {
            key.strip_prefix(*restart).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        Difference {
            key: key.clone(),
            running: old.get(key).map(|leaf| leaf.value.clone()),
            file: new.get(key).map(|leaf| leaf.value.clone()),
            place: place.map(|place| place.to_string()),
            needs_restart: restart.iter().any(below),
        }
    };
    Ok(differ.map(difference).collect())
}

/// Keys, or the tables that they are in.
fn needing_a_restart(running: &File, new: &Loaded, base_dir: &Path) -> Vec<&'static str> {
    let text = toml::to_string(running).unwrap_or_default();
    let running = parse(&Text { name: "running", text: &text, base_dir }, &[]);
    running.map(|running| running.settings.needing_a_restart(&new.settings)).unwrap_or_default()
}

/// Every value that is no table, by its key.
fn leaves(file: &File) -> BTreeMap<String, Leaf> {
    let mut leaves = BTreeMap::new();
    // Texts, numbers and lists of those: nothing in it can fail.
    add(&mut leaves, Place::default(), serde_json::to_value(file).unwrap_or_default());
    leaves
}

/// How a value is called, and how it is found.
#[derive(Default)]
struct Place {
    key: String,
    path: String,
}

fn add(leaves: &mut BTreeMap<String, Leaf>, at: Place, value: Value) {
    let Place { key, path } = at;
    let below = |of: &str, name: &str| if of.is_empty() { name.to_owned() } else { format!("{of}.{name}") };
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                add(leaves, Place { key: below(&key, &name), path: below(&path, &name) }, value);
            }
        }
        Value::Array(list)
            if list.iter().all(|it| it.get("name").is_some_and(Value::is_string)) && !list.is_empty() =>
        {
            for (index, value) in list.into_iter().enumerate() {
                let name = value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                add(leaves, Place { key: below(&key, &name), path: format!("{path}[{index}]") }, value);
            }
        }
        Value::Array(list) if list.is_empty() => {}
        value => {
            leaves.insert(key, Leaf { value, path });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "hostname = 'a.example'\n\n[limits]\nhops = 50\n\n[[listener]]\nname = 'mx'\nprotocol = 'smtp'\n\
        bind = ['127.0.0.1:2525']\n";

    fn of(old: &str, new: &str, sets: &[&str]) -> Vec<Difference> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f.toml");
        std::fs::write(&file, new).unwrap();
        let running = parse(&Text { name: "old", text: old, base_dir: dir.path() }, &[]).unwrap();
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let mut found = diff(&running.file, &file, &sets).unwrap();
        let folder = format!("{}/", dir.path().display());
        for it in &mut found {
            it.place = it.place.take().map(|place| place.replace(&folder, ""));
        }
        found
    }

    type Row<'a> = (&'a str, Option<&'a Value>, Option<&'a Value>, Option<&'a str>, bool);

    fn told(found: &[Difference]) -> Vec<Row<'_>> {
        found
            .iter()
            .map(|it| (it.key.as_str(), it.running.as_ref(), it.file.as_ref(), it.place.as_deref(), it.needs_restart))
            .collect()
    }

    #[test]
    fn each_key_is_told_with_its_place_and_what_it_needs() {
        assert!(of(TEXT, TEXT, &[]).is_empty());
        let new = TEXT
            .replace("hops = 50", "hops = 60")
            .replace("a.example", "b.example")
            .replace("protocol = 'smtp'\n", "protocol = 'smtp'\nconnections_max = 7\n");
        let found = of(TEXT, &new, &[]);
        let (a, b, fifty, sixty, seven) = (json!("a.example"), json!("b.example"), json!(50), json!(60), json!(7));
        let before = found.iter().find(|it| it.key == "listener.mx.connections_max").unwrap().running.clone();
        assert_eq!(
            told(&found),
            [
                ("hostname", Some(&a), Some(&b), Some("f.toml:1:12"), true),
                ("limits.hops", Some(&fifty), Some(&sixty), Some("f.toml:4:8"), false),
                ("listener.mx.connections_max", before.as_ref(), Some(&seven), Some("f.toml:9:19"), false),
            ]
        );
        // A key that is gone has its default; an entry that is gone has nothing.
        let found = of(&TEXT.replace("hops = 50", "hops = 60"), &TEXT.replace("[limits]\nhops = 50\n", ""), &[]);
        assert!(matches!(told(&found)[..], [("limits.hops", Some(_), Some(_), None, false)]), "{found:?}");
        let without = TEXT.split("[[listener]]").next().unwrap();
        let found = of(TEXT, without, &[]);
        assert!(found.iter().all(|it| it.key.starts_with("listener.mx.") && it.file.is_none()), "{found:?}");
        // Whatever the server was started with lies over the file.
        assert!(of(TEXT, &TEXT.replace("hops = 50", "hops = 60"), &["limits.hops=50"]).is_empty());
    }

    #[test]
    fn a_file_with_a_mistake_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f.toml");
        std::fs::write(&file, "hostname = 7\n").unwrap();
        let running = parse(&Text { name: "old", text: TEXT, base_dir: dir.path() }, &[]).unwrap();
        assert!(matches!(diff(&running.file, &file, &[]), Err(ConfigError::Mistaken(_))));
    }
}
