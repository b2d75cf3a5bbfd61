//! Which domains are ours, and where the mail of the others that we take goes.

use super::{Taking, main_cf::split_list};
use crate::import::{
    draft::{Change, Draft, Each},
    read,
};
use std::{collections::BTreeMap, path::Path};
use toml::Value;

/// More domains than anybody writes into a file that is read whole.
const DOMAINS_MAX: usize = 10_000;

impl Taking<'_> {
    pub(super) fn domains(&mut self) {
        let own = self.own_domains();
        let hops = self.next_hops();
        let Some((at, list)) = self.take_list("relay_domains") else { return };
        let parents = self.main.value("parent_domain_matches_subdomains");
        let mut domains = Vec::new();
        for word in list {
            match word.split_once(':') {
                Some((_, file)) if file.starts_with('/') => domains.extend(self.keys("relay_domains", &word)),
                None if word.starts_with('/') => domains.extend(self.keys("relay_domains", &word)),
                Some(_) => self.making.not_taken(
                    &at,
                    &format!("relay_domains {word}"),
                    "name its domains in [[domains.relay]]",
                ),
                None => domains.push(word.to_ascii_lowercase()),
            }
        }
        domains.retain(|domain| !own.contains(domain));
        domains.dedup();
        if domains.len() > DOMAINS_MAX {
            let instead =
                format!("these are more than {DOMAINS_MAX} domains; use domains.maps = [\"relay-domains:FILE\"]");
            return self.making.not_taken(&at, "relay_domains", &instead);
        }
        let put = |draft: &mut Draft, domain: &str| {
            let mut keys = vec![("domain", Value::from(domain))];
            keys.extend(hops.get(domain).map(|hop| ("next_hop", Value::from(hop.as_str()))));
            draft.push("domains.relay", keys);
        };
        self.making.offer_each(
            &at,
            Each { change: Change { what: "relay_domains", key: "[[domains.relay]]" }, texts: &domains },
            put,
        );
        if split_list(&parents).iter().any(|word| word == "relay_domains") && !domains.is_empty() {
            self.making.differs(&at, "relay_domains", "subdomains are not meant here; name each that you want");
        }
        let without: Vec<&str> = domains.iter().filter(|it| !hops.contains_key(*it)).map(String::as_str).collect();
        if !without.is_empty() {
            let how = format!("there is no next hop for {}; give each its next_hop", shortened(&without));
            self.making.differs(&at, "relay_domains", &how);
        }
    }

    /// `mydestination`: domains whose accounts are to be made.
    fn own_domains(&mut self) -> Vec<String> {
        self.seen.insert("mydestination".to_owned());
        let at = self.at("mydestination");
        let listed = split_list(&self.main.value("mydestination"));
        let mut own = Vec::new();
        for word in &listed {
            if word.contains(':') || word.starts_with('/') {
                own.extend(self.keys("mydestination", word));
            } else {
                own.push(word.to_ascii_lowercase());
            }
        }
        let outside: Vec<&str> =
            own.iter().map(String::as_str).filter(|it| it.contains('.') && !it.starts_with("localhost")).collect();
        if self.main.get("mydestination").is_some() && !outside.is_empty() {
            let instead = format!(
                "domains with accounts live in the directory: sekisho domain add DOMAIN for {}; \
                 those whose mailboxes another server keeps belong into [[domains.relay]]",
                shortened(&outside)
            );
            self.making.not_taken(&at, "mydestination", &instead);
        }
        own
    }

    /// `transport_maps`: the next hop of each domain.
    fn next_hops(&mut self) -> BTreeMap<String, String> {
        let mut hops = BTreeMap::new();
        let Some((at, list)) = self.take_list("transport_maps") else { return hops };
        let mut taken = false;
        for word in list {
            let Some((file, text)) = self.source("transport_maps", &word) else { continue };
            for (line, key, value) in entries(&text) {
                match next_hop(value) {
                    _ if !key.contains('.') || key.contains('@') || key.starts_with('.') => {
                        let at = crate::import::Spot::new(&file, line);
                        self.making.not_taken(&at, key, "only the mail of whole domains has a next hop of its own");
                    }
                    Some((hop, exact)) => {
                        if !exact {
                            let at = crate::import::Spot::new(&file, line);
                            self.making.differs(&at, key, "no MX is asked for a next hop; its address is");
                        }
                        hops.insert(key.to_ascii_lowercase(), hop);
                        taken = true;
                    }
                    None => {
                        let at = crate::import::Spot::new(&file, line);
                        let instead = format!("{value} is no next hop by SMTP; local mailboxes are delivery.local");
                        self.making.not_taken(&at, key, &instead);
                    }
                }
            }
        }
        if taken {
            self.making.taken(&at, "transport_maps", "next_hop of [[domains.relay]], for the domains that are there");
        }
        hops
    }

    /// The keys of a map or the words of a file.
    fn keys(&mut self, name: &str, word: &str) -> Vec<String> {
        let is_map = word.contains(':');
        let Some((_, text)) = self.source(name, word) else { return Vec::new() };
        let keys = entries(&text)
            .map(|(_, key, value)| if is_map { vec![key.to_owned()] } else { split_list(&format!("{key} {value}")) });
        keys.flatten().map(|key| key.to_ascii_lowercase()).collect()
    }

    /// The text of a file, or of the source of an indexed map; what cannot be read is told.
    fn source(&mut self, name: &str, word: &str) -> Option<(String, String)> {
        let at = self.at(name);
        let (kind, file) = word.split_once(':').unwrap_or(("", word));
        let what = format!("{name} {word}");
        if !["", "hash", "btree", "lmdb", "cdb", "dbm", "texthash"].contains(&kind) || !file.starts_with('/') {
            self.making.not_taken(&at, &what, "a map of this type is not read; write its entries down");
            return None;
        }
        match read::text(Path::new(file)) {
            Ok(text) => Some((file.to_owned(), text)),
            Err(error) => {
                self.making.not_taken(&at, &what, &error.to_string());
                None
            }
        }
    }
}

/// `KEY VALUE` a logical line.
fn entries(text: &str) -> impl Iterator<Item = (u32, &str, &str)> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with([' ', '\t', '#']));
    lines.filter_map(|(number, line)| {
        let line = line.trim();
        let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        (!key.is_empty()).then(|| (number, key, value.trim()))
    })
}

/// `smtp:[host]:port` as `host:port`, and whether it means that very host; `None`: it is delivered in another way.
pub(super) fn next_hop(transport: &str) -> Option<(String, bool)> {
    let (kind, hop) = transport.split_once(':')?;
    if !matches!(kind, "smtp" | "relay" | "esmtp" | "") || hop.is_empty() {
        return None;
    }
    host_and_port(hop)
}

/// `[host]:port` or `host:port` as the configuration has it, and whether no MX is asked.
pub(super) fn host_and_port(hop: &str) -> Option<(String, bool)> {
    let Some(inside) = hop.strip_prefix('[') else {
        return (!hop.contains([' ', ','])).then(|| (hop.to_owned(), false));
    };
    let (host, rest) = inside.split_once(']')?;
    let host = host.trim_start_matches("ipv6:").trim_start_matches("IPv6:");
    let port = match rest.strip_prefix(':') {
        Some("smtp") | None => "",
        Some("submission") => ":587",
        Some("smtps" | "submissions") => ":465",
        Some(_) => rest,
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Some((format!("{host}{port}"), true))
}

/// The first few of many.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
