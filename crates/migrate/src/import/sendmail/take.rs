//! What sendmail's features and definitions become.

use super::{Reading, Said, host};
use crate::import::{
    Spot,
    draft::{Change, Draft, Making},
    pair::{Pair, pair},
};
use judge::tables;
use maps::{ClientPattern, Kind, RelayWhat};
use std::path::{Path, PathBuf};
use toml::Value;

/// Definitions that are a number of ours: name, section, key, seconds in its unit when it has none.
const NUMBERS: [(&str, &str, &str, Unit); 6] = [
    ("confMAX_MESSAGE_SIZE", "limits", "message_octets", Unit::Plain),
    ("confMAX_HOP", "limits", "hops", Unit::Plain),
    ("confMAX_RCPTS_PER_MESSAGE", "limits", "recipients", Unit::Plain),
    ("confTO_COMMAND", "limits", "command_timeout_secs", Unit::SecsOf(60)),
    ("confMIN_QUEUE_AGE", "spool", "retry_first_secs", Unit::SecsOf(60)),
    ("confTO_QUEUERETURN", "spool", "give_up_hours", Unit::HoursOf(86_400)),
];

#[derive(Clone, Copy)]
enum Unit {
    Plain,
    SecsOf(i64),
    HoursOf(i64),
}

/// Entries of one file that are taken one by one.
const ENTRIES_MAX: usize = 1_000;

/// Features that hold here always.
const ALWAYS: [&str; 6] = [
    "blocklist_recipients",
    "blacklist_recipients",
    "delay_checks",
    "relay_hosts_only",
    "tls_session_features",
    "tls_failures",
];

/// Features that let more relay than anybody can name.
const OPEN: [&str; 8] = [
    "promiscuous_relay",
    "relay_entire_domain",
    "relay_local_from",
    "relay_mail_from",
    "relay_based_on_MX",
    "loose_relay_check",
    "accept_unqualified_senders",
    "accept_unresolvable_domains",
];

/// Features and macros without a counterpart, and what to do.
const MANUAL: [(&str, &str); 19] = [
    ("dnsbl", "blocklists are not asked; keep them in a mail server in front"),
    ("enhdnsbl", "blocklists are not asked; keep them in a mail server in front"),
    (
        "ratecontrol",
        "connections have no rate here; connections_per_client_max of [[listener]] bounds how many at a time",
    ),
    ("conncontrol", "connections_per_client_max of [[listener]] is the same number for every client"),
    ("virtusertable", "sekisho alias add for each address"),
    ("genericstable", "addresses are not rewritten"),
    ("domaintable", "addresses are not rewritten"),
    ("masquerade_envelope", "addresses are not rewritten"),
    ("masquerade_entire_domain", "addresses are not rewritten"),
    ("allmasquerade", "addresses are not rewritten"),
    ("always_add_domain", "addresses are not rewritten"),
    ("MASQUERADE_AS", "addresses are not rewritten"),
    ("local_procmail", "mailboxes are Maildirs, or delivery.local = \"lmtp:…\""),
    ("local_lmtp", "delivery.local = \"lmtp:…\" hands mail over by LMTP"),
    ("LOCAL_CONFIG", "rules of your own are not taken; ask us from them by socketmap"),
    ("LOCAL_RULESETS", "rules of your own are not taken; ask us from them by socketmap"),
    ("INPUT_MAIL_FILTER", "we call no milters; keep them in a mail server behind us"),
    ("confAUTH_MECHANISMS", "auth.mechanisms names what is offered"),
    ("confPRIVACY_FLAGS", "VRFY and EXPN tell nothing here, and nothing is to be switched off"),
];

/// sendmail's own affair.
const OWN: [&str; 16] = [
    "OSTYPE",
    "DOMAIN",
    "MAILER",
    "VERSIONID",
    "divert",
    "include",
    "undefine",
    "line",
    "no_default_msa",
    "smrsh",
    "redirect",
    "nocanonify",
    "use_ct_file",
    "FEATURE",
    "define",
    "ifdef",
];

