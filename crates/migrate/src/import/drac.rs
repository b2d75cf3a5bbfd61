//! The original `rpc.dracd`: its allow list, and the line that starts it.

use super::{
    ImportError, Spot,
    draft::{Change, Draft, Making},
    read,
};
use std::path::Path;
use toml::Value;

/// Reads `dracd.allow`, a folder with it, or a script that starts `rpc.dracd`.
pub(super) fn import(path: &Path, making: &mut Making) -> Result<(), ImportError> {
    let file = if path.is_dir() { path.join("dracd.allow") } else { path.to_owned() };
    let text = read::text(&file)?;
    let name = file.display().to_string();
    let started = (1..).zip(text.lines()).find_map(|(number, line)| Some((number, arguments(line)?)));
    let first = Spot::new(&name, started.as_ref().map_or(1, |(number, _)| *number));
    let loaded = match started {
        Some((_, arguments)) => {
            options(making, &first, &arguments);
            let instead =
                "who may add is not said here: give dracd.allow as relay.drac.allow; without it only loopback may";
            making.not_taken(&first, "dracd.allow", instead);
            None
        }
        None => Some(allow(making, &file, &text)?),
    };
    let elsewhere = loaded.as_ref().is_some_and(drac::allow::Allow::reaches_beyond_loopback);
    let bind = if elsewhere { "0.0.0.0:2900" } else { "127.0.0.1:2900" };
    making.offer(&first, Change { what: "rpc.dracd", key: "a [[listener]] for dracd" }, |draft| {
        let bind = Value::Array(vec![Value::from(bind)]);
        draft.push("listener", vec![("name", "dracd".into()), ("protocol", "dracd".into()), ("bind", bind)]);
        draft.set("relay.pop", "enabled", true);
    });
    if elsewhere {
        let how = "adds by UDP from other hosts are believed only with relay.drac.udp_from_others = true: their source \
                   address is all the proof there is";
        making.differs(&first, "rpc.dracd", how);
    }
    let how = "an address that DRAC named may relay with reverse-paths of our own domains only; relay.drac.senders changes it";
    making.differs(&first, "rpc.dracd", how);
    making.notes.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(())
}

/// What stands behind `rpc.dracd` in a line of a script; `None`: it is not started there.
fn arguments(line: &str) -> Option<Vec<String>> {
    let mut words = line.trim().split_ascii_whitespace().map(|word| word.trim_matches(['"', '\'']));
    if line.trim_start().starts_with('#') {
        return None;
    }
    words.find(|word| matches!(word.rsplit('/').next(), Some("rpc.dracd" | "dracd")))?;
    Some(words.take_while(|word| !matches!(*word, "&" | ";" | "&&" | "||" | "|")).map(str::to_owned).collect())
}

fn options(making: &mut Making, at: &Spot, arguments: &[String]) {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-i" => making.differs(
                at,
                "rpc.dracd -i",
                "logins are kept over a restart; `sekisho grant revoke --all` forgets them",
            ),
            word if word.starts_with("-e") => {
                let minutes = if word == "-e" { words.next().map_or("", String::as_str) } else { &word[2..] };
                let what = format!("rpc.dracd -e {minutes}");
                match minutes.parse::<u32>() {
                    Ok(minutes) => {
                        let put = |draft: &mut Draft| draft.set("relay.pop", "minutes", minutes);
                        making.offer(at, Change { what: &what, key: "relay.pop.minutes" }, put);
                    }
                    Err(_) => making.not_taken(at, &what, "this is no number of minutes; give it as relay.pop.minutes"),
                }
            }
            word if word.starts_with('-') => {
                making.not_taken(at, &format!("rpc.dracd {word}"), "there is no such option");
            }
            word if word.starts_with(['>', '<', '2', '$']) => {}
            file => {
                let what = format!("rpc.dracd {file}");
                let export = format!("btree:{file}");
                if making.offer(at, Change { what: &what, key: "relay.export" }, |draft| {
                    draft.set("relay", "export", export);
                }) {
                    let how = "it is only for mail servers that read it; those that ask us fail closed, a file cannot";
                    making.differs(at, &what, how);
                    if Path::new(file).extension().is_none_or(|it| it != "db") {
                        making.differs(at, &what, &format!("the file is {file}.db: name it so where it is read"));
                    }
                }
            }
        }
    }
}

fn allow(making: &mut Making, file: &Path, text: &str) -> Result<drac::allow::Allow, ImportError> {
    let name = file.display().to_string();
    let not_that = |why: String| ImportError::NotThat { path: file.to_owned(), why };
    let loaded = match drac::allow::Allow::parse(&name, text.as_bytes()) {
        Ok(loaded) => loaded,
        Err(error) => {
            making.not_taken(&Spot::new(&name, 1), "dracd.allow", &format!("DANGER: {error}"));
            return Ok(drac::allow::Allow::loopback_only());
        }
    };
    if loaded.allow.is_empty() {
        return Err(not_that("no server may add by this list, and nothing in it starts rpc.dracd".to_owned()));
    }
    for warning in &loaded.warnings {
        let line = u32::try_from(warning.place.line).unwrap_or(1);
        making.not_taken(&Spot::new(&name, line), "the line", &warning.message);
    }
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).display().to_string();
    let put = |draft: &mut Draft| draft.set("relay.drac", "allow", absolute);
    making.offer(&Spot::new(&name, 1), Change { what: "dracd.allow", key: "relay.drac.allow" }, put);
    Ok(loaded.allow)
}
