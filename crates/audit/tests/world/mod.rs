//! Random configurations, and random clients of them. Few addresses and names, so that what is listed meets what comes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use audit::addresses::Addresses;
use audit::set::{LoginOffer, Way};
use audit::{Asked, Door, Given, Set};
use config::{Protocol, RelayMode};
use directory::{Account, Device, DeviceLimits, PasswordKind, RecipientScope};
use guard::attested::{ConfirmedName, Login, PopEvidence, PopSource};
use guard::never_granted::{Here, Loopback, NeverGranted};
use guard::policy::{DracSenders, Entry, PopSpec, RelayPolicy, RelayPolicySpec};
use guard::rule::{self, Action, Condition, Effect, MapId, Mode, Rule, Rules};
use guard::{
    Choice, ConfigLine, Depth, FactName, Fault, HopAnswer, Hosting, Need, Of, Part, Policy, Reason, SenderPattern,
    Value,
};
use ipnet::IpNet;
use smtp::Domain;
use smtp::address::{ForwardPath, ReversePath};

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_SECS)
}
const NOW_SECS: u64 = 1_790_000_000;

/// SplitMix64: the same numbers for the same seed, everywhere.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// Up to so many of them.
    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }
}

const NAMES: [&str; 6] =
    ["mail.example.net", "a.b.example.net", "example.net", "host.partner.example", "notpartner.example", "x.example"];
/// Most are not ours.
const DOMAINS: [&str; 10] = [
    "own.example",
    "off.example",
    "relay.example",
    "sub.relay.example",
    "far.example",
    "elsewhere.example",
    "elsewhere.example",
    "elsewhere.example",
    "elsewhere.example",
    "other.example",
];
const ACCOUNTS: [&str; 4] = ["alice@own.example", "bob@own.example", "locked@own.example", "late@own.example"];
/// Where addresses come from, with bits that vary.
const BASES: [&str; 12] = [
    "192.0.2.0",
    "192.0.3.0",
    "10.0.0.0",
    "10.1.0.0",
    "172.17.0.0",
    "127.0.0.0",
    "2001:db8:1::",
    "2001:db8:1:1::",
    "64:ff9b::c000:200",
    "2002:c000:201::",
    "2001:0:4136:e378:8000:63bf:3fff:fd00",
    "fd00:1::",
];

fn address(rng: &mut Rng) -> IpAddr {
    let low = u128::from(rng.next() & if rng.one_in(2) { 7 } else { 255 });
    match rng.pick(&BASES).parse().unwrap() {
        IpAddr::V4(base) => {
            let v4 = Ipv4Addr::from(u32::from(base) + u32::try_from(low).unwrap());
            if rng.one_in(8) { IpAddr::V6(v4.to_ipv6_mapped()) } else { IpAddr::V4(v4) }
        }
        IpAddr::V6(base) => {
            let shift = rng.pick(&[0, 0, 0, 64, 48]);
            IpAddr::V6(Ipv6Addr::from(u128::from(base) ^ low << shift))
        }
    }
}

fn network(rng: &mut Rng) -> IpNet {
    let address = address(rng).to_canonical();
    let prefix = match address {
        IpAddr::V4(_) => rng.pick(&[16, 22, 24, 25, 28, 29, 30, 31, 32, 32]),
        IpAddr::V6(_) => rng.pick(&[48, 56, 64, 64, 112, 120, 124, 127, 128, 128]),
    };
    IpNet::new(address, prefix).unwrap().trunc()
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) own: Policy,
    pub(crate) asked: Policy,
    pub(crate) doors: Vec<Door>,
    accounts: Vec<Account>,
    devices: Vec<Device>,
    evidence: Vec<PopEvidence>,
    distrusted: Vec<IpAddr>,
    banned: Vec<IpAddr>,
}

