//! Where the mail of relay domains goes: sendmail's mailertables.

use std::collections::HashMap;
use std::sync::Arc;

use guard::ConfigLine;
use guard::policy::Entry;
use maps::{Route, Subject, Table};

use config::{HostPort, MapDomain, MapEntries};

/// Where a next hop listens if the mailertable does not say.
const SMTP_PORT: u16 = 25;

/// The next hop of a relay domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The host.
    pub host: HostPort,
    /// The hosts are meant that its MX records name: it was not in brackets.
    pub by_mx: bool,
}

/// All mailertables, in the order of the configuration.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<Arc<Table>>);

impl Routes {
    pub(super) fn add(&mut self, table: Arc<Table>) {
        self.0.push(table);
    }

    /// The next hop for an address. `None` also where sendmail would deliver here or refuse.
    pub(super) fn hop(&self, address: &str) -> Option<Hop> {
        let found = self.0.iter().find_map(|table| table.smtpd(Subject::Recipient(address)))?;
        match found.value.parse::<Route>() {
            Ok(Route::Host { host, exact, .. }) => Some(first_hop(&host, exact)),
            Ok(Route::Local(_) | Route::Error(_)) | Err(_) => None,
        }
    }

    /// Says of the relay domains which have a next hop. Where only some below one have (`.example.com` is relayed, and a
    /// line names `sub.example.com`), these come to the others. A mailertable routes; it makes no domain ours.
    pub(super) fn mark(&self, entries: &mut MapEntries) {
        let mut without = HashMap::new();
        for domain in &mut entries.domains {
            let text = domain.entry.text.as_str();
            // Any host below the domain: no key begins so.
            let address = if text.starts_with('.') { format!("x@*{text}") } else { format!("x@{text}") };
            domain.next_hop = self.hop(&address).map(|hop| hop.host);
            if domain.next_hop.is_none() && text.starts_with('.') {
                without.insert(text.to_owned(), domain.entry.line.clone());
            }
        }
        if without.is_empty() {
            return;
        }
        let more: Vec<MapDomain> = self
            .0
            .iter()
            .flat_map(|table| table.keys())
            .filter_map(|(key, _)| {
                let line = parents(key).find_map(|parent| without.get(parent))?;
                self.below(key, line)
            })
            .collect();
        entries.domains.extend(more);
    }

    fn below(&self, key: &str, line: &ConfigLine) -> Option<MapDomain> {
        let address = if key.starts_with('.') { format!("x@*{key}") } else { format!("x@{key}") };
        let next_hop = Some(self.hop(&address)?.host);
        Some(MapDomain { entry: Entry { text: key.to_owned(), line: line.clone() }, next_hop })
    }
}

/// `.b.example` and `.example` of `a.b.example`.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.char_indices().skip(1).filter(|(_, c)| *c == '.').map(|(at, _)| &name[at..])
}

/// The first of the hosts, which colons part; or `host:port`, as some write it.
fn first_hop(text: &str, exact: bool) -> Hop {
    let direct = |host: &str, port| Hop { host: HostPort { host: bare(host).to_owned(), port }, by_mx: false };
    if exact {
        return direct(text, SMTP_PORT);
    }
    let end = match text.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(bracket) => bracket + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (first, rest) = text.split_at(end);
    let port = rest.strip_prefix(':').and_then(|rest| rest.split(':').next()?.parse().ok());
    if let Some(port) = port {
        return direct(first, port);
    }
    Hop { by_mx: !first.starts_with('['), ..direct(first, SMTP_PORT) }
}

/// Without brackets and sendmail's `IPv6:`.
fn bare(host: &str) -> &str {
    let host = host.trim_matches(['[', ']']);
    match host.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => &host[5..],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use maps::Kind;

    use super::*;

    fn routes(text: &str) -> Routes {
        Routes(vec![Arc::new(Table::parse(Kind::Mailertable, "routes", text).unwrap())])
    }

    fn written(hop: Option<Hop>) -> String {
        hop.map_or_else(String::new, |it| {
            format!("{} {}{}", it.host.host, it.host.port, if it.by_mx { " mx" } else { "" })
        })
    }

    #[test]
    fn a_route_s_first_host() {
        let table = [
            ("smtp:[192.0.2.1]", "192.0.2.1 25"),
            ("esmtp:[IPv6:2001:db8::1]", "2001:db8::1 25"),
            ("smtp:mx.example.com", "mx.example.com 25 mx"),
            ("mx.example.com", "mx.example.com 25 mx"),
            ("smtp:mx.example.com:2525", "mx.example.com 2525"),
            ("smtp:[mx.example.com]:2525", "mx.example.com 2525"),
            ("smtp:a.example:b.example", "a.example 25 mx"),
            ("smtp:[a.example]:[b.example]", "a.example 25"),
            ("smtp:[IPv6:2001:db8::1]:[b.example]", "2001:db8::1 25"),
            ("local:alice", ""),
            ("error:5.1.2:550 no", ""),
        ];
        for (value, expected) in table {
            assert_eq!(written(routes(&format!("d.example\t{value}\n")).hop("a@d.example")), expected, "{value}");
        }
    }

    #[test]
    fn relay_domains_with_a_route_are_the_ones_that_are_taken() {
        let marked = |domains: &[&str], table: &str| {
            let entry = |text: &&str| Entry { text: (*text).to_owned(), line: ConfigLine::new("names", 3) };
            let domains = domains.iter().map(|it| MapDomain { entry: entry(it), next_hop: None }).collect();
            let mut entries = MapEntries { clients: Vec::new(), domains };
            routes(table).mark(&mut entries);
            let with = entries.domains.into_iter().filter(|it| it.next_hop.is_some());
            with.map(|it| format!("{} {}", it.entry.text, it.entry.line.line)).collect::<Vec<_>>()
        };
        let both = ["d.example", ".d.example"];
        assert_eq!(marked(&both, "d.example\tsmtp:[a]\n"), ["d.example 3"], "below it sendmail asks MX records");
        assert_eq!(marked(&both, ".d.example\tsmtp:[a]\n"), [".d.example 3"]);
        assert_eq!(marked(&both, ".\tsmtp:[a]\n"), ["d.example 3", ".d.example 3"]);
        assert_eq!(
            marked(&both, "sub.d.example\tsmtp:[a]\n.x.d.example\tsmtp:[b]\n"),
            ["sub.d.example 3", ".x.d.example 3"]
        );
        assert!(marked(&both, "other.example\tsmtp:[a]\nd.example\terror:5.1.2:550 no\n").is_empty());
        assert!(marked(&["d.example"], "sub.d.example\tsmtp:[a]\n").is_empty(), "it is not below a domain of ours");
    }
}
