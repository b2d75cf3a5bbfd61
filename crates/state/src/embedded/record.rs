//! One account at one address, and how a change of it stands in the journal:
//!
//! | octets | |
//! |---|---|
//! | 1 | 1: this is so now; 2: this is gone; 3: a network of this account's owner; 4: as 1, with devices; 5: a ban; 6: who is not greylisted any more |
//! | 2 | length of the login |
//! | 16 | address (IPv4 as mapped); of who is not greylisted his digest |
//! | 33 | only when it is so now: source, granted, expires, window until (microseconds), messages, recipients |
//! | 1 and so many | only with devices: length of their names, the names with blanks between |
//! | 16 | only of an owner's network: last login, end (microseconds); of who is not greylisted: last mail, end |
//! | 17 | only of a ban: since, end (microseconds; 0: it is lifted), how often before |
//! | the rest | the login; of a ban its reason |
//!
//! Numbers are little-endian.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use guard::{PopSource, Subject};

use crate::charge::QUOTA_WINDOW_MAX;
use crate::clock::{duration_micros, time};
use crate::evidence::KeptLogin;
use crate::greylist::Digest;

const PUT: u8 = 1;
const DELETE: u8 = 2;
const NETWORK: u8 = 3;
const PUT_OF_DEVICES: u8 = 4;
const PASSED: u8 = 6;
const BAN: u8 = 5;
/// Longest list of devices, in octets: seven names of 32.
const DEVICES_OCTETS_MAX: usize = 230;
const KEY_OCTETS: usize = 19;
const FACTS_OCTETS: usize = 33;
const ENDS_OCTETS: usize = 16;
/// Longest login, in octets: a local part, an at sign and a domain.
pub(crate) const LOGIN_OCTETS_MAX: usize = 320;
/// Longest change, in octets.
pub(crate) const CHANGE_OCTETS_MAX: usize = KEY_OCTETS + FACTS_OCTETS + 1 + DEVICES_OCTETS_MAX + LOGIN_OCTETS_MAX;

/// Which record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) addr: IpAddr,
    /// See [`subject_text`].
    pub(crate) login: Arc<str>,
}

/// How much of a quota is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) messages: u32,
    pub(crate) recipients: u32,
}

impl Used {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            recipients: self.recipients.saturating_add(other.recipients),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(other.messages),
            recipients: self.recipients.saturating_sub(other.recipients),
        }
    }
}

/// One account at one address, as stored. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) addr: IpAddr,
    pub(crate) login: Arc<str>,
    pub(crate) source: PopSource,
    /// Names of the account's devices that logged in here, with blanks between, the latest last.
    pub(crate) devices: Option<Arc<str>>,
    pub(crate) granted: u64,
    pub(crate) expires: u64,
    pub(crate) window_until: u64,
    pub(crate) messages: u32,
    pub(crate) recipients: u32,
}

/// A network from which an account's owner logged in. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetworkRecord {
    pub(crate) login: Arc<str>,
    /// Its first address.
    pub(crate) network: IpAddr,
    /// The last login.
    pub(crate) seen: u64,
    /// From then on it counts no more.
    pub(crate) ends: u64,
}

impl NetworkRecord {
    /// How long one of this account is in the journal.
    pub(crate) fn octets(login: &str) -> usize {
        KEY_OCTETS + ENDS_OCTETS + login.len()
    }
}

/// Who came back and is not greylisted any more. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PassedRecord {
    pub(crate) digest: Digest,
    /// Its last mail.
    pub(crate) seen: u64,
    /// From then on it is not known any more.
    pub(crate) ends: u64,
}

impl PassedRecord {
    /// How long one is in the journal.
    pub(crate) const OCTETS: usize = KEY_OCTETS + ENDS_OCTETS;
}

/// A ban of an address. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BanRecord {
    /// An IPv4 address, or the first of an IPv6 /64.
    pub(crate) addr: IpAddr,
    /// Why, in 1 to [`LOGIN_OCTETS_MAX`] octets.
    pub(crate) reason: Arc<str>,
    /// When it began.
    pub(crate) since: u64,
    /// From then on it is over; 0: it was lifted.
    pub(crate) ends: u64,
    /// How many there were before it that were remembered when it began.
    pub(crate) before: u8,
}

