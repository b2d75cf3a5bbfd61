//! `--name value` pairs.

use std::collections::HashMap;
use std::str::FromStr;

/// The pairs of one call.
pub struct Args<'a>(HashMap<&'a str, &'a str>);

impl<'a> Args<'a> {
    pub fn parse(words: &[&'a str]) -> Result<Self, String> {
        let mut pairs = HashMap::new();
        for pair in words.chunks(2) {
            match pair {
                [name, value] if name.starts_with("--") => pairs.insert(&name[2..], *value),
                _ => return Err(format!("not understood: {}", pair.join(" "))),
            };
        }
        Ok(Self(pairs))
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }

    pub fn optional<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        self.text(name).map(|value| value.parse().map_err(|_| format!("--{name}: {value:?} is not one"))).transpose()
    }

    pub fn required<T: FromStr>(&self, name: &str) -> Result<T, String> {
        self.optional(name)?.ok_or_else(|| format!("--{name} is missing"))
    }

    /// The pieces between commas.
    pub fn list(&self, name: &str) -> Result<Vec<&'a str>, String> {
        Ok(self.text(name).ok_or_else(|| format!("--{name} is missing"))?.split(',').collect())
    }
}