impl World {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let spec = spec(rng);
        let domains =
            entries(rng, 300, 3, |rng| rng.pick(&["relay.example", ".relay.example", "far.example"]).to_owned());
        let asked = RelayPolicySpec { relay_domains: [spec.relay_domains.clone(), domains].concat(), ..spec.clone() };
        let rules = if rng.one_in(8) { rules() } else { Rules::default() };
        let rules = Arc::new(rules);
        let policy = |spec| Policy {
            relay: RelayPolicy::new(spec).unwrap(),
            rules: Arc::clone(&rules),
            suspicion: Arc::default(),
            version: 1,
        };
        let accounts = ACCOUNTS.iter().map(|login| account(login, rng)).collect();
        let bits = spec.pop.as_ref().map_or(128, |pop| pop.ipv6_prefix_bits);
        let mut evidence = rng.some(12, |rng| evidence(rng, bits));
        evidence.dedup_by(|one, other| one.addr() == other.addr() && one.subject() == other.subject());
        Self {
            own: policy(spec),
            asked: policy(asked),
            doors: doors(rng),
            accounts,
            devices: rng.some(3, device),
            evidence,
            distrusted: rng.some(2, |rng| address(rng).to_canonical()),
            banned: rng.some(3, |rng| guard::cut_ipv6(address(rng), 64)),
        }
    }

    pub(crate) fn set(&self) -> Set {
        Set::new(&Given {
            own: &self.own.relay,
            asked: &self.asked.relay,
            doors: &self.doors,
            accounts: &self.accounts,
            devices: &self.devices,
            evidence: &self.evidence,
            distrusted: &self.distrusted,
            banned: &self.banned,
            now: now(),
        })
    }

    pub(crate) fn is_distrusted(&self, client: &Client) -> bool {
        client.ip.is_some_and(|ip| self.distrusted.contains(&ip.to_canonical()))
    }

    /// Whom the directory knows by a login that may log in from there.
    fn logged_in(&self, client: &Client) -> Option<Login> {
        let login = client.login.as_deref()?;
        let is_over = |at: Option<u64>| at.is_some_and(|at| at <= NOW_SECS);
        let may = |account: &str| {
            let account = self.accounts.iter().find(|it| it.login == account)?;
            (!account.locked && !is_over(account.expires_at)).then_some(())
        };
        if let Some(device) = self.devices.iter().find(|device| device.login == login && device.revoked_at.is_none()) {
            let DeviceLimits { networks, expires_at, recipients, messages_per_hour } = &device.limits;
            let ip = client.ip.map_or(IpAddr::from([0, 0, 0, 0]), |ip| ip.to_canonical());
            let is_within = networks.is_empty() || networks.iter().any(|net| net.contains(&ip));
            may(&device.account)?;
            if !is_within || is_over(*expires_at) {
                return None;
            }
            let bounds = guard::Device {
                name: device.name.clone(),
                login: device.login.clone(),
                reverse_path: None,
                scope: match recipients {
                    RecipientScope::OwnDomains => guard::RecipientScope::HostedOnly,
                    RecipientScope::Anywhere => guard::RecipientScope::Anyone,
                },
                messages_per_hour: *messages_per_hour,
            };
            return Some(Login::attest_authenticated(device.account.as_str().into(), Some(Arc::new(bounds))));
        }
        may(login)?;
        Some(Login::attest_authenticated(login.into(), None))
    }

    /// Whether the session has a login, or one is told of it.
    pub(crate) fn claims_login(&self, client: &Client) -> bool {
        match self.doors[client.door].login {
            LoginOffer::Never => false,
            LoginOffer::Told => client.login.is_some(),
            LoginOffer::Offered | LoginOffer::Required => self.logged_in(client).is_some(),
        }
    }

    /// What stands before the judge: peers, the demand of a login, bans.
    pub(crate) fn turned_away(&self, client: &Client) -> Option<&'static str> {
        let door = &self.doors[client.door];
        if let Some(reach) = &door.reach
            && !client.ip.is_some_and(|ip| reach.contains(ip))
        {
            return Some("no peer");
        }
        if door.login == LoginOffer::Required && !self.claims_login(client) {
            return Some("log in first");
        }
        let (relay, ip) = (&self.own.relay, client.ip.filter(|ip| !ip.is_unspecified())?.to_canonical());
        if matches!(door.way, Way::LookedUp(_)) || self.claims_login(client) {
            return None;
        }
        let key = relay.pop_key(ip);
        let known = self.evidence.iter().any(|one| one.addr() == key && one.is_alive(now()));
        // Without POP before SMTP no evidence is kept.
        let known = known && relay.pop_enabled();
        let never = relay.is_listed_client(ip) || relay.never().is_gateway(ip);
        let banned = self.banned.contains(&guard::cut_ipv6(ip, 64));
        (banned && !known && !never).then_some("banned")
    }

    /// What whoever gathers a fact would say.
    pub(crate) fn value(&self, need: &Need, client: &Client) -> Value {
        match need.fact {
            FactName::Login => Value::Login(self.logged_in(client)),
            FactName::Hosting => Value::Hosting(client.hosting),
            FactName::Choice => Value::Choice(Choice::None),
            FactName::Owners => Value::Owners(client.owners.clone()),
            FactName::SenderHosted => Value::SenderHosted(client.sender_hosted),
            FactName::ClientName => Value::ClientName(client.name.clone().map(ConfirmedName::attest_forward_confirmed)),
            FactName::PopEvidence => {
                let at = |one: &&PopEvidence| matches!(need.of, Of::Address(key) if key == one.addr());
                Value::PopEvidence(self.evidence.iter().filter(at).cloned().collect())
            }
            FactName::HopAnswer => Value::HopAnswer(HopAnswer::Fine),
            FactName::Entries => Value::Entries(client.entries()),
            other => panic!("nobody should need {other:?}"),
        }
    }
}