impl BanRecord {
    /// How long one with this reason is in the journal.
    pub(crate) fn octets(reason: &str) -> usize {
        KEY_OCTETS + ENDS_OCTETS + 1 + reason.len()
    }
}

/// One change of what lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Put(Record),
    Delete(Key),
    Network(NetworkRecord),
    Passed(PassedRecord),
    Ban(BanRecord),
}

impl Record {
    pub(crate) fn key(&self) -> Key {
        Key { addr: self.addr, login: Arc::clone(&self.login) }
    }

    /// What of the quota is used in the window that runs; nothing, if none does.
    pub(crate) fn used(&self, now: u64) -> Used {
        if now >= self.window_until {
            return Used::default();
        }
        Used { messages: self.messages, recipients: self.recipients }
    }

    /// No time lies further ahead than its own span: what a clock that was wrong has written does not outlast it. Whether
    /// something changed.
    pub(crate) fn clamp(&mut self, now: u64) -> bool {
        let before = (self.expires, self.window_until);
        if self.granted > now {
            let span = self.expires.saturating_sub(self.granted);
            self.expires = self.expires.min(now.saturating_add(span));
        }
        self.window_until = self.window_until.min(now.saturating_add(duration_micros(QUOTA_WINDOW_MAX)));
        before != (self.expires, self.window_until)
    }

    /// As it is told.
    pub(crate) fn kept(&self, shared: bool) -> KeptLogin {
        let server = self.login.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.parse().ok());
        let subject = match server.filter(|_| self.source == PopSource::Drac) {
            Some(server) => Subject::Server(server),
            None => Subject::Account(self.login.to_string()),
        };
        let (granted_at, expires_at) = (time(self.granted), time(self.expires));
        let (source, devices) = (self.source, self.devices.clone());
        KeptLogin { addr: self.addr, subject, source, devices, granted_at, expires_at, shared }
    }

    /// How long it is in the journal.
    pub(crate) fn octets(&self) -> usize {
        let devices = self.devices.as_ref().map_or(0, |devices| 1 + devices.len());
        KEY_OCTETS + FACTS_OCTETS + devices + self.login.len()
    }

    /// Whether all devices of a login that is told now are known here.
    pub(crate) fn has_devices_of(&self, other: &Self) -> bool {
        let known = self.devices.as_deref().unwrap_or_default();
        let told = other.devices.as_deref().unwrap_or_default();
        told.split(' ').all(|name| name.is_empty() || known.split(' ').any(|one| one == name))
    }

    /// Puts the devices that were known here before those that are told now. The oldest make room.
    pub(crate) fn add_devices_of(&mut self, before: &Self) {
        let Some(old) = before.devices.as_deref() else { return };
        let told = self.devices.as_deref().unwrap_or_default();
        let kept = old.split(' ').filter(|name| told.split(' ').all(|one| one != *name));
        let mut names: Vec<&str> = kept.chain(told.split(' ')).filter(|name| !name.is_empty()).collect();
        while names.iter().map(|name| name.len() + 1).sum::<usize>() > DEVICES_OCTETS_MAX {
            names.remove(0);
        }
        self.devices = devices(&names.join(" "));
    }
}

/// A list of devices as it is kept; none for what does not fit.
pub(crate) fn devices(names: &str) -> Option<Arc<str>> {
    (1..=DEVICES_OCTETS_MAX).contains(&names.len()).then(|| Arc::from(names))
}

/// The key of whose evidence it is: an account's login, or `[ADDRESS]` of the server that told.
pub(crate) fn subject_text(subject: &Subject) -> Cow<'_, str> {
    match subject {
        Subject::Account(login) => Cow::Borrowed(login),
        Subject::Server(server) => Cow::Owned(format!("[{server}]")),
    }
}

