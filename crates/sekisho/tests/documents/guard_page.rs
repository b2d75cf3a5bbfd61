//! The page "What the guard does to a mail" says what the guard does, in both languages.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use guard::Load;
use serde_json::Value;
use state::Offence;

use crate::read;

const PAGES: [&str; 2] = ["docs/guard.md", "docs/guard.ja.md"];

/// A configuration with nothing but what every one has.
const PLAIN: &str =
    "hostname = \"mail.example.test\"\n[[listener]]\nname = \"mx\"\nprotocol = \"smtp\"\nbind = [\"127.0.0.1:2525\"]\n";

/// The tables' rows that begin with a name in code: the name, then the other cells.
fn rows(page: &str) -> Vec<Vec<String>> {
    let text = read(page);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(|cell| cell.trim_matches('`').to_owned()).collect()).collect()
}

/// The same of two columns, the second of which is a number.
fn numbers(page: &str) -> Vec<(String, String)> {
    let is_number = |cell: &str| cell.bytes().all(|octet| octet.is_ascii_digit() || octet == b',');
    let rows = rows(page).into_iter().filter(|row| row.len() > 1 && row.len() < 5 && is_number(&row[1]));
    rows.map(|mut row| (row.remove(0), row.remove(0))).collect()
}

/// Settings of a file with this text.
fn settings(text: &str) -> config::Settings {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sekisho.toml");
    fs::write(&path, text).unwrap();
    config::read(&path, &[]).unwrap_or_else(|why| panic!("{text}\n{why}")).settings
}

#[test]
fn the_guards_page_has_every_default_rule_as_it_is_asked() {
    let printed = Command::new(env!("CARGO_BIN_EXE_sekisho")).args(["config", "defaults", "--json"]).output().unwrap();
    let rules: Vec<Value> = serde_json::from_slice(&printed.stdout).unwrap();
    let told = |rule: &Value, key: &str| rule[key].as_str().unwrap().to_owned();
    for (page, why, of_lists) in [(PAGES[0], "why", None), (PAGES[1], "why_ja", Some("リストごとの重み"))] {
        let expected: Vec<[String; 4]> = rules
            .iter()
            .map(|rule| {
                let does = told(rule, "does");
                let does = of_lists.filter(|_| does == "the weight of each list").map_or(does, str::to_owned);
                [told(rule, "name"), does, told(rule, "mode"), told(rule, why)]
            })
            .collect();
        let there: Vec<[String; 4]> = rows(page)
            .into_iter()
            .filter(|row| row.len() == 5)
            .map(|row| [0, 1, 2, 4].map(|column| row[column].clone()))
            .collect();
        assert_eq!(there, expected, "{page}");
    }
    let asked = settings(&format!("{PLAIN}[guard]\ndefaults = true\n")).guard.rules;
    let asked: Vec<&str> = asked.iter().map(|rule| &*rule.name).collect();
    assert_eq!(asked, rules.iter().map(|rule| rule["name"].as_str().unwrap()).collect::<Vec<_>>());
}

/// The reference is made from the code.
#[test]
fn the_guards_page_names_thresholds_as_they_are() {
    let reference = read("docs/sekisho.toml.md");
    let default_of = |key: &str| {
        let sections = || reference.split("\n### ").filter_map(|section| section.split_once('\n'));
        let (_, text) = sections().find(|(name, _)| *name == key).unwrap_or_else(|| panic!("there is no key {key}"));
        let words = text.split("\n## ").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, default) = words.rsplit_once("Default ").unwrap_or_else(|| panic!("{key} has no default"));
        default.trim_end_matches('.').to_owned()
    };
    let offences: Vec<_> = Offence::ALL.iter().map(|it| (it.code().to_owned(), it.per_hour().to_string())).collect();
    for page in PAGES {
        let (keys, others): (Vec<_>, Vec<_>) = numbers(page).into_iter().partition(|(name, _)| name.contains('.'));
        for (key, number) in &keys {
            assert_eq!(*number, default_of(key), "{page}: {key}");
        }
        for key in ["greylist_score", "slow_score", "refuse_score", "greylist_delay_secs"] {
            assert!(keys.iter().any(|(name, _)| *name == format!("guard.{key}")), "{page}: {key}");
        }
        assert_eq!(others, offences, "{page}");
        for percent in [70, 85, 95] {
            assert_ne!(Load::Calm.after(percent - 1), Load::Calm.after(percent), "{percent}");
            assert!(read(page).contains(&format!("{percent} %")), "{page}: {percent}");
        }
    }
}

/// A reason stands behind its reply code, as in `451 greylisted`.
#[test]
fn the_guards_page_names_reasons_that_are_explained() {
    let reasons = |page: &str| -> BTreeSet<String> {
        let text = read(page);
        let code = text.split('`').skip(1).step_by(2);
        let behind = |code: &str| {
            let (reply, word) = code.split_once(' ')?;
            let is_reply = reply.len() == 3 && reply.bytes().all(|octet| octet.is_ascii_digit());
            let is_word = word.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'-');
            (is_reply && is_word).then(|| word.to_owned())
        };
        let logged = text.match_indices("reason=").map(|(at, found)| {
            text[at + found.len()..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>()
        });
        code.filter_map(behind).chain(logged.filter(|word| !word.is_empty())).collect()
    };
    let explained = read("docs/refusals.md");
    let named = reasons(PAGES[0]);
    assert!(named.len() > 10, "they were found: {named:?}");
    assert_eq!(named, reasons(PAGES[1]));
    for reason in &named {
        assert!(explained.contains(&format!("\n### `{reason}`\n")), "docs/refusals.md does not explain {reason}");
    }
}

#[test]
fn the_guards_page_shows_a_configuration_that_is_taken() {
    for page in PAGES {
        let text = read(page);
        let shown = text.split("\n```toml\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
        let guard = settings(&format!("{PLAIN}{shown}\n")).guard;
        assert_eq!(&*guard.rules[0].name, "bounce-from-a-line", "{page}");
    }
}