fn line(number: u32) -> ConfigLine {
    ConfigLine::new("t.toml", number)
}

/// Entries that may stand in a policy: what would relay for strangers is left out.
fn entries(rng: &mut Rng, first: u32, most: usize, text: impl FnMut(&mut Rng) -> String) -> Vec<Entry> {
    let texts = rng.some(most, text);
    let entries = (first..).zip(texts).map(|(number, text)| Entry { text, line: line(number) });
    entries.collect()
}

fn spec(rng: &mut Rng) -> RelayPolicySpec {
    let here = Here { gateways: rng.some(2, address), own: rng.some(2, address) };
    let loopback = rng.pick(&[Loopback::Refused, Loopback::Granted]);
    let never = NeverGranted::of(loopback, &here).with_listed(rng.some(2, address)).with_proxies(rng.some(2, network));
    let networks = entries(rng, 10, 6, |rng| network(rng).to_string());
    let client_map = entries(rng, 100, 6, |rng| match rng.below(3) {
        0 => rng
            .pick(&["mail.example.net", ".example.net", ".b.example.net", "x.example", ".partner.example"])
            .to_owned(),
        _ => network(rng).to_string(),
    });
    let relay_domains = entries(rng, 200, 2, |rng| rng.pick(&["relay.example", ".relay.example"]).to_owned());
    let mut spec = RelayPolicySpec {
        relay_domains,
        pop: (!rng.one_in(4)).then(|| pop(rng)),
        default_domain: Domain::parse("own.example").ok(),
        never,
        ..RelayPolicySpec::default()
    };
    let loads = |networks: &Entry, map: bool| {
        let mut alone = RelayPolicySpec { never: spec.never.clone(), ..RelayPolicySpec::default() };
        if map {
            alone.client_map.push(networks.clone());
        } else {
            alone.networks.push(networks.clone());
        }
        RelayPolicy::new(alone).is_ok()
    };
    let networks = networks.into_iter().filter(|entry| loads(entry, false)).collect();
    let client_map = client_map.into_iter().filter(|entry| loads(entry, true)).collect();
    (spec.networks, spec.client_map) = (networks, client_map);
    spec
}

fn pop(rng: &mut Rng) -> PopSpec {
    let listed = vec![
        SenderPattern::Domain(Domain::parse("far.example").unwrap()),
        SenderPattern::Mailbox(ReversePath::parse("<zoe@elsewhere.example>").unwrap().mailbox().unwrap().clone()),
    ];
    let drac_senders = rng.pick(&[DracSenders::Hosted, DracSenders::Any, DracSenders::Listed(listed)]);
    PopSpec { ipv6_prefix_bits: rng.pick(&[128, 64, 64, 80]), drac_senders, line: line(400) }
}