/// Appends that a record is so now.
pub(crate) fn write_put(out: &mut Vec<u8>, record: &Record) {
    let devices = record.devices.as_deref().and_then(|names| Some((u8::try_from(names.len()).ok()?, names)));
    write_head(out, if devices.is_some() { PUT_OF_DEVICES } else { PUT }, &record.addr, &record.login);
    out.push(source_number(record.source));
    out.extend_from_slice(&record.granted.to_le_bytes());
    out.extend_from_slice(&record.expires.to_le_bytes());
    out.extend_from_slice(&record.window_until.to_le_bytes());
    out.extend_from_slice(&record.messages.to_le_bytes());
    out.extend_from_slice(&record.recipients.to_le_bytes());
    if let Some((length, names)) = devices {
        out.push(length);
        out.extend_from_slice(names.as_bytes());
    }
    out.extend_from_slice(record.login.as_bytes());
}

/// Appends a change.
pub(crate) fn write(out: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Put(record) => write_put(out, record),
        Change::Delete(Key { addr, login }) => {
            write_head(out, DELETE, addr, login);
            out.extend_from_slice(login.as_bytes());
        }
        Change::Network(NetworkRecord { login, network, seen, ends }) => {
            write_head(out, NETWORK, network, login);
            out.extend_from_slice(&seen.to_le_bytes());
            out.extend_from_slice(&ends.to_le_bytes());
            out.extend_from_slice(login.as_bytes());
        }
        Change::Passed(PassedRecord { digest, seen, ends }) => {
            out.push(PASSED);
            out.extend_from_slice(&0u16.to_le_bytes());
            out.extend_from_slice(digest);
            out.extend_from_slice(&seen.to_le_bytes());
            out.extend_from_slice(&ends.to_le_bytes());
        }
        Change::Ban(BanRecord { addr, reason, since, ends, before }) => {
            write_head(out, BAN, addr, reason);
            out.extend_from_slice(&since.to_le_bytes());
            out.extend_from_slice(&ends.to_le_bytes());
            out.push(*before);
            out.extend_from_slice(reason.as_bytes());
        }
    }
}

fn write_head(out: &mut Vec<u8>, kind: u8, addr: &IpAddr, login: &str) {
    let octets = match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    // No login longer than LOGIN_OCTETS_MAX comes here; another length would be read as damage.
    let length = u16::try_from(login.len()).unwrap_or(u16::MAX);
    out.push(kind);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&octets);
}

/// Takes one change off the front; `None` for everything that is not written above.
pub(crate) fn take(octets: &mut &[u8]) -> Option<Change> {
    let kind = take_array::<1>(octets)?[0];
    let length = usize::from(u16::from_le_bytes(take_array(octets)?));
    let key = take_array::<16>(octets)?;
    let addr = guard::canonical_ip(IpAddr::V6(Ipv6Addr::from(key)));
    match kind {
        PUT | PUT_OF_DEVICES => {
            let mut facts = &take_array::<FACTS_OCTETS>(octets)?[..];
            let devices = if kind == PUT_OF_DEVICES { Some(take_devices(octets)?) } else { None };
            let login = take_login(octets, length)?;
            let record = take_facts(&mut facts, Key { addr, login })?;
            Some(Change::Put(Record { devices, ..record }))
        }
        DELETE => Some(Change::Delete(Key { addr, login: take_login(octets, length)? })),
        NETWORK => {
            let (seen, ends) = (take_number(octets)?, take_number(octets)?);
            Some(Change::Network(NetworkRecord { network: addr, seen, ends, login: take_login(octets, length)? }))
        }
        PASSED if length == 0 => {
            let (seen, ends) = (take_number(octets)?, take_number(octets)?);
            Some(Change::Passed(PassedRecord { digest: key, seen, ends }))
        }
        BAN => {
            let (since, ends) = (take_number(octets)?, take_number(octets)?);
            let before = take_array::<1>(octets)?[0];
            Some(Change::Ban(BanRecord { addr, since, ends, before, reason: take_login(octets, length)? }))
        }
        _ => None,
    }
}

fn take_devices(octets: &mut &[u8]) -> Option<Arc<str>> {
    let length = usize::from(take_array::<1>(octets)?[0]);
    let (names, rest) = octets.split_at_checked(length)?;
    *octets = rest;
    devices(std::str::from_utf8(names).ok()?)
}

