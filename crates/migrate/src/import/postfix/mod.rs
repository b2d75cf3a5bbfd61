//! Postfix's `main.cf` and `master.cf`.

mod domains;
mod expand;
mod listeners;
mod lists;
pub mod main_cf;
pub mod master_cf;
mod networks;
mod onward;
mod simple;

use super::{
    ImportError, Spot,
    draft::{Change, Making},
    pair::{Pair, pair},
    read,
};
use main_cf::{MainCf, Written};
use master_cf::Service;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// What is read, and what it becomes.
struct Taking<'a> {
    main: MainCf,
    file: String,
    dir: PathBuf,
    services: Vec<Service>,
    master_file: String,
    /// Settings that somebody has answered for.
    seen: BTreeSet<String>,
    making: &'a mut Making,
}

/// Reads `main.cf` (or its folder), the `master.cf` beside it, and the maps they name.
pub(super) fn import(path: &Path, making: &mut Making) -> Result<(), ImportError> {
    let (main, file, dir) = read_main(path)?;
    let master = dir.join("master.cf");
    let services = if master.exists() { master_cf::parse(&read::text(&master)?) } else { Vec::new() };
    let file = file.display().to_string();
    let master_file = if services.is_empty() { file.clone() } else { master.display().to_string() };
    let mut taking = Taking { main, file, dir, services, master_file, seen: BTreeSet::new(), making };
    taking.all();
    Ok(())
}

/// `main.cf`, its path and its folder.
pub(crate) fn read_main(path: &Path) -> Result<(MainCf, PathBuf, PathBuf), ImportError> {
    let file = if path.is_dir() { path.join("main.cf") } else { path.to_owned() };
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    // As `postfix -c` has it: the folder that is read is the folder of the configuration.
    let absolute = std::path::absolute(&dir).unwrap_or_else(|_| dir.clone());
    let main = MainCf::parse(&read::text(&file)?).in_folder(&absolute.display().to_string());
    if main.written().is_empty() {
        let why = "there is no NAME = VALUE in it: it is no main.cf".to_owned();
        return Err(ImportError::NotThat { path: file, why });
    }
    Ok((main, file, dir))
}

impl Taking<'_> {
    fn all(&mut self) {
        for line in self.main.unread.clone() {
            let at = Spot::new(&self.file, line);
            self.making.not_taken(&at, "the line", "it is no NAME = VALUE; Postfix refuses it too");
        }
        self.names();
        self.tls();
        self.networks();
        self.domains();
        self.listeners();
        self.lists();
        self.numbers();
        self.onward();
        self.manual();
        self.rest();
        self.making.notes.sort_by(|a, b| a.at.cmp(&b.at));
    }

    /// Where a setting stands.
    fn at(&self, name: &str) -> Spot {
        Spot::new(&self.file, self.main.line(name))
    }

    /// The setting as written, if it is; from now on somebody answers for it.
    fn take(&mut self, name: &str) -> Option<(Spot, Written)> {
        self.seen.insert(name.to_owned());
        self.main.get(name).cloned().map(|written| (self.at(name), written))
    }

    /// The same, with its names replaced and not blank.
    fn take_value(&mut self, name: &str) -> Option<(Spot, String)> {
        let (at, _) = self.take(name)?;
        Some((at, self.main.value(name))).filter(|(_, value)| !value.is_empty())
    }

    /// The words of a list and whether it is written.
    fn take_list(&mut self, name: &str) -> Option<(Spot, Vec<String>)> {
        let (at, value) = self.take_value(name)?;
        Some((at, main_cf::split_list(&value)))
    }

    fn names(&mut self) {
        self.seen.insert("mydomain".to_owned());
        match self.take_value("myhostname") {
            Some((at, name)) => {
                self.making.offer(&at, Change { what: "myhostname", key: "hostname" }, |draft| {
                    draft.set("", "hostname", name);
                });
            }
            None => self.making.differs(
                &Spot::new(&self.file, 1),
                "myhostname",
                "it is not written, and Postfix asks the system; give `hostname` the name of your host",
            ),
        }
        if let Some((at, origin)) = self.take_value("myorigin") {
            if origin.starts_with('/') {
                self.making.not_taken(&at, "myorigin", "give `domains.default` what stands in that file");
            } else {
                let put = |draft: &mut super::draft::Draft| draft.set("domains", "default", origin);
                self.making.offer(&at, Change { what: "myorigin", key: "domains.default" }, put);
            }
        }
    }

    fn tls(&mut self) {
        let key = self.take_value("smtpd_tls_key_file").map(|(_, key)| key);
        let chain = self.take_value("smtpd_tls_chain_files");
        if let Some((at, chain)) = chain {
            let what = format!("smtpd_tls_chain_files = {chain}");
            self.making.not_taken(&at, &what, "give the certificate's file as tls.certificate, the key's as tls.key");
        }
        let Some((at, certificate)) = self.take_value("smtpd_tls_cert_file") else { return };
        if certificate == "none" {
            return;
        }
        // Postfix's default: the key stands with the certificate.
        let key = key.filter(|key| !key.starts_with('$')).unwrap_or_else(|| certificate.clone());
        let what = "smtpd_tls_cert_file, smtpd_tls_key_file";
        pair(self.making, &at, what, &Pair { certificate, key });
    }

    /// What nobody has answered for.
    fn rest(&mut self) {
        let written: Vec<_> = self.main.written().into_iter().map(|(name, it)| (name.to_owned(), it.line)).collect();
        let texts: Vec<String> = self.main.written().into_iter().map(|(_, it)| it.text.clone()).collect();
        for (name, line) in written {
            // A name of the operator's own, used in other values: it is taken with them.
            let used = texts
                .iter()
                .any(|text| ["$", "${", "$("].iter().any(|before| text.contains(&format!("{before}{name}"))));
            if self.seen.contains(&name) || used || simple::is_postfix_own(&name) {
                continue;
            }
            let at = Spot::new(&self.file, line);
            self.making.not_taken(
                &at,
                &name,
                "there is no counterpart; `sekisho config reference` lists what there is",
            );
        }
    }
}