fn rules() -> Rules {
    let rule = Rule {
        part: None,
        condition: Condition::Entry(MapId(0)),
        effect: Effect::AsWritten,
        mode: Mode::Enforce,
        line: line(500),
    };
    Rules { list: vec![rule], ask_client_name: false }
}

fn account(login: &str, rng: &mut Rng) -> Account {
    Account {
        name: String::new(),
        login: login.to_owned(),
        maildir: login.to_owned(),
        quota_octets: None,
        passwords: PasswordKind::Any,
        locked: login.starts_with("locked") || rng.one_in(10),
        expires_at: rng.one_in(3).then(|| NOW_SECS - 1 + rng.next() % 3),
        created_at: 0,
        scheme: None,
        scram: false,
        devices: 0,
    }
}

fn device(rng: &mut Rng) -> Device {
    let (account, name) = (rng.pick(&ACCOUNTS[..3]), rng.pick(&["scanner", "plc"]));
    let (user, domain) = account.split_once('@').unwrap();
    Device {
        account: account.to_owned(),
        name: name.to_owned(),
        login: format!("{user}-{name}@{domain}"),
        limits: DeviceLimits {
            networks: rng.some(2, network),
            messages_per_hour: rng.pick(&[None, Some(5)]),
            recipients: rng.pick(&[RecipientScope::OwnDomains, RecipientScope::Anywhere]),
            expires_at: rng.one_in(3).then(|| NOW_SECS - 1 + rng.next() % 3),
        },
        revoked_at: rng.one_in(4).then_some(1),
        created_at: 0,
    }
}

fn evidence(rng: &mut Rng, bits: u8) -> PopEvidence {
    let bits = if rng.one_in(6) { 128 } else { bits };
    let addr = guard::cut_ipv6(address(rng), bits);
    let granted = now() - Duration::from_mins(1) + Duration::from_mins(rng.pick(&[0, 0, 0, 0, 9]));
    let expires = now() - Duration::from_secs(1) + Duration::from_secs(rng.pick(&[0, 1, 2, 900, 900, 900]));
    if rng.one_in(4) {
        return PopEvidence::attest_drac_grant([127, 0, 0, 1].into(), addr, granted, expires);
    }
    let login = rng.pick(&["alice@own.example", "bob@own.example", "zoe@elsewhere.example", "yves@far.example"]);
    let source = rng.pick(&[PopSource::Pop3, PopSource::Operator, PopSource::AuthPolicy, PopSource::Log]);
    PopEvidence::attest_pop_login(login.to_owned(), addr, granted, expires).told_by(source, false)
}

fn doors(rng: &mut Rng) -> Vec<Door> {
    let ways = [Way::Own, Way::Own, Way::Asked, Way::LookedUp(RelayMode::Permit), Way::LookedUp(RelayMode::Restrict)];
    let mut ways = ways.to_vec();
    ways.extend([Way::Restricts, Way::NoMail]);
    let door = |way: Way| Door {
        name: format!("{way:?}"),
        protocol: Protocol::Smtp,
        at: Vec::new(),
        way,
        login: match way {
            Way::Own => rng.pick(&[LoginOffer::Never, LoginOffer::Offered, LoginOffer::Offered, LoginOffer::Required]),
            Way::Asked | Way::Restricts => LoginOffer::Told,
            Way::LookedUp(_) | Way::NoMail => LoginOffer::Never,
        },
        reach: (way == Way::Own && rng.one_in(4)).then(|| rng.some(4, network).into_iter().collect::<Addresses>()),
        has_lists: false,
    };
    ways.into_iter().map(door).collect()
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) door: usize,
    pub(crate) depth: Depth,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) name: Option<Domain>,
    pub(crate) login: Option<String>,
    pub(crate) reverse_path: ReversePath,
    pub(crate) owners: Vec<String>,
    pub(crate) sender_hosted: bool,
    pub(crate) forward_path: ForwardPath,
    pub(crate) hosting: Hosting,
    pub(crate) fault: Option<(FactName, Fault)>,
    pub(crate) refused_by_map: bool,
}

