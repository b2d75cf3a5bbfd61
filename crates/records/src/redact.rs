//! What of personal data is not kept. What is taken out is put in again as a keyed hash or cut to a network, so that who knows the
//! exact value still finds its records, and who reads the records learns no more than that they are of the same one.
//!
//! The key lies beside the records (`key`, mode 0600); with it removed, nobody can tell whose a hash is.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use keep::NewFile;
use keep::text::hex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use crate::keys::{network, plain};

/// Its name in the folder.
const KEY: &str = "key";
const KEY_OCTETS: usize = 32;
/// Characters of a hash: 60 bits of it.
const HASH_CHARS: usize = 15;
/// What ends a word in a text. A file's name may hold a point, an address too.
const BREAKS: &str = "<>()[]{},;\"'=";

/// What of personal data is not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Redact {
    /// All of it is kept.
    #[default]
    None,
    /// The local part of each address, and logins, as a hash; the domain stays.
    Addresses,
    /// That, and clients cut to their network (/24, /48), without the names that they have or give themselves.
    All,
}

impl Redact {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Addresses => "addresses",
            Self::All => "all",
        }
    }
}

/// By which hashes are made.
#[derive(Clone)]
pub(crate) struct Key([u8; KEY_OCTETS]);

impl Key {
    /// The one in a folder; made if there is none.
    pub(crate) fn load_or_create(dir: &Path) -> io::Result<Self> {
        if let Some(key) = Self::load(dir)? {
            return Ok(key);
        }
        let mut key = [0; KEY_OCTETS];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let path = dir.join(KEY);
        NewFile { path: &path, octets: &key, mode: 0o600, owner: None }.create().map_err(|error| error.source)?;
        Ok(Self(key))
    }

    /// The one in a folder, if there is one.
    pub(crate) fn load(dir: &Path) -> io::Result<Option<Self>> {
        match keep::read(&dir.join(KEY), KEY_OCTETS as u64, keep::Accepts::RegularFile) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            octets => match octets?.try_into() {
                Ok(key) => Ok(Some(Self(key))),
                Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{KEY}: not {KEY_OCTETS} octets"))),
            },
        }
    }

    /// An address or login, of which only the domain stays.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let name = plain(name);
        if name.is_empty() || name.starts_with('~') {
            return name;
        }
        let hash = self.hash(&name);
        match name.rsplit_once('@') {
            Some((_, domain)) => format!("{hash}@{domain}"),
            None => hash,
        }
    }

    fn hash(&self, text: &str) -> String {
        // HMAC takes a key of any length; nothing is hidden by an empty hash.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return "~".to_owned() };
        mac.update(text.as_bytes());
        let digest = mac.finalize().into_bytes();
        format!("~{}", &hex(&digest)[..HASH_CHARS])
    }
}

/// Takes personal data out of records.
pub(crate) struct Redactor {
    what: Redact,
    key: Key,
}

impl Redactor {
    pub(crate) fn new(what: Redact, key: Key) -> Self {
        Self { what, key }
    }

    /// Takes it out of a record as it is written.
    pub(crate) fn redact(&self, record: &mut Value) {
        let mut names: Vec<String> = Vec::new();
        for field in ["reverse_path", "forward_path", "login"] {
            names.extend(
                record.get(field).and_then(Value::as_str).filter(|text| !text.starts_with("<>")).map(plain_cased),
            );
        }
        if self.what == Redact::All {
            for field in ["device", "helo"] {
                names.extend(record.get(field).and_then(Value::as_str).map(str::to_owned));
            }
            forget_names(record);
        }
        names.retain(|name| !name.is_empty() && name != "?");
        // The longest first: one may be a part of another.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        self.walk(record, &names);
        if let Some(Value::Object(circumstances)) = record.get_mut("circumstances") {
            circumstances.remove("own_mailbox");
        }
        if let Value::Object(fields) = record {
            fields.insert("redacted".to_owned(), self.what.code().into());
        }
    }

