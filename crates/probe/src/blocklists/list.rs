//! The public lists, as the data file has them, and those of the configuration beside them.

use std::net::Ipv4Addr;

use config::{Codes, Dnsbl, ListKind};
use reputation::{Family, Points};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The data file.
const WRITTEN: &str = include_str!("../../data/blocklists.toml");

/// A list that can be asked, or is named because others still ask it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    /// What it is called; never holds a key.
    pub(crate) name: String,
    /// Its domain as it may be shown.
    #[serde(skip)]
    pub(crate) shown: String,
    /// Its domain as it is asked.
    pub(crate) zone: String,
    pub(crate) kind: ListKind,
    #[serde(default)]
    pub(crate) speaks: Speaks,
    pub(crate) state: Life,
    #[serde(default)]
    pub(crate) since: String,
    #[serde(default)]
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) page: String,
    #[serde(default)]
    pub(crate) terms: String,
    #[serde(default)]
    pub(crate) means: String,
    #[serde(default)]
    pub(crate) leave: String,
    #[serde(default)]
    pub(crate) codes: Vec<Declared>,
    #[serde(default)]
    pub(crate) refuses: Vec<Ipv4Addr>,
    test: Option<Test>,
}

/// Answers that are listings, and what they mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Declared {
    #[serde(deserialize_with = "answers")]
    pub(crate) answers: Vec<Codes>,
    pub(crate) means: String,
}

/// For or against those that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Speaks {
    For,
    #[default]
    Against,
}

/// Whether it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Life {
    Active,
    /// Only with a key.
    Keyed,
    Dead,
}

/// Why the data file cannot be used: a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("the list of public block lists: {0}")]
pub struct DataError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    list: Vec<List>,
}

/// Test points, below the zone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    listed: String,
    unlisted: String,
}

/// As `dnsbl.codes` has them.
fn answers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Codes>, D::Error> {
    let texts: Vec<String> = Vec::deserialize(deserializer)?;
    let read = |text: &String| Codes::parse(text).ok_or_else(|| D::Error::custom(format!("{text:?} is no answer")));
    texts.iter().map(read).collect()
}

impl List {
    /// Its test points for what is asked.
    pub(crate) fn points(&self, family: Family) -> Points {
        match &self.test {
            Some(Test { listed, unlisted }) if family == Family::Domain => {
                let below = |name: &str| format!("{name}.{}", self.zone);
                Points { family, listed: below(listed), unlisted: below(unlisted) }
            }
            _ => family.points(&self.zone),
        }
    }

    /// One that only the configuration has.
    fn of(own: &Dnsbl) -> Self {
        let code = |code: &config::Code| Declared {
            answers: vec![code.which],
            means: format!("weighs {} on this server", code.weight),
        };
        let speaks = if own.codes.iter().all(|code| code.weight < 0) { Speaks::For } else { Speaks::Against };
        Self {
            name: own.name.to_string(),
            shown: own.name.to_string(),
            zone: own.zone.to_string(),
            kind: own.kind,
            speaks,
            state: Life::Active,
            since: String::new(),
            note: String::new(),
            page: String::new(),
            terms: String::new(),
            means: "This server asks it about strangers ([[dnsbl]]).".to_owned(),
            leave: "See its operator's pages.".to_owned(),
            codes: own.codes.iter().map(code).collect(),
            refuses: Vec::new(),
            test: None,
        }
    }
}

/// The public lists, with those of the configuration: one that is public already stands once, and one below a public one that
/// needs a key is asked in its place.
pub(crate) fn lists(own: &[Dnsbl]) -> Result<Vec<List>, DataError> {
    let file: File = toml::from_str(WRITTEN).map_err(|error| DataError(error.to_string()))?;
    let mut lists = file.list;
    for list in &mut lists {
        list.shown.clone_from(&list.zone);
    }
    for own in own {
        let below = |zone: &str| own.zone.strip_suffix(zone).is_some_and(|key| key.is_empty() || key.ends_with('.'));
        match lists.iter_mut().find(|list| list.kind == own.kind && below(&list.zone)) {
            Some(list) if list.state == Life::Dead => {
                "this server still asks it: take it out of [[dnsbl]]".clone_into(&mut list.note);
            }
            Some(list) => {
                own.zone.as_ref().clone_into(&mut list.zone);
                list.state = Life::Active;
            }
            None => lists.push(List::of(own)),
        }
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;
    use guard::rule::Mode;

    fn own(zone: &str, name: &str) -> Dnsbl {
        let codes = vec![config::Code { which: Codes::parse("127.0.0.2").unwrap(), weight: 5 }];
        Dnsbl { zone: zone.into(), name: name.into(), kind: ListKind::Ip, codes, mode: Mode::Enforce }
    }

    #[test]
    fn every_public_list_says_what_an_operator_must_know() {
        let lists = lists(&[]).unwrap();
        for (at, list) in lists.iter().enumerate() {
            let name = &list.name;
            assert!(smtp::Domain::parse(&list.zone).is_ok(), "{name}: {}", list.zone);
            assert!(lists[..at].iter().all(|before| before.zone != list.zone && before.name != *name), "{name} twice");
            if list.state == Life::Dead {
                assert!(list.since.len() >= 4 && list.codes.is_empty(), "{name}");
                continue;
            }
            assert!(list.page.starts_with("https://") && !list.codes.is_empty(), "{name}");
            for text in [&list.means, &list.leave, &list.terms] {
                assert!(!text.is_empty(), "{name}");
            }
        }
        assert!(lists.iter().filter(|list| list.state == Life::Active).count() >= 12);
    }

    #[test]
    fn a_key_is_asked_with_and_never_shown() {
        let lists = lists(&[own("0a1b2c.combined.mail.abusix.zone", "abusix"), own("l.example", "mine")]).unwrap();
        let abusix = lists.iter().find(|list| list.name == "Abusix combined").unwrap();
        assert_eq!((&*abusix.zone, abusix.state), ("0a1b2c.combined.mail.abusix.zone", Life::Active));
        assert_eq!(abusix.shown, "combined.mail.abusix.zone");
        assert!(lists.iter().any(|list| list.shown == "mine" && list.zone == "l.example"));
        let same = super::lists(&[own("zen.spamhaus.org", "zen"), own("dnsbl.sorbs.net", "sorbs")]).unwrap();
        assert_eq!(same.len(), super::lists(&[]).unwrap().len(), "none stands twice");
        assert!(same.iter().any(|list| list.name == "SORBS" && list.note.contains("still asks")));
    }
}