impl Client {
    pub(crate) fn random(world: &World, rng: &mut Rng) -> Self {
        let sender = rng.pick(&[
            "",
            "alice@own.example",
            "bob@own.example",
            "Info@own.example",
            "zoe@elsewhere.example",
            "yves@far.example",
        ]);
        let owners = match sender {
            "alice@own.example" => vec![ACCOUNTS[0], ACCOUNTS[2], ACCOUNTS[3]],
            "bob@own.example" => vec![ACCOUNTS[1]],
            "Info@own.example" => ACCOUNTS.to_vec(),
            _ => Vec::new(),
        };
        let domain = rng.pick(&DOMAINS);
        let logins = world.devices.iter().map(|device| device.login.clone());
        let logins: Vec<String> =
            logins.chain(ACCOUNTS.map(str::to_owned)).chain(["nobody@own.example".to_owned()]).collect();
        let faults =
            [FactName::Login, FactName::Owners, FactName::SenderHosted, FactName::ClientName, FactName::PopEvidence];
        Self {
            door: rng.below(world.doors.len()),
            depth: rng.pick(&[Depth::Granting, Depth::Offering, Depth::Relaying]),
            ip: (!rng.one_in(40)).then(|| Self::address(world, rng)),
            name: rng.one_in(2).then(|| Domain::parse(rng.pick(&NAMES)).unwrap()),
            login: rng.one_in(3).then(|| rng.pick(&logins)),
            reverse_path: ReversePath::parse(&format!("<{sender}>")).unwrap(),
            owners: owners.into_iter().map(str::to_owned).collect(),
            sender_hosted: sender.ends_with("@own.example"),
            forward_path: ForwardPath::parse(&format!("<user@{domain}>")).unwrap().path,
            hosting: match domain {
                "own.example" => Hosting::Mailbox,
                "off.example" => Hosting::DomainOff,
                "relay.example" => rng.pick(&[Hosting::RelayDomain, Hosting::NotHosted]),
                _ => Hosting::NotHosted,
            },
            fault: rng.one_in(10).then(|| (rng.pick(&faults), Fault::Unavailable("test"))),
            refused_by_map: !world.own.rules.list.is_empty() && rng.one_in(3),
        }
    }

    /// One that something is known of, or nearly; or any.
    fn address(world: &World, rng: &mut Rng) -> IpAddr {
        let relay = &world.own.relay;
        let mut known: Vec<IpAddr> = relay.relaying_networks().map(|(net, _)| net.addr()).collect();
        known.extend(relay.never().singles());
        known.extend(world.evidence.iter().map(PopEvidence::addr));
        known.extend(&world.distrusted);
        if known.is_empty() || rng.one_in(3) {
            return address(rng);
        }
        let near = u128::from(rng.next() & 3);
        let ip = match rng.pick(&known) {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4) ^ u32::try_from(near).unwrap())),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) ^ near << rng.pick(&[0, 0, 48]))),
        };
        // The forms in which an IPv6 address carries it.
        let IpAddr::V4(v4) = ip else { return ip };
        let number = u128::from(u32::from(v4));
        match rng.below(12) {
            0 => IpAddr::V6(v4.to_ipv6_mapped()),
            1 => IpAddr::V6(Ipv6Addr::from(0x0064_ff9b_u128 << 96 | number)),
            2 => IpAddr::V6(Ipv6Addr::from(0x2002_u128 << 112 | number << 80 | near)),
            3 => IpAddr::V6(Ipv6Addr::from(0x2001_0000_4136_e378_8000_63bf_u128 << 32 | u128::from(!u32::from(v4)))),
            _ => ip,
        }
    }

    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked {
            client: self.ip,
            name: self.name.as_ref(),
            login: self.login.as_deref(),
            reverse_path: &self.reverse_path,
            owners: &self.owners,
            sender_hosted: self.sender_hosted,
            forward_path: &self.forward_path,
            hosting: self.hosting,
        }
    }

    fn entries(&self) -> Vec<rule::Entry> {
        let action = if self.refused_by_map { Action::Deny(Reason::AccessDenied) } else { Action::Ok };
        vec![rule::Entry { part: Part::Client, map: MapId(0), action, line: line(600) }]
    }
}
