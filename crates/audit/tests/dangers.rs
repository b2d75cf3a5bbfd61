//! Each finding comes where it belongs, with its line, in both languages; and a sound configuration has none that is a danger.
#![expect(clippy::format_collect, reason = "short, and not on the way of a mail")]
#![expect(clippy::too_many_arguments, reason = "each is a thing of its own, and there is one caller")]
#![expect(clippy::unnecessary_wraps, reason = "goes where some have none")]
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use audit::danger::{self, Lines, ListedAddress, OwnDomain, Published, Seen, Told};
use audit::report::Of;
use audit::rows::Watched;
use audit::{Door, Finding, Given, Level, Report, Set, show};
use config::{MapEntries, Settings};
use directory::{Account, Device, DeviceLimits, PasswordKind, RecipientScope};
use guard::PopEvidence;
use guard::never_granted::Here;
use judge::uses::{LastUse, Noted, RightKey};
use keep::Language;

const DAY: u64 = 24 * 3_600;
const NOW: u64 = 1_790_000_000;
const HEAD: &str = "hostname = \"mail.example.test\"\ndata_dir = \"data\"\n";
/// Line 4 to 7.
const MX: &str = "[[listener]]\nname = \"mx\"\nprotocol = \"smtp\"\nbind = [\"0.0.0.0:25\"]\n";

