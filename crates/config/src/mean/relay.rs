//! Who may relay, as meant: `[domains]` and `[relay]`.

use std::path::Path;

use guard::{DracSenders, SenderPattern};
use maps::Kind;

use super::{Meaning, border, minutes, value};
use crate::{
    file::{self, Senders, SendersWord},
    settings::{Client, ClientWho, Domains, Drac, Export, MapFile, Network, Pop, Relay, RelayDomain},
};

pub(super) fn domains(domains: &file::Domains, meaning: &mut Meaning<'_>, data_dir: &Path) -> Domains {
    let default = domains.default.as_ref().and_then(|name| meaning.parsed("domains.default", value::domain(name)));
    let mut relay: Vec<RelayDomain> = Vec::new();
    for (index, entry) in domains.relay.iter().enumerate() {
        let at = |key: &str| format!("domains.relay[{index}].{key}");
        let domain = meaning.parsed(&at("domain"), value::domain(&entry.domain));
        let next_hop = entry.next_hop.as_ref();
        let next_hop = next_hop.and_then(|hop| meaning.parsed(&at("next_hop"), value::host_port(hop, 25)));
        let Some(domain) = domain else { continue };
        if relay.iter().any(|other| other.domain == domain) {
            meaning.wrong(&at("domain"), format!("`{}` is there twice", domain.as_str()), "one next hop a domain");
        }
        relay.push(RelayDomain { domain, next_hop, place: meaning.place(&at("domain")) });
    }
    let postmaster = &domains.postmaster;
    let postmaster =
        postmaster.as_ref().and_then(|address| meaning.parsed("domains.postmaster", value::mailbox(address)));
    let delimiter = value::delimiter(&domains.detail_delimiter);
    let detail_delimiter = meaning.parsed("domains.detail_delimiter", delimiter).flatten();
    let kinds = [Kind::LocalHostNames, Kind::RelayDomains, Kind::Mailertable];
    let maps = maps(&domains.maps, meaning, ("domains.maps", &kinds, data_dir));
    Domains { default, postmaster, detail_delimiter, relay, maps }
}

pub(super) fn relay(relay: &file::Relay, meaning: &mut Meaning<'_>, data_dir: &Path) -> Relay {
    let mut networks = Vec::new();
    for (index, text) in relay.networks.iter().enumerate() {
        let path = format!("relay.networks[{index}]");
        let place = meaning.place(&path);
        networks.extend(meaning.parsed(&path, value::network(text)).map(|net| Network { net, place }));
    }
    let clients = relay.clients.iter().enumerate().filter_map(|(index, entry)| client(entry, index, meaning)).collect();
    let pop = Pop {
        enabled: relay.pop.enabled,
        lifetime: minutes(relay.pop.minutes),
        messages_per_hour: relay.pop.messages_per_hour,
        recipients_per_hour: relay.pop.recipients_per_hour,
        ipv6_prefix: relay.pop.ipv6_prefix,
        place: meaning.place("relay.pop.enabled"),
    };
    let kinds = [Kind::SendmailAccess, Kind::RelayAllow, Kind::IpAllow, Kind::NameAllow];
    let maps = maps(&relay.maps, meaning, ("relay.maps", &kinds, data_dir));
    let drac = drac(&relay.drac, meaning, data_dir);
    let export = relay.export.as_ref().and_then(|text| export(text, meaning, data_dir));
    Relay { networks, clients, maps, pop, drac, export }
}

/// A list of `TYPE:FILE`, each of one of these kinds.
fn maps(texts: &[String], meaning: &mut Meaning<'_>, (key, kinds, data_dir): (&str, &[Kind], &Path)) -> Vec<MapFile> {
    let mut maps = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        maps.extend(map_file(text, meaning, (&format!("{key}[{index}]"), kinds, data_dir)));
    }
    maps
}

/// `TYPE:FILE`.
pub(super) fn map_file(
    text: &str,
    meaning: &mut Meaning<'_>,
    (path, kinds, data_dir): (&str, &[Kind], &Path),
) -> Option<MapFile> {
    let (kind, file) = text.split_once(':').unwrap_or(("", text));
    let kind = kind.parse::<Kind>().ok().filter(|kind| kinds.contains(kind));
    let Some(kind) = kind.filter(|_| !file.is_empty()) else {
        let words = kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        meaning.wrong(
            path,
            format!("`{path}`: \"{text}\" is no map for this place"),
            &format!("TYPE:FILE with a type of {words}"),
        );
        return None;
    };
    Some(MapFile { kind, path: data_dir.join(file), place: meaning.place(path) })
}

fn drac(drac: &file::Drac, meaning: &mut Meaning<'_>, data_dir: &Path) -> Drac {
    let never = border::addresses(&drac.never, "relay.drac.never", meaning);
    Drac {
        senders: senders(&drac.senders, meaning),
        allow: drac.allow.as_ref().map(|path| data_dir.join(path)),
        udp_from_others: drac.udp_from_others,
        adds_per_second: drac.adds_per_second,
        rpcbind: drac.rpcbind,
        never,
        loopback: drac.loopback,
    }
}

fn senders(senders: &Senders, meaning: &mut Meaning<'_>) -> DracSenders {
    let texts = match senders {
        Senders::Word(SendersWord::Hosted) => return DracSenders::Hosted,
        Senders::Word(SendersWord::Any) => return DracSenders::Any,
        Senders::List(texts) => texts,
    };
    let mut patterns = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("relay.drac.senders[{index}]");
        patterns.extend(match text.strip_prefix('@') {
            Some(domain) => meaning.parsed(&path, value::domain(domain)).map(SenderPattern::Domain),
            None => meaning.parsed(&path, value::mailbox(text)).map(SenderPattern::Mailbox),
        });
    }
    DracSenders::Listed(patterns)
}

fn export(text: &str, meaning: &mut Meaning<'_>, data_dir: &Path) -> Option<Export> {
    let (hash, path) = match text.split_once(':') {
        Some(("hash", path)) if !path.is_empty() => (true, path),
        Some(("btree", path)) if !path.is_empty() => (false, path),
        _ => {
            meaning.wrong(
                "relay.export",
                format!("`relay.export`: \"{text}\" is no database file"),
                "\"btree:FILE\" or \"hash:FILE\"",
            );
            return None;
        }
    };
    Some(Export { hash, path: data_dir.join(path) })
}

fn client(client: &file::Client, index: usize, meaning: &mut Meaning<'_>) -> Option<Client> {
    let path = format!("relay.clients[{index}]");
    let place = meaning.place(&path);
    let who = match (&client.ip, &client.name) {
        (Some(ip), None) => ClientWho::Net(meaning.parsed(&format!("{path}.ip"), value::network(ip))?),
        (None, Some(name)) => {
            let below = name.strip_prefix('.');
            let host = meaning.parsed(&format!("{path}.name"), value::domain(below.unwrap_or(name)))?;
            let host = host.as_str();
            ClientWho::Name(if below.is_some() { format!(".{host}") } else { host.to_owned() })
        }
        _ => {
            meaning.wrong(&path, "a relay client has either `ip` or `name`", "give exactly one of the two");
            return None;
        }
    };
    Some(Client { who, place })
}