fn take_number(octets: &mut &[u8]) -> Option<u64> {
    take_array(octets).map(u64::from_le_bytes)
}

fn take_facts(facts: &mut &[u8], key: Key) -> Option<Record> {
    Some(Record {
        addr: key.addr,
        login: key.login,
        source: number_source(take_array::<1>(facts)?[0])?,
        devices: None,
        granted: take_number(facts)?,
        expires: take_number(facts)?,
        window_until: take_number(facts)?,
        messages: u32::from_le_bytes(take_array(facts)?),
        recipients: u32::from_le_bytes(take_array(facts)?),
    })
}

fn take_array<const N: usize>(octets: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = octets.split_first_chunk::<N>()?;
    *octets = rest;
    Some(*first)
}

fn take_login(octets: &mut &[u8], length: usize) -> Option<Arc<str>> {
    if !(1..=LOGIN_OCTETS_MAX).contains(&length) {
        return None;
    }
    let (login, rest) = octets.split_at_checked(length)?;
    *octets = rest;
    std::str::from_utf8(login).ok().map(Arc::from)
}

/// By the numbers that stand on disk.
const SOURCES: [PopSource; 6] = [
    PopSource::Pop3,
    PopSource::Operator,
    PopSource::Drac,
    PopSource::AuthPolicy,
    PopSource::DovecotAuth,
    PopSource::Log,
];

fn source_number(source: PopSource) -> u8 {
    let place = SOURCES.iter().position(|one| *one == source);
    // Every source stands in the list; another number would be read as damage.
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

fn number_source(number: u8) -> Option<PopSource> {
    SOURCES.get(usize::from(number)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change() -> impl Strategy<Value = Change> {
        let numbers = any::<(u64, u64, u64, u32, u32)>();
        let devices = prop::option::of("[a-z]{1,20}( [a-z]{1,20}){0,3}");
        let whose = ("[a-z@.é]{1,40}", devices);
        (any::<IpAddr>(), whose, numbers, 0u8..6, 0u8..5).prop_map(|(addr, (login, names), numbers, source, kind)| {
            let (granted, expires, window_until, messages, recipients) = numbers;
            let (addr, login) = (guard::canonical_ip(addr), Arc::from(login));
            let source = number_source(source).unwrap();
            match kind {
                0 => {
                    let devices = names.and_then(|names| super::devices(&names));
                    Change::Put(Record {
                        addr,
                        login,
                        source,
                        devices,
                        granted,
                        expires,
                        window_until,
                        messages,
                        recipients,
                    })
                }
                1 => Change::Delete(Key { addr, login }),
                2 => Change::Passed(PassedRecord {
                    digest: granted.to_le_bytes().repeat(2).try_into().unwrap(),
                    seen: granted,
                    ends: expires,
                }),
                3 => Change::Ban(BanRecord { addr, reason: login, since: granted, ends: expires, before: kind }),
                _ => Change::Network(NetworkRecord { login, network: addr, seen: granted, ends: expires }),
            }
        })
    }

    proptest! {
        #[test]
        fn changes_are_read_as_they_were_written(changes in prop::collection::vec(change(), 0..20)) {
            let mut octets = Vec::new();
            for change in &changes {
                let before = octets.len();
                write(&mut octets, change);
                prop_assert!(octets.len() - before <= CHANGE_OCTETS_MAX);
                if let Change::Put(record) = change {
                    prop_assert_eq!(octets.len() - before, record.octets());
                }
            }
            let mut rest = octets.as_slice();
            for change in changes {
                prop_assert_eq!(take(&mut rest), Some(change));
            }
            prop_assert_eq!(rest.len(), 0);
        }

        #[test]
        fn other_octets_are_no_change(octets: Vec<u8>) {
            let mut rest = octets.as_slice();
            if let Some(change) = take(&mut rest) {
                let mut again = Vec::new();
                write(&mut again, &change);
                prop_assert_eq!(again.len(), octets.len() - rest.len());
            }
        }
    }

    #[test]
    fn every_source_has_a_number() {
        for source in SOURCES {
            assert_eq!(number_source(source_number(source)), Some(source));
        }
        assert_eq!(number_source(u8::MAX), None);
    }
}