/// What a configuration meets.
#[derive(Default)]
struct World {
    accounts: Vec<Account>,
    devices: Vec<Device>,
    evidence: Vec<PopEvidence>,
    collapsed: Vec<IpAddr>,
    domains: Vec<OwnDomain>,
    listed: Vec<ListedAddress>,
    here: Here,
    noted: Option<Noted>,
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn settings(text: &str) -> Settings {
    let text = config::Text { name: "t.toml", text, base_dir: std::path::Path::new("/nowhere") };
    config::parse(&text, &[]).unwrap_or_else(|report| panic!("{report}")).settings
}

fn report(text: &str, world: &World) -> Report {
    let text = format!("{HEAD}\n{text}");
    let settings = settings(&text);
    let own = settings.relay_policy(&MapEntries::default(), &world.here).unwrap();
    let asked = settings.beside_policy(&MapEntries::default(), &world.here).unwrap();
    let doors: Vec<Door> = settings.listeners.iter().map(Door::new).collect();
    let set = Set::new(&Given {
        own: &own,
        asked: &asked,
        doors: &doors,
        accounts: &world.accounts,
        devices: &world.devices,
        evidence: &world.evidence,
        distrusted: &[],
        banned: &[],
        now: now(),
    });
    let lines = Lines::new("t.toml", text);
    let seen = Seen {
        settings: &settings,
        lines: &lines,
        set: &set,
        here: &world.here,
        collapsed: &world.collapsed,
        domains: &world.domains,
        listed: &world.listed,
    };
    Report::new(Of::Running, &seen, Watched { noted: world.noted.as_ref() }, Vec::new())
}

fn account(login: &str) -> Account {
    Account {
        name: String::new(),
        login: login.to_owned(),
        maildir: String::new(),
        quota_octets: None,
        passwords: PasswordKind::Any,
        locked: false,
        expires_at: None,
        created_at: 0,
        scheme: None,
        scram: false,
        devices: 0,
    }
}

fn device(limits: DeviceLimits) -> Device {
    Device {
        account: "alice@example.test".to_owned(),
        name: "scanner".to_owned(),
        login: "alice-scanner@example.test".to_owned(),
        limits,
        revoked_at: None,
        created_at: 0,
    }
}

/// A passport with all that one ought to have.
fn bounded() -> DeviceLimits {
    DeviceLimits {
        networks: vec!["192.0.2.7/32".parse().unwrap()],
        messages_per_hour: Some(10),
        recipients: RecipientScope::OwnDomains,
        expires_at: Some(NOW + DAY),
    }
}

fn with_device(limits: DeviceLimits) -> World {
    World { accounts: vec![account("alice@example.test")], devices: vec![device(limits)], ..World::default() }
}

fn domain(published: Option<Published>) -> World {
    let domain = "example.test".to_owned();
    let own = OwnDomain { domain, postmaster: Some(true), abuse: Some(true), published };
    World { domains: vec![own], ..World::default() }
}

fn publishes(spf: Told, dmarc: Told, mta_sts: Told) -> World {
    domain(Some(Published { spf, dmarc, mta_sts }))
}

fn record(text: &str) -> Told {
    Told::Record(text.to_owned())
}

fn used(since_days: u64, last: &[(&str, &str, u64)]) -> Option<Noted> {
    let last = last.iter().map(|(code, what, days)| {
        let at_secs = NOW - days * DAY;
        (RightKey::new(code, *what).unwrap(), LastUse { at_secs, from: None })
    });
    Some(Noted { since_secs: NOW - since_days * DAY, last: last.collect::<HashMap<_, _>>() })
}

fn network(text: &str) -> String {
    format!("{MX}[relay]\nnetworks = [\"{text}\"]\n")
}

fn listener(protocol: &str, bind: &str, more: &str) -> String {
    format!("[[listener]]\nname = \"l\"\nprotocol = \"{protocol}\"\nbind = [\"{bind}\"]\n{more}\n")
}

fn evidence(login: &str) -> PopEvidence {
    let until = now() + Duration::from_mins(30);
    PopEvidence::attest_pop_login(login.to_owned(), [192, 0, 2, 9].into(), now(), until)
        .told_by(guard::PopSource::Pop3, true)
}

struct Case {
    code: &'static str,
    level: Level,
    /// 0: it is no line of a file.
    line: u32,
    part: &'static str,
    text: String,
    world: World,
}

fn case(code: &'static str, level: Level, line: u32, part: &'static str, text: String) -> Case {
    Case { code, level, line, part, text, world: World::default() }
}

impl Case {
    fn with(self, world: World) -> Self {
        Self { world, ..self }
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    use Level::{Danger, Note, Warning};
    let bridge = |gateways: &[&str], own: &[&str]| {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        World { here: Here { gateways: read(gateways), own: read(own) }, ..World::default() }
    };
    let collapsed = || World { collapsed: vec![[192, 0, 2, 1].into()], ..World::default() };
    let mode = |mode: &str| format!("{}identity_collapse = \"{mode}\"\n", network("192.0.2.0/28"));
    let pop = |more: &str| format!("{MX}[relay.pop]\nenabled = true\n{more}");
    let people = |postmaster, abuse| {
        let domain = "example.test".to_owned();
        World { domains: vec![OwnDomain { domain, postmaster, abuse, published: None }], ..World::default() }
    };
    let listed = |lists: &[&str], unknown: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let one = ListedAddress { address: [192, 0, 2, 1].into(), lists: names(lists), unknown: names(unknown) };
        World { listed: vec![one], ..World::default() }
    };
    let none = || Told::None;
    let good = || record("v=spf1 mx -all");
    vec![
        case("plain-text-auth", Danger, 5, "without TLS", listener("pop3", "0.0.0.0:110", "auth = \"always\"")),
        case("no-tls", Warning, 5, "comes in the clear", MX.to_owned()),
        case("no-tls", Warning, 5, "hardly a program", listener("submission", "0.0.0.0:587", "")),
        case("logins-at-25", Note, 5, "guesses come there", listener("smtp", "0.0.0.0:25", "auth = \"always\"")),
        case("interface-local", Warning, 5, "every user and program", listener("policy", "127.0.0.1:10031", "")),
        case(
            "interface-far",
            Warning,
            5,
            "believes what",
            listener("policy", "192.0.2.1:1", "peers = [\"192.0.2.2\"]"),
        ),
        case("interface-restricts", Note, 5, "only takes away", listener("policy", "unix:p", "")),
        case("milter-domains", Note, 5, "only hands on", listener("milter", "unix:p", "relay = \"permit\"")),
        case(
            "interface-open-socket",
            Warning,
            5,
            "everybody on",
            listener("policy", "unix:p", "socket_mode = \"0666\""),
        ),
        case("no-way-in", Warning, 5, "no way in", MX.to_owned()).with(with_device(bounded())),
        case("legacy-mechanism", Note, 1, "CRAM-MD5", listener("submission", "0.0.0.0:587", ""))
            .with(with_device(bounded())),
        case("legacy-mechanism", Note, 1, "APOP", listener("pop3", "0.0.0.0:110", "")).with(with_device(bounded())),
        case("network", Note, 9, "every host of 192.0.2.0/28", network("192.0.2.0/28")),
        case("public-range", Warning, 9, "16 addresses", network("192.0.2.0/28")),
        case("wide-range", Warning, 9, "16777216 addresses", network("10.0.0.0/8")),
        case("wide-range", Warning, 9, "2^80", network("2001:db8::/48")),
        case("gateway-in-range", Note, 9, "192.0.2.1", network("192.0.2.0/28")).with(bridge(&["192.0.2.1"], &[])),
        case("container-gateway", Warning, 9, "Docker", network("172.17.0.0/24")),
        case("container-gateway", Danger, 9, "Docker", network("172.17.0.1")),
        case("container-gateway", Danger, 9, "Docker", network("172.17.0.0/24")).with(bridge(&[], &["172.17.0.1"])),
        case("own-address", Warning, 9, "192.0.2.5", network("192.0.2.0/28")).with(bridge(&[], &["192.0.2.5"])),
        case("own-address", Warning, 9, "127.0.0.1", network("127.0.0.1")),
        case("wide-name", Warning, 8, ".example.net", format!("{MX}[[relay.clients]]\nname = \".example.net\"\n")),
        case("collapsed", Danger, 9, "and it still relays", mode("observe")).with(collapsed()),
        case("collapsed", Warning, 9, "taken away", mode("enforce")).with(collapsed()),
        case("collapse-off", Warning, 10, "nobody looks", mode("off")),
        case("pop-before-smtp", Note, 9, "a POP login", pop("")),
        case("shared-grant", Note, 0, "192.0.2.9", pop("")).with(World {
            evidence: vec![evidence("alice@example.test"), evidence("bob@example.test")],
            ..World::default()
        }),
        case("drac-any-sender", Warning, 11, "any sender", pop("[relay.drac]\nsenders = \"any\"\n")),
        case("drac-udp", Warning, 9, "forges", format!("{MX}[relay.drac]\nudp_from_others = true\n")),
        case("drac-loopback", Warning, 9, "127.0.0.1", format!("{MX}[relay.drac]\nloopback = true\n")),
        case("export", Warning, 9, "fail closed", format!("{MX}[relay]\nexport = \"hash:relay\"\n")),
        case("sink", Warning, 9, "not sent", format!("{MX}[delivery]\nremote = \"sink\"\n")),
        case(
            "smarthost-tls",
            Note,
            11,
            "relay.example.net",
            format!(
                "{MX}[delivery]\nremote = \"smarthost\"\n[delivery.smarthost]\nhost = \"relay.example.net\"\ntls = \"off\"\n"
            ),
        ),
        case("readable-secret", Warning, 9, "directory.key", format!("{MX}[directory]\npermissions = \"any\"\n")),
        case("admin-group", Note, 9, "a group", format!("{MX}[admin]\nmode = \"0660\"\n")),
        case(
            "access-observed",
            Note,
            9,
            "refuses nobody",
            format!("{MX}[[access]]\nmap = \"cidr:x\"\nat = \"client\"\nmode = \"observe\"\n"),
        ),
        case("expired", Warning, 0, "passport", MX.to_owned())
            .with(with_device(DeviceLimits { expires_at: Some(NOW), ..bounded() })),
        case("no-rate", Note, 0, "any number", MX.to_owned())
            .with(with_device(DeviceLimits { messages_per_hour: None, ..bounded() })),
        case("no-rate", Warning, 0, "any number", MX.to_owned()).with(with_device(DeviceLimits {
            messages_per_hour: None,
            recipients: RecipientScope::Anywhere,
            ..bounded()
        })),
        case("no-networks", Note, 0, "from anywhere", MX.to_owned())
            .with(with_device(DeviceLimits { networks: Vec::new(), ..bounded() })),
        case("no-expiry", Note, 0, "never expires", MX.to_owned())
            .with(with_device(DeviceLimits { expires_at: None, ..bounded() })),
        case("no-postmaster", Warning, 0, "postmaster@example.test", MX.to_owned()).with(people(Some(false), None)),
        case("no-abuse", Note, 0, "abuse@example.test", MX.to_owned()).with(people(None, Some(false))),
        case("no-spf", Warning, 0, "no SPF", MX.to_owned()).with(publishes(none(), good(), good())),
        case("no-spf", Warning, 0, "several SPF", MX.to_owned()).with(publishes(Told::Several, good(), good())),
        case("spf-all", Danger, 0, "+all", MX.to_owned()).with(publishes(record("v=spf1 +all"), good(), good())),
        case("no-dmarc", Warning, 0, "no DMARC", MX.to_owned()).with(publishes(good(), none(), good())),
        case("no-dmarc", Warning, 0, "does not count: no policy", MX.to_owned()).with(publishes(
            good(),
            Told::Wrong("no policy".to_owned()),
            good(),
        )),
        case("no-mta-sts", Note, 0, "no MTA-STS", MX.to_owned()).with(publishes(good(), good(), none())),
        case("not-found-out", Note, 0, "timed out", MX.to_owned()).with(publishes(
            Told::Unknown("timed out".to_owned()),
            good(),
            good(),
        )),
        case("listed", Danger, 9, "bad.example", network("192.0.2.0/28")).with(listed(&["bad.example"], &[])),
        case("not-found-out", Note, 9, "dead.example", network("192.0.2.0/28")).with(listed(&[], &["dead.example"])),
        case("unused", Warning, 9, "192.0.2.0/28", network("192.0.2.0/28"))
            .with(World { noted: used(200, &[("network", "192.0.2.0/28", 91)]), ..World::default() }),
        case("unused", Note, 0, "alice@example.test", MX.to_owned())
            .with(World { noted: used(91, &[("device", "alice@example.test scanner", 1)]), ..with_device(bounded()) }),
    ]
}

fn shown(findings: &[Finding]) -> String {
    findings.iter().map(|it| format!("{it:?}\n")).collect()
}

#[test]
fn each_danger_is_found_at_its_line() {
    let mut missing = Vec::new();
    for Case { code, level, line, part, text, world } in cases() {
        let report = report(&text, &world);
        let at = |it: &Finding| it.at.as_ref().map_or(0, |at| at.line) == line;
        let is = |it: &&Finding| it.code == code && it.level == level && at(it) && it.what.en.contains(part);
        if !report.findings.iter().any(|it| is(&it)) {
            missing.push(format!("{code} {part}\n{text}\n{}", shown(&report.findings)));
        }
        for found in &report.findings {
            let texts = [&found.what.en, &found.what.ja, &found.todo.en, &found.todo.ja];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.contains("{}")), "{found:?}");
            assert!(!found.what.ja.is_ascii(), "{found:?}");
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Whoever adds a finding adds its case: the code of each stands where it is made, or in the row of a table that is made from.
#[test]
fn every_finding_has_its_case() {
    let tried: BTreeSet<String> = cases().iter().map(|case| case.code.to_owned()).collect();
    let mut codes = BTreeSet::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/danger")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for call in text.split("Finding::new(").skip(1) {
            let code = call.split(',').nth(1).unwrap().trim();
            match code.strip_prefix('"').and_then(|code| code.strip_suffix('"')) {
                Some(code) => codes.extend([code.to_owned()]),
                None => assert_eq!(code, "row.code", "{}: the code of a finding is written out", path.display()),
            }
        }
        for row in text.split("code: ").skip(1).filter(|row| !row.starts_with(['&', 'S', 'c'])) {
            let code = row.strip_prefix('"').and_then(|row| row.split('"').next());
            codes.extend([code.unwrap_or_else(|| panic!("{}: code: {row:.30}", path.display())).to_owned()]);
        }
    }
    let (missing, gone): (Vec<_>, Vec<_>) = (codes.difference(&tried).collect(), tried.difference(&codes).collect());
    assert!(codes.len() > 30 && missing.is_empty(), "without a case: {missing:?} of {codes:?}");
    assert!(gone.is_empty(), "cases of no finding: {gone:?}");
}

#[test]
fn what_is_sound_has_no_finding() {
    let noted = used(89, &[]);
    let world = World { noted, ..with_device(bounded()) };
    let world = World {
        domains: domain(Some(Published {
            spf: record("v=spf1 mx -all"),
            dmarc: record("v=DMARC1"),
            mta_sts: record("v=STSv1"),
        }))
        .domains,
        ..world
    };
    let text = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n[auth]\nmechanisms = [\"PLAIN\"]\napop = false\n[relay.pop]\nenabled = false\n";
    let text = format!("{text}{}{MX}", listener("submissions", "0.0.0.0:465", ""));
    let report = report(&text, &world);
    assert!(report.findings.is_empty(), "{}", shown(&report.findings));
    assert_eq!(report.as_bad_as(Level::Note), 0);
}

#[test]
fn the_report_reads_well_in_both_languages() {
    let world = World {
        evidence: vec![evidence("alice@example.test"), evidence("bob@example.test")],
        noted: used(100, &[("network", "192.0.2.0/28", 2)]),
        ..with_device(bounded())
    };
    let text = format!("{}[relay.pop]\nenabled = true\n", network("192.0.2.0/28"));
    let report = report(&text, &world);
    let again: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(again, report);
    let when = |secs: u64| format!("day {}", secs / DAY);
    let english = show::text(&report, Language::English, &when);
    let japanese = show::text(&report, Language::Japanese, &when);
    println!("{english}\n{japanese}");
    for part in
        ["192.0.2.0/28", "t.toml:9", "last used day", "4,294,967,280 IPv4", "alice-scanner@example.test", "warning(s)"]
    {
        assert!(english.contains(part), "{part}\n{english}");
    }
    for part in ["中継できる者", "最後の使用", "4,294,967,280 個", "警告"] {
        assert!(japanese.contains(part), "{part}\n{japanese}");
    }
    assert!(english.lines().all(|line| line.len() <= 80 || line.contains('→')), "{english}");
    assert!(!danger::is_unused(&report.rows.networks[0].used, NOW));
}
