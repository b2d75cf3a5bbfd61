//! What is looked for among records, and whether a record is it.

use std::net::IpAddr;
use std::time::SystemTime;

use ipnet::IpNet;
use jiff::{Timestamp, ToSpan as _, Zoned};

use crate::kept::{Kept, micros};
use crate::keys::{Key, Kind, domain, network, network_bits, plain};
use crate::redact::{self, Redact};

/// Records that are found at once, at most.
pub const LIMIT_MAX: usize = 10_000;

/// What is looked for: records of which all that is named is so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// This decision.
    pub id: Option<String>,
    /// Those of this session.
    pub session: Option<String>,
    /// Those of this client, or of clients in this network.
    pub client: Option<IpNet>,
    /// Those of this login, or with this login refused.
    pub login: Option<String>,
    /// The same login in its short form, in which it may stand in a record, too.
    pub short: Option<String>,
    /// Those with this address or domain in either path.
    pub address: Option<Whose>,
    /// Those refused for this reason.
    pub reason: Option<String>,
    /// Not older.
    pub since: Option<SystemTime>,
    /// Older than this.
    pub until: Option<SystemTime>,
    /// So many, the newest; at most [`LIMIT_MAX`].
    pub limit: usize,
}

/// Whose address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// This address, without brackets and in lower case; empty: the null reverse-path.
    Address(String),
    /// Any of this domain.
    Domain(String),
}

impl Whose {
    /// `USER@DOMAIN`, `@DOMAIN`, or `<>`.
    pub fn parse(text: &str) -> Self {
        let address = plain(text);
        match address.strip_prefix('@') {
            Some(domain) => Self::Domain(domain.to_owned()),
            None => Self::Address(address),
        }
    }
}

/// A client's address or network as it is typed.
pub fn client(text: &str) -> Option<IpNet> {
    let net = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|ip| IpNet::from(guard::canonical_ip(ip))));
    net.map(|net: IpNet| net.trunc())
}

/// A time as it is typed: `30m`, `24h`, `7d` or `2w` before `now`, or `YYYY-MM-DD[THH:MM[:SS]][Z|+HH:MM]`, local where no zone
/// is named.
pub fn when(text: &str, now: SystemTime) -> Result<SystemTime, NoTime> {
    let shown = || text.chars().take(40).collect();
    if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
        return Err(NoTime::NoUnit(shown()));
    }
    read_when(text.trim(), now).ok_or_else(|| NoTime::Unreadable(shown()))
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTime {
    /// A number alone.
    #[error("{0} has no unit; write {0}h for hours or {0}d for days")]
    NoUnit(String),
    /// Anything else.
    #[error("{0:?} is no time; write it as 30m, 12h, 7d, 2026-11-30 or 2026-11-30T09:00")]
    Unreadable(String),
}

fn read_when(text: &str, now: SystemTime) -> Option<SystemTime> {
    if let Some(secs) = ago(text) {
        return now.checked_sub(std::time::Duration::from_secs(secs));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.into());
    }
    let local = text.parse::<jiff::civil::DateTime>().ok().or_else(|| {
        let date = text.parse::<jiff::civil::Date>().ok()?;
        Some(date.at(0, 0, 0, 0))
    })?;
    let zone = Zoned::now().time_zone().clone();
    let zoned = local.to_zoned(zone).ok()?.checked_add(0.seconds()).ok()?;
    Some(zoned.timestamp().into())
}

fn ago(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    text[..text.len() - 1].parse::<u64>().ok()?.checked_mul(unit)
}

/// A search in the forms in which records and keys hold what it looks for.
pub(crate) struct Wanted {
    search: Search,
    /// A record must have one of these forms, if there are any.
    login: Vec<Forms>,
    address: Option<Forms>,
    since: u64,
    until: u64,
}

/// A name as it is, and as it stands in a redacted record.
struct Forms {
    plain: String,
    hidden: Option<String>,
}

impl Forms {
    fn of(name: &str, key: Option<&redact::Key>) -> Self {
        let plain = plain(name);
        let hidden = key.map(|key| key.hidden(&plain));
        Self { plain, hidden }
    }

    fn is(&self, name: &str) -> bool {
        let name = plain(name);
        name == self.plain || Some(&name) == self.hidden.as_ref()
    }

    fn keys(&self, kind: Kind) -> Vec<Key> {
        [Some(&self.plain), self.hidden.as_ref()].into_iter().flatten().map(|name| Key::new(kind, name)).collect()
    }
}

impl Wanted {
    /// `key`: what redacted records have their hashes by. `oldest`: nothing before it is kept any more.
    pub(crate) fn new(search: Search, key: Option<&redact::Key>, oldest: SystemTime) -> Self {
        let login = search.login.iter().chain(&search.short).map(|login| Forms::of(login, key)).collect();
        let address = match &search.address {
            Some(Whose::Address(address)) => Some(Forms::of(address, key)),
            Some(Whose::Domain(_)) | None => None,
        };
        let since = micros(oldest).max(search.since.map_or(0, micros));
        let until = search.until.map_or(u64::MAX, micros);
        Self { search, login, address, since, until }
    }