    fn walk(&self, value: &mut Value, names: &[String]) {
        match value {
            Value::String(text) => *text = self.text(text, names),
            Value::Array(list) => list.iter_mut().for_each(|it| self.walk(it, names)),
            Value::Object(fields) => {
                // Where it was decided says nothing of anybody.
                let kept = |name: &str| matches!(name, "id" | "session" | "listener" | "line" | "fact" | "rule");
                fields.iter_mut().filter(|(name, _)| !kept(name)).for_each(|(_, it)| self.walk(it, names));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&self, text: &str, names: &[String]) -> String {
        let mut text = text.to_owned();
        for name in names {
            if text.contains(name.as_str()) {
                text = text.replace(name.as_str(), &self.key.hidden(name));
            }
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let breaks = |it: char| it.is_whitespace() || BREAKS.contains(it);
            let end = rest.find(breaks).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            out.push_str(&self.word(word));
            let mut behind_it = behind.chars();
            out.extend(behind_it.next());
            rest = behind_it.as_str();
        }
        out
    }

    fn word(&self, word: &str) -> String {
        let bare = word.trim_end_matches([':', '.']);
        if bare.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty()) {
            return self.key.hidden(bare) + &word[bare.len()..];
        }
        match bare.parse::<IpAddr>() {
            Ok(client) if self.what == Redact::All => network(client).to_string() + &word[bare.len()..],
            _ => word.to_owned(),
        }
    }
}

/// Without brackets, as it stands in other texts of the record.
fn plain_cased(path: &str) -> String {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path).to_owned()
}

/// What DNS calls a client says who it is.
fn forget_names(record: &mut Value) {
    let Some(Value::Array(facts)) = record.get_mut("facts") else { return };
    facts.retain(|fact| !matches!(fact["fact"].as_str(), Some("client-name" | "ptr-names")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Value {
        json!({
            "id": "7kq2m4xd", "of": { "session": "s1", "listener": "smtp" }, "client": "192.0.2.77", "helo": "pc.alice.example",
            "login": "alice@example.test", "reverse_path": "<Alice@Example.test>", "forward_path": "<\"b c\"@elsewhere.example>",
            "facts": [
                { "fact": "owners", "value": { "known": ["alice@example.test"] }, "at": 1 },
                { "fact": "client-name", "value": { "known": "pc.alice.example" }, "at": 1 },
                { "fact": "pop-evidence", "of": { "address": "2001:db8:1:2::3" }, "value": { "known": [{ "addr": "192.0.2.77" }] }, "at": 1 },
            ],
            "trace": "asked=client found=192.0.2.77; asked=access-client found=yes line=/etc/a@b:3",
            "reply": "550 5.7.1 <\"b c\"@elsewhere.example>: we do not relay [7kq2m4xd]",
        })
    }

    fn redacted(what: Redact) -> (Value, Redactor) {
        let redactor = Redactor::new(what, Key([7; KEY_OCTETS]));
        let mut record = record();
        redactor.redact(&mut record);
        (record, redactor)
    }

    #[test]
    fn addresses_become_hashes_by_which_they_are_found() {
        let (record, redactor) = redacted(Redact::Addresses);
        let text = record.to_string().to_lowercase();
        assert!(!text.contains("alice@") && !text.contains("b c"), "{text}");
        let hash = redactor.key.hidden("alice@EXAMPLE.test");
        assert_eq!(record["login"], hash.as_str());
        assert_eq!(record["reverse_path"], format!("<{hash}>"));
        assert_eq!(record["facts"][0]["value"]["known"][0], hash.as_str());
        assert!(hash.ends_with("@example.test"));
        assert_eq!(record["client"], "192.0.2.77");
        assert_eq!(record["id"], "7kq2m4xd");
        assert_eq!(record["redacted"], "addresses");
        let hidden = redactor.key.hidden("\"b c\"@elsewhere.example");
        assert_eq!(record["reply"], format!("550 5.7.1 <{hidden}>: we do not relay [7kq2m4xd]"));
        assert_ne!(hidden, Key([8; KEY_OCTETS]).hidden("\"b c\"@elsewhere.example"), "another key");
    }

    #[test]
    fn all_is_also_without_the_client() {
        let (record, _) = redacted(Redact::All);
        let text = record.to_string();
        assert!(!text.contains("192.0.2.77") && !text.contains("pc.alice") && !text.contains("1:2::3"), "{text}");
        assert_eq!(record["client"], "192.0.2.0");
        assert_eq!(record["facts"].as_array().unwrap().len(), 2);
        assert_eq!(record["facts"][1]["of"]["address"], "2001:db8:1::");
        assert!(record["trace"].as_str().unwrap().starts_with("asked=client found=192.0.2.0; "));
    }

    #[test]
    fn a_key_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Key::load(dir.path()).unwrap().is_none());
        let key = Key::load_or_create(dir.path()).unwrap();
        let again = Key::load_or_create(dir.path()).unwrap();
        assert_eq!(key.hidden("a@b.example"), again.hidden("a@b.example"));
        std::fs::write(dir.path().join(KEY), b"short").unwrap();
        assert!(Key::load_or_create(dir.path()).is_err());
    }
}
