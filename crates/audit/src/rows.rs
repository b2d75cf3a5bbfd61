//! The set as it is listed: each right in one row, with where it is written and when it was used last.

use std::time::SystemTime;

use guard::Subject;
use judge::uses::{Noted, RightKey};
use keep::text::grouped;
use serde::{Deserialize, Serialize};

use crate::addresses::Addresses;
use crate::set::{Door, GrantRight, Listed, LoginOffer, LoginRight, Pattern, Set, Usable, Way, secs};
use crate::text::{Place, Text};

/// All rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The listeners.
    pub listeners: Vec<ListenerRow>,
    /// Networks that relay without a login, as listed.
    pub networks: Vec<NetworkRow>,
    /// The fewest networks that say the same, exceptions taken out.
    pub together: Vec<String>,
    /// What lies in them and has no right by that.
    pub except: Vec<ExceptRow>,
    /// Names of clients that relay without a login.
    pub names: Vec<NameRow>,
    /// Accounts and devices.
    pub logins: Vec<LoginRow>,
    /// Grants of POP logins that are alive.
    pub grants: Vec<GrantRow>,
    /// Domains whose mail is passed on for everybody.
    pub relay_domains: Vec<NameRow>,
    /// Clients that are banned now.
    pub banned: Vec<String>,
    /// Who is none of these.
    pub everybody_else: Complement,
}

/// When a right was used last, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// Seconds since 1970; null: no use was seen.
    pub last_secs: Option<u64>,
    /// By this client.
    pub from: Option<String>,
    /// From when on every use would have been seen; null: nothing watched.
    pub watched_secs: Option<u64>,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerRow {
    /// Its name.
    pub name: String,
    /// What is spoken.
    pub protocol: String,
    /// Where.
    pub at: Vec<String>,
    /// `own`, `asked`, `looked-up`, `restricts` or `no-mail`.
    pub relays: String,
    /// `never`, `offered`, `required` or `told`.
    pub login: String,
    /// Who may connect at all, as the fewest networks; null: everybody.
    pub reach: Option<Vec<String>>,
    /// In words.
    pub says: Text,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRow {
    /// The network.
    pub network: String,
    /// `network` or `client-map`.
    pub authority: String,
    /// Where it is written.
    pub line: Option<Place>,
    /// When it was used.
    pub used: Use,
}

/// Addresses without the right of their network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptRow {
    /// The addresses.
    pub network: String,
    /// `gateway` or `distrusted`.
    pub why: String,
}

/// A name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRow {
    /// The name; with a leading dot all below it.
    pub name: String,
    /// Where it is written.
    pub line: Option<Place>,
    /// When it was used.
    pub used: Use,
}

/// An account or a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRow {
    /// What it logs in with.
    pub login: String,
    /// The account.
    pub account: String,
    /// The device's name.
    pub device: Option<String>,
    /// `yes`, `locked`, `expired` or `revoked`.
    pub state: String,
    /// Whether recipients that are not ours are within it.
    pub reaches_others: bool,
    /// Where it may log in from; empty: everywhere.
    pub networks: Vec<String>,
    /// Messages that it may send an hour; null: no bound of its own.
    pub messages_per_hour: Option<u32>,
    /// Seconds since 1970 from which it is refused.
    pub expires_secs: Option<u64>,
    /// When it was used.
    pub used: Use,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRow {
    /// Where the login came from.
    pub address: String,
    /// The addresses for which it counts; empty: they prove nobody.
    pub networks: Vec<String>,
    /// Whose login it was; null: a server told of it and does not say.
    pub login: Option<String>,
    /// The device.
    pub device: Option<String>,
    /// The server that told by DRAC.
    pub server: Option<String>,
    /// Who told.
    pub source: String,
    /// Seconds since 1970 until when.
    pub expires_secs: u64,
    /// Several accounts have one there.
    pub shared: bool,
    /// When it was used.
    pub used: Use,
}

/// Who may not relay without a login.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complement {
    /// IPv4 addresses that may not.
    pub ipv4_addresses: u64,
    /// IPv4 addresses that may, by themselves or by a grant.
    pub ipv4_relaying: u64,
    /// The IPv6 networks that may, by themselves or by a grant; everybody else may not.
    pub ipv6_networks: u64,
    /// In words.
    pub says: Text,
}

/// What uses are known.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'a> {
    /// The uses; `None`: nothing watched.
    pub noted: Option<&'a Noted>,
}