    pub(crate) fn limit(&self) -> usize {
        self.search.limit.clamp(1, LIMIT_MAX)
    }

    /// Whether a record of this time is looked for.
    pub(crate) fn is_then(&self, at_micros: u64) -> bool {
        (self.since..self.until).contains(&at_micros)
    }

    /// Whether any of a span is.
    pub(crate) fn is_within(&self, first: u64, last: u64) -> bool {
        first < self.until && last >= self.since
    }

    /// Keys of which a segment must have one of each list to be opened.
    pub(crate) fn keys(&self) -> Vec<Vec<Key>> {
        let Search { id, session, client, address, reason, .. } = &self.search;
        let mut keys = Vec::new();
        let mut one = |kind, text: &Option<String>| keys.extend(text.iter().map(|text| vec![Key::new(kind, text)]));
        one(Kind::Id, id);
        one(Kind::Session, session);
        one(Kind::Reason, reason);
        if !self.login.is_empty() {
            keys.push(self.login.iter().flat_map(|forms| forms.keys(Kind::Login)).collect());
        }
        keys.extend(self.address.iter().map(|forms| forms.keys(Kind::Address)));
        if let Some(Whose::Domain(domain)) = address {
            keys.push(vec![Key::new(Kind::Domain, domain)]);
        }
        if let Some(net) = client
            && net.prefix_len() >= network_bits(net.addr())
        {
            keys.push(vec![Key::of_client(net.addr())]);
        }
        keys
    }

    /// Octets that a record must hold, to tell most others without reading them.
    pub(crate) fn needle(&self) -> Option<&[u8]> {
        self.search.id.as_deref().or(self.search.session.as_deref()).map(str::as_bytes)
    }

    /// Whether a record is looked for, its time apart.
    pub(crate) fn is(&self, kept: &Kept) -> bool {
        let Search { id, session, client, address, reason, .. } = &self.search;
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|it| Some(it) == found);
        let paths = || [&kept.reverse_path, &kept.forward_path].into_iter().flatten();
        is(id, Some(&kept.id))
            && is(session, Some(&kept.of.session))
            && is(reason, kept.reason())
            && client.is_none_or(|net| is_client(net, kept))
            && (self.login.is_empty()
                || kept.login.as_deref().is_some_and(|login| self.login.iter().any(|forms| forms.is(login))))
            && self.address.as_ref().is_none_or(|forms| paths().any(|path| forms.is(path)))
            && match address {
                Some(Whose::Domain(wanted)) => paths().any(|path| domain(&plain(path)) == Some(wanted)),
                Some(Whose::Address(_)) | None => true,
            }
    }
}

/// Of a client that was cut only its network is known.
fn is_client(net: IpNet, kept: &Kept) -> bool {
    let is_cut = kept.redacted.as_deref() == Some(Redact::All.code());
    kept.client.is_some_and(|client| {
        net.contains(&client)
            || (is_cut && net.prefix_len() > network_bits(client) && network(net.addr()) == network(client))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_read_as_people_type_them() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let ago = |secs| Ok(now - Duration::from_secs(secs));
        for (text, secs) in [("90s", 90), ("30m", 1_800), ("24h", 86_400), ("7d", 604_800), ("1w", 604_800)] {
            assert_eq!(when(text, now), ago(secs), "{text}");
        }
        assert_eq!(when("2001-09-09T01:46:40Z", now), Ok(now));
        assert_eq!(when("2001-09-09T03:46:40+02:00", now), Ok(now));
        assert!(when("2026-11-30", now).is_ok() && when("2026-11-30T09:00", now).is_ok());
        for text in ["", "d", "7x", "-1d", "yesterday", "99999999999999999999d"] {
            assert_eq!(when(text, now), Err(NoTime::Unreadable(text.to_owned())), "{text}");
        }
        let no_unit = when("24", now).unwrap_err();
        assert_eq!(no_unit.to_string(), "24 has no unit; write 24h for hours or 24d for days");
    }

    #[test]
    fn clients_are_addresses_or_networks() {
        assert_eq!(client("192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        assert_eq!(client("192.0.2.7/24").unwrap().to_string(), "192.0.2.0/24");
        assert_eq!(client("::ffff:192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        assert_eq!(client("mail.example"), None);
        assert_eq!(Whose::parse("@Example.TEST"), Whose::Domain("example.test".to_owned()));
        assert_eq!(Whose::parse("<A@b.example>"), Whose::Address("a@b.example".to_owned()));
        assert_eq!(Whose::parse("<>"), Whose::Address(String::new()));
    }
}