pub(super) fn all(reading: &Reading, making: &mut Making) {
    let dir = reading.file.parent().map(Path::to_owned).unwrap_or_default();
    let mut taking = Taking { said: &reading.said, is_cf: reading.is_cf, dir, making };
    taking.names_and_tls();
    taking.listeners(&reading.file);
    for said in &reading.said {
        taking.one(said);
    }
    taking.relay_domains_by_default(&reading.file);
    making.notes.sort_by(|a, b| a.at.cmp(&b.at));
}

struct Taking<'a> {
    said: &'a [Said],
    /// Features are known by the marks of their files, which everything else leaves too.
    is_cf: bool,
    dir: PathBuf,
    making: &'a mut Making,
}

impl Taking<'_> {
    fn defined(&self, name: &str) -> Option<&Said> {
        self.said.iter().rev().find(|said| said.name == "define" && said.arg(0) == name)
    }

    fn feature(&self, name: &str) -> Option<&Said> {
        self.said.iter().find(|said| said.name == "FEATURE" && said.arg(0) == name)
    }

    fn names_and_tls(&mut self) {
        if let Some(said) = self.defined("confDOMAIN_NAME").cloned() {
            let name = said.arg(1).to_owned();
            let put = |draft: &mut Draft| draft.set("", "hostname", name);
            self.making.offer(&said.at, Change { what: "confDOMAIN_NAME", key: "hostname" }, put);
        } else {
            let how = "it is not written, and sendmail asks the system; give `hostname` the name of your host";
            let at = self.said.first().map_or_else(|| Spot::new("sendmail.mc", 1), |said| said.at.clone());
            self.making.differs(&at, "confDOMAIN_NAME", how);
        }
        let (certificate, key) = (self.defined("confSERVER_CERT").cloned(), self.defined("confSERVER_KEY").cloned());
        if let (Some(certificate), Some(key)) = (certificate, key) {
            let files = Pair { certificate: certificate.arg(1).to_owned(), key: key.arg(1).to_owned() };
            pair(self.making, &certificate.at, "confSERVER_CERT, confSERVER_KEY", &files);
        }
    }

    fn listeners(&mut self, file: &Path) {
        let mut options: Vec<Said> = self.said.iter().filter(|said| said.name == "DAEMON_OPTIONS").cloned().collect();
        let first = Spot::new(&file.display().to_string(), 1);
        let unwritten =
            |text: &str| Said { at: first.clone(), name: "DAEMON_OPTIONS".to_owned(), args: vec![text.to_owned()] };
        if options.is_empty() {
            options.push(unwritten("Name=MTA, Port=smtp"));
        }
        if !self.is_cf && self.feature("no_default_msa").is_none() {
            options.push(unwritten("Name=MSA, Port=587, M=E"));
        }
        let pause =
            self.feature("greet_pause").map(|said| said.arg(1).parse::<i64>().unwrap_or(5_000).clamp(0, 60_000));
        for (index, said) in options.iter().enumerate() {
            let what = format!("DAEMON_OPTIONS {}", said.arg(0));
            let (protocol, mut keys) = match host::listener(said.arg(0)) {
                Ok(listener) => listener,
                Err(why) => {
                    self.making.not_taken(&said.at, &what, &why);
                    continue;
                }
            };
            let alone =
                !options[..index].iter().any(|it| host::listener(it.arg(0)).is_ok_and(|(other, _)| other == protocol));
            let name = if alone { protocol.to_owned() } else { format!("{protocol}-{}", index + 1) };
            keys.insert(0, ("name", Value::from(name)));
            keys.extend(pause.filter(|_| protocol == "smtp").map(|pause| ("greet_pause_ms", Value::from(pause))));
            self.making
                .offer(&said.at, Change { what: &what, key: "[[listener]]" }, |draft| draft.push("listener", keys));
        }
    }

    fn one(&mut self, said: &Said) {
        match said.name.as_str() {
            "FEATURE" => self.a_feature(said),
            "define" => self.a_definition(said),
            "RELAY_DOMAIN" => self.relay_domain(said),
            "RELAY_DOMAIN_FILE" => self.map(said, "relay-domains", said.arg(0)),
            "LOCAL_DOMAIN" if said.arg(0).contains('.') => {
                let instead =
                    format!("domains with accounts live in the directory: sekisho domain add {}", said.arg(0));
                self.making.not_taken(&said.at, &format!("LOCAL_DOMAIN {}", said.arg(0)), &instead);
            }
            "DAEMON_OPTIONS" | "LOCAL_DOMAIN" | "TRUST_AUTH_MECH" => {}
            name => self.manual(said, name),
        }
    }

    fn manual(&mut self, said: &Said, name: &str) {
        let what = if said.name == name { name.to_owned() } else { format!("{} {name}", said.name) };
        let known = MANUAL.iter().find(|(known, _)| *known == name);
        match known {
            Some((_, instead)) => self.making.not_taken(&said.at, &what, instead),
            None if OWN.contains(&name) || (self.is_cf && said.name == "FEATURE") => {}
            None => {
                let instead = "there is no counterpart; `sekisho config reference` lists what there is";
                self.making.not_taken(&said.at, &what, instead);
            }
        }
    }

    fn a_feature(&mut self, said: &Said) {
        let name = said.arg(0);
        let what = format!("FEATURE {name}");
        match name {
            "access_db" => {
                let file = path_of(said.arg(1), "/etc/mail/access");
                self.access(said, &file);
            }
            "use_cw_file" => self.map(said, "local-host-names", &path_of(said.arg(1), "/etc/mail/local-host-names")),
            "mailertable" => {
                self.map(said, "mailertable", &path_of(said.arg(1), "/etc/mail/mailertable"));
            }
            "greet_pause" if !self.making.draft.to_string().contains("greet_pause_ms") => {
                self.making.not_taken(
                    &said.at,
                    &what,
                    "no listener for mail from outside is taken; greet_pause_ms of [[listener]]",
                );
            }
            "greet_pause" => self.making.taken(&said.at, &what, "greet_pause_ms of [[listener]]"),
            name if ALWAYS.contains(&name) => self.making.taken(&said.at, &what, "nothing to write: always so"),
            name if OPEN.contains(&name) => {
                let instead = "DANGER: it opens the server to strangers; name who may relay in [relay]";
                self.making.not_taken(&said.at, &what, instead);
            }
            name => self.manual(said, name),
        }
    }

    /// Its entries refuse, and those with RELAY give relaying.
    fn access(&mut self, said: &Said, file: &str) {
        let map = format!("sendmail-access:{}", self.found(file).display());
        if !self.is_here(said, file) {
            return;
        }
        let what = "FEATURE access_db";
        self.making.offer_files(&said.at, Change { what, key: "[[access]]" }, |draft| {
            draft.push("access", vec![("map", Value::from(map.as_str()))]);
        });
        self.odd_entries(Kind::SendmailAccess, &self.found(file));
        let put = |draft: &mut Draft| draft.add("relay", "maps", &map);
        let taking = Change { what: "the RELAY entries of access_db", key: "relay.maps" };
        if Making::fits(put) {
            self.making.offer(&said.at, taking, put);
        } else {
            self.entries(said, Kind::SendmailAccess, &self.found(file));
        }
    }

    /// What of a file has no effect, here or with sendmail, though the file is taken.
    fn odd_entries(&mut self, kind: Kind, file: &Path) {
        let Ok(table) = tables::read(kind, file) else { return };
        for odd in table.warnings().iter().take(ENTRIES_MAX) {
            self.making.not_taken(&Spot::new(&odd.file, odd.line), "the entry", &odd.what);
        }
    }

    /// Each entry of a file that as a whole cannot be taken: what would let strangers relay is left out and named.
    fn entries(&mut self, said: &Said, kind: Kind, file: &Path) {
        let name = file.display().to_string();
        let table = match tables::read(kind, file) {
            Ok(table) => table,
            Err(mistakes) => {
                let first = mistakes.first().map_or("it cannot be read", String::as_str);
                return self.making.not_taken(&said.at, &format!("the entries of {name}"), first);
            }
        };
        let is_names = kind == Kind::LocalHostNames;
        let names =
            table.keys().filter(|_| is_names).map(|(domain, line)| (line, RelayWhat::Domain(domain.to_owned())));
        let entries = table.relay_entries().map(|entry| (entry.line, entry.what.clone()));
        let all: Vec<(u32, RelayWhat)> = if is_names { names.collect() } else { entries.collect() };
        for (line, what) in all.into_iter().take(ENTRIES_MAX) {
            let at = Spot::new(&name, line);
            match what {
                RelayWhat::Client(client) => {
                    let (text, key) =
                        (client.to_string(), if matches!(client, ClientPattern::Net(_)) { "ip" } else { "name" });
                    let put = |draft: &mut Draft| draft.push("relay.clients", vec![(key, Value::from(text.as_str()))]);
                    let what = format!("RELAY of {text}");
                    self.making.offer(&at, Change { what: &what, key: "[[relay.clients]]" }, put);
                }
                RelayWhat::Domain(domain) => {
                    let put =
                        |draft: &mut Draft| draft.push("domains.relay", vec![("domain", Value::from(domain.as_str()))]);
                    let what = format!("mail for {domain}");
                    self.making.offer(&at, Change { what: &what, key: "[[domains.relay]]" }, put);
                }
            }
        }
    }

    /// One more of `domains.maps`.
    fn map(&mut self, said: &Said, kind: &str, file: &str) {
        if !self.is_here(said, file) {
            return;
        }
        let map = format!("{kind}:{}", self.found(file).display());
        let what = if said.name == "FEATURE" { format!("FEATURE {}", said.arg(0)) } else { said.name.clone() };
        let put = |draft: &mut Draft| draft.add("domains", "maps", &map);
        let by_entry = match kind {
            "local-host-names" => Some(Kind::LocalHostNames),
            "relay-domains" => Some(Kind::RelayDomains),
            _ => None,
        };
        match by_entry.filter(|_| !Making::fits(put)) {
            Some(kind) => self.entries(said, kind, &self.found(file)),
            None => {
                self.making.offer_files(&said.at, Change { what: &what, key: "domains.maps" }, put);
            }
        }
    }

    /// Where a file lies: as it is named, or beside the one that names it, where a copy is read elsewhere.
    fn found(&self, file: &str) -> PathBuf {
        let beside = Path::new(file).file_name().map(|name| self.dir.join(name));
        let beside = beside.filter(|path| path.is_file());
        let path = beside.unwrap_or_else(|| PathBuf::from(file));
        std::path::absolute(&path).unwrap_or(path)
    }

    fn is_here(&mut self, said: &Said, file: &str) -> bool {
        let is_here = self.found(file).is_file();
        if !is_here {
            let instead = format!("{file} is not here; bring it along and import again");
            self.making.not_taken(&said.at, &format!("{} {}", said.name, said.arg(0)), &instead);
        }
        is_here
    }

    /// sendmail reads `relay-domains` whenever it is there.
    fn relay_domains_by_default(&mut self, file: &Path) {
        let default = self.dir.join("relay-domains");
        let named = self.said.iter().any(|said| said.name == "RELAY_DOMAIN_FILE");
        if !named && default.is_file() {
            let said = Said {
                at: Spot::new(&file.display().to_string(), 1),
                name: "relay-domains".to_owned(),
                args: Vec::new(),
            };
            self.map(&said, "relay-domains", "/etc/mail/relay-domains");
        }
    }

    fn relay_domain(&mut self, said: &Said) {
        for word in said.arg(0).split([' ', ',']).filter(|word| !word.is_empty()) {
            let what = format!("RELAY_DOMAIN {word}");
            if word.starts_with(|it: char| it.is_ascii_digit()) || word.starts_with("IPv6:") {
                let Some(net) = network(word) else {
                    self.making.not_taken(&said.at, &what, "this is no network; name it in relay.networks");
                    continue;
                };
                self.making.offer(&said.at, Change { what: &what, key: "relay.networks" }, |draft| {
                    draft.add("relay", "networks", &net);
                });
            } else {
                let domain = word.to_owned();
                let put = |draft: &mut Draft| draft.push("domains.relay", vec![("domain", Value::from(domain))]);
                if self.making.offer(&said.at, Change { what: &what, key: "[[domains.relay]]" }, put) {
                    let how = "mail to it is taken (give its next_hop); hosts of it have no right to relay: name them in [[relay.clients]]";
                    self.making.differs(&said.at, &what, how);
                }
            }
        }
    }

    fn a_definition(&mut self, said: &Said) {
        let (name, value) = (said.arg(0), said.arg(1));
        if let Some((_, section, key, unit)) = NUMBERS.iter().find(|(known, ..)| *known == name) {
            match number(value, *unit) {
                Some(0) | None => self.making.not_taken(
                    &said.at,
                    name,
                    &format!("\"{value}\" is no bound; there is one here: {section}.{key}"),
                ),
                Some(number) => {
                    let put = |draft: &mut Draft| draft.set(section, key, number);
                    self.making.offer(&said.at, Change { what: name, key: &format!("{section}.{key}") }, put);
                }
            }
            return;
        }
        match name {
            "SMART_HOST" => self.smart_host(said),
            "confCW_FILE" => self.map(said, "local-host-names", &path_of(value, "")),
            "confCR_FILE" => self.map(said, "relay-domains", &path_of(value, "")),
            "confAUTH_OPTIONS" if value.contains('p') => {
                self.making.taken(
                    &said.at,
                    "confAUTH_OPTIONS p",
                    "nothing to write: passwords are taken under TLS only",
                );
            }
            "confDOMAIN_NAME" | "confSERVER_CERT" | "confSERVER_KEY" => {}
            // Names of the operator's own.
            name if !name.starts_with("conf") => {}
            name => self.manual(said, name),
        }
    }

    fn smart_host(&mut self, said: &Said) {
        let Some((host, exact)) = host::smart_host(said.arg(1)) else {
            return self.making.not_taken(&said.at, "SMART_HOST", "give it as delivery.smarthost");
        };
        let put = |draft: &mut Draft| {
            draft.set("delivery", "remote", "smarthost");
            draft.set("delivery.smarthost", "host", host);
            draft.set("delivery.smarthost", "port", 25);
            draft.set("delivery.smarthost", "tls", "offered");
        };
        if self.making.offer(&said.at, Change { what: "SMART_HOST", key: "delivery.smarthost" }, put) && !exact {
            self.making.differs(&said.at, "SMART_HOST", "no MX is asked for it; its address is");
        }
    }
}

