//! Facts of a record as the guard's values. What is attested here is attested for a judgement again, whose verdict nobody acts on.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guard::rule::{Action, Entry, MapId, Mode, Said};
use guard::{
    Choice, ConfigLine, ConfirmedName, Country, Device, Fact, FactName, Fault, Greylist, HopAnswer, Hosting, Listing,
    Login, Origin, Part, PopEvidence, PopSource, PtrName, Reason, RecipientScope, SenderDomain, SpfResult, Value,
};
use records::kept::KeptValue;
use serde::Deserialize;
use serde_json::Value as Json;
use smtp::{Domain, Mailbox};

/// What a fact of a record says; `None`: it cannot be read.
pub(crate) fn read(fact: FactName, known: &KeptValue) -> Option<Fact<Value>> {
    match known {
        KeptValue::Known(json) => value(fact, json).map(Fact::Known),
        KeptValue::Unknown(cause) => Some(Fact::Unknown(fault(cause))),
    }
}

/// The name of a fact in records.
pub(crate) fn name(code: &str) -> Option<FactName> {
    FactName::ALL.iter().copied().find(|name| name.code() == code)
}

fn fault(cause: &str) -> Fault {
    let (at, code) = cause.rsplit_once(':').unwrap_or(("", cause));
    let at = ["state", "directory", "dns"].into_iter().find(|known| *known == at).unwrap_or("a source");
    match code {
        "timed-out" => Fault::TimedOut(at),
        "broken" => Fault::Broken(at),
        "closed" => Fault::Closed(at),
        _ => Fault::Unavailable(at),
    }
}

fn value(fact: FactName, json: &Json) -> Option<Value> {
    Some(match fact {
        FactName::Login => Value::Login(login(json)?),
        FactName::Hosting => Value::Hosting(word(&HOSTINGS, json, Hosting::code)?),
        FactName::Choice => Value::Choice(word(&CHOICES, json, Choice::code)?),
        FactName::Owners => Value::Owners(of(json)?),
        FactName::SenderHosted => Value::SenderHosted(json.as_bool()?),
        FactName::ClientName => Value::ClientName(match json {
            Json::Null => None,
            name => Some(ConfirmedName::attest_forward_confirmed(Domain::parse(name.as_str()?).ok()?)),
        }),
        FactName::PtrNames => Value::PtrNames(of::<WrittenPtr>(json)?.into()),
        FactName::SenderDomain => Value::SenderDomain(match json.as_str()? {
            "alive" => SenderDomain::Alive,
            "dead" => SenderDomain::Dead,
            _ => return None,
        }),
        FactName::Greylist => Value::Greylist(of::<WrittenGreylist>(json)?.into()),
        FactName::PopEvidence => Value::PopEvidence(each::<WrittenEvidence, _>(json, evidence)?),
        FactName::HopAnswer => Value::HopAnswer(match json.as_str()? {
            "fine" => HopAnswer::Fine,
            "has-not" => HopAnswer::HasNot,
            "away" => HopAnswer::Away,
            _ => return None,
        }),
        FactName::Listings => Value::Listings(each::<WrittenListing, _>(json, listing)?),
        FactName::DomainListings => Value::DomainListings(each::<WrittenListing, _>(json, listing)?),
        FactName::Spf => Value::Spf(word(&SpfResult::ALL, json, SpfResult::code)?),
        FactName::Origin => Value::Origin(of::<WrittenOrigin>(json).and_then(origin)?),
        FactName::Entries => Value::Entries(each::<WrittenEntry, _>(json, entry)?),
    })
}

const HOSTINGS: [Hosting; 7] = [
    Hosting::Mailbox,
    Hosting::Alias,
    Hosting::RelayDomain,
    Hosting::UnknownUser,
    Hosting::Misconfigured,
    Hosting::DomainOff,
    Hosting::NotHosted,
];

const CHOICES: [Choice; 6] =
    [Choice::None, Choice::Accepted, Choice::Refused, Choice::NotAccepted, Choice::IfProved, Choice::MoreIfProved];

const SOURCES: [PopSource; 6] = [
    PopSource::Pop3,
    PopSource::Operator,
    PopSource::Drac,
    PopSource::AuthPolicy,
    PopSource::DovecotAuth,
    PopSource::Log,
];

/// One of these by its word.
fn word<T: Copy>(all: &[T], json: &Json, code: impl Fn(T) -> &'static str) -> Option<T> {
    let text = json.as_str()?;
    all.iter().copied().find(|one| code(*one) == text)
}

fn of<T: for<'de> Deserialize<'de>>(json: &Json) -> Option<T> {
    T::deserialize(json).ok()
}

fn each<W: for<'de> Deserialize<'de>, T>(json: &Json, read: impl Fn(W) -> Option<T>) -> Option<Vec<T>> {
    of::<Vec<W>>(json)?.into_iter().map(read).collect()
}

/// Microseconds since 1970 as a time.
pub(crate) fn time(micros: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_micros(micros)).unwrap_or(UNIX_EPOCH)
}

#[derive(Deserialize)]
struct WrittenLogin {
    login: String,
    device: Option<WrittenDevice>,
}

