//! What the command adds to what the server tells: the configuration's file, keys sealed with a passphrase, and what is left out, named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use config::Loaded;
use directory::ServerKey;
use serde_json::Value;

use crate::BackupError;
use crate::passphrase::Passphrase;
use crate::picture::WithMail;
use crate::places::Places;

/// More than the server tells.
#[derive(Debug, Default)]
pub struct Extra {
    /// The configuration's file, and its text.
    pub config: (PathBuf, Vec<u8>),
    /// `--set` over it.
    pub sets: Vec<String>,
    /// Keys, sealed: their names and octets.
    pub keys: Vec<(String, Vec<u8>)>,
    /// What is not in it, and why: a sentence each.
    pub left_out: Vec<String>,
}

impl Extra {
    /// Of a configuration that was read from a file. Without a passphrase the keys are left out.
    pub fn read(
        file: &Path,
        loaded: &Loaded,
        passphrase: Option<&Passphrase>,
        mail: WithMail,
    ) -> Result<Self, BackupError> {
        let places = Places::of(&loaded.settings);
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let mut extra = Self { config: (absolute, loaded.text.as_bytes().to_vec()), ..Self::default() };
        match passphrase {
            Some(passphrase) => extra.seal_keys(&places, passphrase)?,
            None => extra.left_out.push(format!(
                "{}: without it no device logs in after a restore; keep a copy of it elsewhere, or give --passphrase-file",
                places.key.display()
            )),
        }
        if mail == WithMail::No {
            extra.left_out.push(format!("{}: the mailboxes; --mail includes them", places.mail.display()));
        }
        let records = &loaded.settings.records.path;
        if records.is_dir() {
            extra.left_out.push(format!("{}: the decisions of `sekisho explain`", records.display()));
        }
        let value = serde_json::to_value(&loaded.file).unwrap_or_default();
        let named = named_files(&value, &places);
        extra.left_out.extend(named.iter().map(|path| format!("{}: the configuration names it", path.display())));
        Ok(extra)
    }

    fn seal_keys(&mut self, places: &Places, passphrase: &Passphrase) -> Result<(), BackupError> {
        let keys = [("server.key", places.key.clone()), ("chain.key", places.chain_key())];
        // There is a second one only after a rotation.
        for (name, path) in keys.into_iter().filter(|(name, path)| *name == "server.key" || path.exists()) {
            let key = ServerKey::load(&path, places.permissions)?;
            let sealed = passphrase.sealed_key(name, key.expose());
            let failed = || BackupError::Key(format!("{}: cannot be sealed: too little memory", path.display()));
            self.keys.push((name.to_owned(), sealed.ok_or_else(failed)?));
        }
        Ok(())
    }
}

/// Files besides ours that a configuration names: certificates, maps, secrets.
fn named_files(value: &Value, places: &Places) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut values = vec![value];
    while let Some(value) = values.pop() {
        match value {
            Value::Array(list) => values.extend(list),
            Value::Object(table) => values.extend(table.values()),
            Value::String(text) => {
                // As a path, or behind a kind of map.
                let behind = text.split_once(':').map(|(_, behind)| behind);
                for path in [Some(text.as_str()), behind].into_iter().flatten().filter(|path| path.contains(['/', '.']))
                {
                    let path = places.data_dir.join(path);
                    if path.is_file() && path != places.accounts && path != places.key {
                        found.insert(path);
                    }
                }
            }
            _ => {}
        }
    }
    found
}