/// The file in `hash -o -T<TMPF> /etc/mail/access`; sendmail adds `.db` itself.
fn path_of(how: &str, default: &str) -> String {
    let last = how.split_ascii_whitespace().rfind(|word| word.starts_with('/'));
    last.unwrap_or(default).trim_end_matches(".db").to_owned()
}

/// `192.0.2` as `192.0.2.0/24`.
fn network(word: &str) -> Option<String> {
    if let Some(v6) = word.strip_prefix("IPv6:") {
        return v6.parse::<std::net::Ipv6Addr>().ok().map(|it| it.to_string());
    }
    let parts: Vec<u8> = word.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let mut octets = [0; 4];
    octets.get_mut(..parts.len())?.copy_from_slice(&parts);
    let address = std::net::Ipv4Addr::from(octets);
    Some(if parts.len() == 4 { address.to_string() } else { format!("{address}/{}", parts.len() * 8) })
}

fn number(text: &str, unit: Unit) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let number: i64 = number.parse().ok()?;
    let of = match unit {
        Unit::Plain => return suffix.is_empty().then_some(number),
        Unit::SecsOf(secs) | Unit::HoursOf(secs) => secs,
    };
    let secs = match suffix.chars().next() {
        None => of,
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        Some('w') => 7 * 86_400,
        _ => return None,
    };
    let secs = number.checked_mul(secs)?;
    Some(if matches!(unit, Unit::HoursOf(_)) { secs.checked_add(3_599)? / 3_600 } else { secs })
}