impl Watched<'_> {
    /// The use of a right that is there since then.
    fn of(self, key: Option<&RightKey>, since_secs: u64) -> Use {
        let Some(noted) = self.noted else { return Use::default() };
        let last = noted.of(key);
        Use {
            last_secs: last.map(|last| last.at_secs),
            from: last.and_then(|last| last.from).map(|from| from.to_string()),
            watched_secs: Some(noted.since_secs.max(since_secs)),
        }
    }

    fn named(self, code: &str, what: &str) -> Use {
        self.of(RightKey::new(code, what).as_ref(), 0)
    }
}

impl Rows {
    /// Lists a set.
    pub fn new(set: &Set, watched: Watched<'_>) -> Self {
        let of_networks = set.networks.iter().map(|listed| network(listed, "network", watched));
        let of_clients = set.clients.iter().map(|listed| network(listed, "client-map", watched));
        let mut together = set.by_network.clone();
        together.join(&set.by_client_map);
        let name = |pattern: &Pattern| NameRow {
            name: pattern.text.clone(),
            line: Some(Place::from(&pattern.line)),
            used: watched.named("client-map", &pattern.text),
        };
        let domain = |pattern: &Pattern| NameRow { used: Use::default(), ..name(pattern) };
        let mut relay_domains: Vec<NameRow> = set.own_domains.iter().chain(&set.asked_domains).map(domain).collect();
        relay_domains.sort_by(|a, b| a.name.cmp(&b.name));
        relay_domains.dedup();
        Self {
            listeners: set.doors.iter().map(listener).collect(),
            networks: of_networks.chain(of_clients).collect(),
            together: together.networks().iter().map(ToString::to_string).collect(),
            except: set
                .except
                .iter()
                .map(|one| ExceptRow { network: one.net.to_string(), why: one.why.to_owned() })
                .collect(),
            names: set.names.iter().map(name).collect(),
            logins: set.logins.iter().map(|(login, right)| login_row(login, right, set, watched)).collect(),
            grants: set.grants.iter().map(|grant| grant_row(grant, watched)).collect(),
            relay_domains,
            banned: set.banned.iter().map(ToString::to_string).collect(),
            everybody_else: complement(set),
        }
    }
}

fn network(listed: &Listed, authority: &str, watched: Watched<'_>) -> NetworkRow {
    let network = listed.net.to_string();
    let used = watched.named(authority, &network);
    NetworkRow { network, authority: authority.to_owned(), line: Some(Place::from(&listed.line)), used }
}

fn listener(door: &Door) -> ListenerRow {
    let relays = match door.way {
        Way::Own => "own",
        Way::Asked => "asked",
        Way::LookedUp(_) => "looked-up",
        Way::Restricts => "restricts",
        Way::NoMail => "no-mail",
    };
    let login = match door.login {
        LoginOffer::Never => "never",
        LoginOffer::Offered => "offered",
        LoginOffer::Required => "required",
        LoginOffer::Told => "told",
    };
    let networks = |reach: &Addresses| reach.networks().iter().map(ToString::to_string).collect();
    ListenerRow {
        name: door.name.clone(),
        protocol: door.protocol.name().to_owned(),
        at: door.at.clone(),
        relays: relays.to_owned(),
        login: login.to_owned(),
        reach: door.reach.as_ref().map(networks),
        says: says(door),
    }
}

fn says(door: &Door) -> Text {
    let mut says = relays_for(door);
    if door.has_lists {
        says.en += " (allow and deny turn away more)";
        says.ja += "（allow と deny はさらに拒否）";
    }
    says
}

fn relays_for(door: &Door) -> Text {
    match (door.way, door.login) {
        (Way::Own, LoginOffer::Required) => Text::new("only after a login", "ログインした者だけ"),
        (Way::Own, LoginOffer::Never) => {
            Text::new("by address only; no login here", "アドレスだけで判断（ログインなし）")
        }
        (Way::Own, _) => Text::new("by address, or after a login", "アドレスで、またはログインした者"),
        (Way::Asked, _) => Text::new(
            "for a mail server: by address, or a login that it tells",
            "メールサーバーの問い合わせ：アドレスか、伝えられたログイン",
        ),
        (Way::LookedUp(_), _) => {
            Text::new("for a mail server: by address, looked up", "メールサーバーの検索：アドレスだけ")
        }
        (Way::Restricts, _) => Text::new("nobody: the mail server decides", "なし（メールサーバーが判断）"),
        (Way::NoMail, _) => Text::new("nobody: no mail comes in here", "なし（メールの入口ではない）"),
    }
}