#[derive(Deserialize)]
struct WrittenDevice {
    name: String,
    login: String,
    reverse_path: Option<String>,
    scope: WrittenScope,
    messages_per_hour: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenScope {
    Anyone,
    HostedOnly,
    Domains(Vec<String>),
}

#[expect(clippy::option_option, reason = "not asked, and asked without an answer")]
fn login(json: &Json) -> Option<Option<Login>> {
    let Some(written) = of::<Option<WrittenLogin>>(json)? else { return Some(None) };
    let device = match written.device {
        // Bounds that cannot be read are no bounds that could be left out.
        Some(written) => Some(Arc::new(device(written)?)),
        None => None,
    };
    Some(Some(somebody(&written.login, device)))
}

/// Who would be logged in.
pub(crate) fn somebody(login: &str, device: Option<Arc<Device>>) -> Login {
    Login::attest_authenticated(login.into(), device)
}

fn device(written: WrittenDevice) -> Option<Device> {
    let WrittenDevice { name, login, reverse_path, scope, messages_per_hour } = written;
    let scope = match scope {
        WrittenScope::Anyone => RecipientScope::Anyone,
        WrittenScope::HostedOnly => RecipientScope::HostedOnly,
        WrittenScope::Domains(domains) => {
            RecipientScope::Domains(domains.iter().map(|it| Domain::parse(it).ok()).collect::<Option<_>>()?)
        }
    };
    let reverse_path = match reverse_path {
        Some(text) => Some(Mailbox::parse(&text).ok()?),
        None => None,
    };
    Some(Device { name, login, reverse_path, scope, messages_per_hour })
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenPtr {
    None,
    Name(Box<str>),
    Confirmed(Box<str>),
}

impl From<WrittenPtr> for PtrName {
    fn from(written: WrittenPtr) -> Self {
        match written {
            WrittenPtr::None => Self::None,
            WrittenPtr::Name(name) => Self::Name(name),
            WrittenPtr::Confirmed(name) => Self::Confirmed(name),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenGreylist {
    New { secs_left: u32 },
    Waiting { secs_left: u32 },
    Passed,
}

impl From<WrittenGreylist> for Greylist {
    fn from(written: WrittenGreylist) -> Self {
        match written {
            WrittenGreylist::New { secs_left } => Self::New { secs_left },
            WrittenGreylist::Waiting { secs_left } => Self::Waiting { secs_left },
            WrittenGreylist::Passed => Self::Passed,
        }
    }
}

#[derive(Deserialize)]
struct WrittenEvidence {
    subject: String,
    addr: IpAddr,
    granted_at: u64,
    expires_at: u64,
    shared: bool,
    source: Json,
    device: Option<String>,
}

fn evidence(written: WrittenEvidence) -> Option<PopEvidence> {
    let WrittenEvidence { subject, addr, granted_at, expires_at, shared, source, device } = written;
    let source = word(&SOURCES, &source, PopSource::code)?;
    let (granted_at, expires_at) = (time(granted_at), time(expires_at));
    // A server's word names no account, and no account is an address.
    let evidence = match subject.parse() {
        Ok(server) => PopEvidence::attest_drac_grant(server, addr, granted_at, expires_at),
        Err(_) => PopEvidence::attest_pop_login(subject, addr, granted_at, expires_at),
    };
    Some(evidence.told_by(source, shared).by_devices(device))
}

/// That somebody would have logged in by POP a moment ago.
pub(crate) fn logged_in_lately(login: &str, key: IpAddr, now: SystemTime) -> PopEvidence {
    let until = now + Duration::from_mins(1);
    PopEvidence::attest_pop_login(login.to_owned(), key, now, until)
}

#[derive(Deserialize)]
struct WrittenListing {
    zone: Arc<str>,
    code: Ipv4Addr,
    weight: i32,
    mode: Json,
}

fn listing(written: WrittenListing) -> Option<Listing> {
    let WrittenListing { zone, code, weight, mode } = written;
    Some(Listing { zone, code, weight, mode: word(&[Mode::Enforce, Mode::Observe], &mode, Mode::code)? })
}

#[derive(Deserialize)]
struct WrittenOrigin {
    country: Option<String>,
    asn: Option<u32>,
}

fn origin(written: WrittenOrigin) -> Option<Origin> {
    let country = match written.country {
        Some(code) => Some(Country::parse(&code)?),
        None => None,
    };
    Some(Origin { country, asn: written.asn })
}

#[derive(Deserialize)]
struct WrittenEntry {
    part: Json,
    map: usize,
    action: WrittenAction,
    line: String,
}

fn entry(written: WrittenEntry) -> Option<Entry> {
    let WrittenEntry { part, map, action, line } = written;
    let (file, line) = line.rsplit_once(':')?;
    Some(Entry {
        part: word(&Part::ALL, &part, Part::code)?,
        map: MapId(map),
        action: meant(action)?,
        line: ConfigLine::new(file, line.parse().ok()?),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenAction {
    Ok,
    Refuse(WrittenSaid),
    Deny(Json),
    Greylist,
    Slow(u32),
    Discard,
    Hold,
    Prepend(String),
    Warn(String),
}

#[derive(Deserialize)]
struct WrittenSaid {
    code: u16,
    enhanced: Option<String>,
    text: String,
}

fn meant(written: WrittenAction) -> Option<Action> {
    Some(match written {
        WrittenAction::Ok => Action::Ok,
        WrittenAction::Refuse(WrittenSaid { code, enhanced, text }) => Action::Refuse(Said { code, enhanced, text }),
        WrittenAction::Deny(reason) => Action::Deny(word(&Reason::ALL, &reason, Reason::code)?),
        WrittenAction::Greylist => Action::Greylist,
        WrittenAction::Slow(secs) => Action::Slow(secs),
        WrittenAction::Discard => Action::Discard,
        WrittenAction::Hold => Action::Hold,
        WrittenAction::Prepend(field) => Action::Prepend(field),
        WrittenAction::Warn(text) => Action::Warn(text),
    })
}