fn login_row(login: &str, right: &LoginRight, set: &Set, watched: Watched<'_>) -> LoginRow {
    let device = right.device.as_ref();
    let state = match right.usable(set.now_secs()) {
        Usable::Yes | Usable::OutsideNetworks => "yes",
        Usable::Locked => "locked",
        Usable::Expired => "expired",
        Usable::Revoked => "revoked",
    };
    let key = match device {
        Some(device) => RightKey::device(&right.account, &device.name),
        None => RightKey::new("auth", login),
    };
    let limits = device.map(|device| &device.limits);
    LoginRow {
        login: login.to_owned(),
        account: right.account.clone(),
        device: device.map(|device| device.name.clone()),
        state: state.to_owned(),
        reaches_others: right.reaches_others(),
        networks: limits.map(|it| it.networks.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        messages_per_hour: limits.and_then(|it| it.messages_per_hour),
        expires_secs: limits.and_then(|it| it.expires_at).or(right.expires_at),
        used: watched.of(key.as_ref(), right.created_at),
    }
}

fn grant_row(grant: &GrantRight, watched: Watched<'_>) -> GrantRow {
    let (login, server) = match &grant.subject {
        Subject::Account(login) => (Some(login.clone()), None),
        Subject::Server(server) => (None, Some(server.to_string())),
    };
    let key = match (&login, &server) {
        (Some(login), _) => RightKey::new("pop", login.clone()),
        (None, server) => RightKey::new("drac", server.clone().unwrap_or_default()),
    };
    let secs_of = |time: SystemTime| secs(time);
    GrantRow {
        address: grant.addr.to_string(),
        networks: grant.addresses.networks().iter().map(ToString::to_string).collect(),
        login,
        device: grant.device.clone(),
        server,
        source: grant.source.code().to_owned(),
        expires_secs: secs_of(grant.expires_at),
        shared: grant.shared,
        used: watched.of(key.as_ref(), secs_of(grant.granted_at)),
    }
}

fn complement(set: &Set) -> Complement {
    let relaying = set.addresses();
    let networks = relaying.networks();
    let ipv6_networks = networks.iter().filter(|net| net.addr().is_ipv6()).count() as u64;
    let ipv4_relaying = relaying.ipv4_count();
    let ipv4_addresses = (1_u64 << 32) - ipv4_relaying;
    let is_open = set.doors.iter().any(|door| {
        matches!(door.way, Way::Asked | Way::LookedUp(_))
            || (door.way == Way::Own && door.login != LoginOffer::Required)
    });
    let count = grouped(ipv4_addresses);
    let names = set.names.len();
    let (names_en, names_ja) = match names {
        0 => (String::new(), String::new()),
        _ => (
            format!(" A client of {names} listed name(s) relays from whatever address that name leads to."),
            format!("ただし、登録された名前 {names} 個のクライアントは、その名前の指すアドレスから中継できます。"),
        ),
    };
    let says = if is_open {
        let (v4_en, v4_ja) = match listed(&networks) {
            None => (
                format!("No IPv4 address ({count}) may relay without a login"),
                format!("IPv4 アドレス（{count} 個）は、どれもログインなしでは中継できません。"),
            ),
            Some(listed) => (
                format!("0.0.0.0/0 without {listed}: {count} IPv4 addresses may not relay without a login"),
                format!(
                    "0.0.0.0/0 のうち {listed} を除く {count} 個の IPv4 アドレスは、ログインなしでは中継できません。"
                ),
            ),
        };
        let (v6_en, v6_ja) = match ipv6_networks {
            0 => ("no IPv6 address may.".to_owned(), "IPv6 も同じです。".to_owned()),
            count => (
                format!("nor may IPv6, but {count} network(s)."),
                format!("IPv6 も {count} 個のネットワーク以外は同じです。"),
            ),
        };
        Text::new(format!("{v4_en}; {v6_en}{names_en}"), format!("{v4_ja}{v6_ja}{names_ja}"))
    } else {
        Text::new(
            "Nobody relays without a login: no listener goes by addresses.",
            "ログインなしで中継できる者はいません。アドレスで判断するリスナーがありません。",
        )
    };
    Complement { ipv4_addresses, ipv4_relaying, ipv6_networks, says }
}

/// A few networks by name, more by their number; `None`: there is none of IPv4.
fn listed(networks: &[ipnet::IpNet]) -> Option<String> {
    let v4: Vec<String> = networks.iter().filter(|net| net.addr().is_ipv4()).map(ToString::to_string).collect();
    match v4.len() {
        0 => None,
        1..=4 => Some(v4.join(", ")),
        count => Some(format!("{count} networks")),
    }
}
