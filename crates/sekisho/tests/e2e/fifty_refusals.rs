//! Fifty refusals of different kinds, made by real clients: `sekisho explain` of the id in the reply names the rule or line that
//! decided, and each of its "would be accepted if" is done for real, holds while it is done, and no longer when it is undone.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::dns::{NameServer, Otherwise};
use crate::refusals::{BOB, CAROL, Door, ELSEWHERE, Mail, World, zone};
use crate::support::Demo;

/// A refusal that is expected.
struct Case {
    mail: Mail,
    reason: &'static str,
    /// What of the rules or of the configuration is named.
    by: &'static str,
}

const GOOD: Mail = Mail {
    door: Door::Smtp,
    client: "192.0.2.10",
    helo: "good.host.example",
    login: None,
    from: "x@alive.example",
    to: BOB,
    octets: None,
};

const fn of(client: &'static str) -> Mail {
    Mail { client, ..GOOD }
}

const fn greeting(helo: &'static str) -> Mail {
    Mail { helo, ..GOOD }
}

const fn from(from: &'static str) -> Mail {
    Mail { from, ..GOOD }
}

const fn to(to: &'static str) -> Mail {
    Mail { to, ..GOOD }
}

const fn case(reason: &'static str, by: &'static str, mail: Mail) -> Case {
    Case { mail, reason, by }
}

/// Entries of access maps, each another line and another way to refuse.
fn of_maps() -> Vec<Case> {
    vec![
        case("access-denied", "/clients.cidr:1", of("198.51.100.2")),
        case("access-deferred", "/clients.cidr:2", of("198.51.100.70")),
        case("access-denied", "/clients.cidr:3", of("198.51.100.5")),
        case("access-denied", "/helo:1", greeting("pc.helo.example")),
        case("access-deferred", "/helo:2", greeting("slow.greeting.example")),
        case("access-denied", "/senders:1", from("a@sub.bad.example")),
        case("access-denied", "/senders:2", from("user@half.example")),
        case("access-deferred", "/senders:3", from("a@slow.example")),
        case("access-denied", "/senders:4", from("spammer@alive.example")),
        case("access-denied", "/recipients.pcre:1", to("closed@example.test")),
        case("access-deferred", "/recipients.pcre:2", to("quiet@example.test")),
        case("access-denied", "/recipients:1", to("private@example.test")),
        case("access-denied", "/sendmail:1", of("198.51.100.3")),
        case("access-denied", "/sendmail:2", from("spam@enemy.example")),
        case("access-deferred", "/sendmail:3", to("moving@example.test")),
        case("access-denied", "/deny:1", from("user@domainname.example")),
        case("access-denied", "/deny:2", from("x@mail.domainname.example")),
        case("access-denied", "/deny:3", of("203.0.113.9")),
        case("access-denied", "/senders:1", Mail { door: Door::Policy, ..from("a@bad.example") }),
        case("access-deferred", "/clients.cidr:2", Mail { door: Door::Milter, ..of("198.51.100.71") }),
    ]
}

/// Rules about strangers, in their order.
fn of_rules() -> Vec<Case> {
    let open = from("x@open.example");
    vec![
        case("helo-refused", "by-helo-ours", greeting("mail.example.test")),
        case("helo-refused", "by-helo-invalid", greeting("localhost")),
        case("suspicious", "by-no-name", of("192.0.2.11")),
        case("suspicious", "by-name-unconfirmed", of("192.0.2.12")),
        case("suspicious", "by-dynamic-name", Mail { client: "192.0.2.13", ..greeting("ip-192-0-2-13.dsl.example") }),
        case("suspicious", "by-sender-domain-dead", from("x@nowhere.example")),
        case("suspicious", "by-spf-fail", from("x@closed.example")),
        case("suspicious", "by-spf-softfail", from("x@doubtful.example")),
        case("suspicious", "by-null-sender", from("")),
        case("listed", "by-listed", Mail { client: "192.0.2.14", ..greeting("listed.host.example") }),
        case("helo-refused", "by-helo-mismatch", greeting("mail.elsewhere.example")),
        case("suspicious", "by-permerror", from("x@broken.example")),
        case("suspicious", "too-much", Mail { client: "192.0.2.15", ..greeting("heavy.host.example") }),
        case("greylisted", "by-neutral", from("x@neutral.example")),
        case("suspicious", "by-plain-text", Mail { door: Door::Policy, ..open }),
        case("suspicious", "by-plain-text", Mail { door: Door::Milter, ..open }),
        case("suspicious", "by-spf-fail", Mail { door: Door::Policy, ..from("x@closed.example") }),
        case("helo-refused", "by-helo-invalid", Mail { door: Door::Milter, ..greeting("localhost") }),
    ]
}

/// Rights, and what there is of recipients.
fn of_mail() -> Vec<Case> {
    let alice = |from| Mail { login: Some("alice"), from, ..to(ELSEWHERE) };
    let own = Mail { from: "alice@example.test", ..to(ELSEWHERE) };
    let granted = |from| Mail { client: "192.0.2.21", from, ..to(ELSEWHERE) };
    let policy = |mail| Mail { door: Door::Policy, ..mail };
    let milter = |mail| Mail { door: Door::Milter, ..mail };
    vec![
        case("relay-denied", "relay.networks", to(ELSEWHERE)),
        case("relay-denied", "relay.networks", own),
        case("relay-denied", "relay.networks", Mail { from: "", ..to(ELSEWHERE) }),
        case("relay-denied", "relay.networks", to("@bob.example:friend@elsewhere.example")),
        case("relay-denied", "relay.networks", to("friend@[192.0.2.99]")),
        case("relay-denied", "relay.networks", to("bob@sub.example.test")),
        case("relay-denied", "relay.networks", policy(to(ELSEWHERE))),
        case("relay-denied", "relay.networks", milter(own)),
        case("routing-refused", "routing", to("friend%elsewhere.example@example.test")),
        case("routing-refused", "routing", to("elsewhere.example!friend@example.test")),
        case("unknown-user", "hosting", to("nobody@example.test")),
        case("unknown-user", "hosting", policy(to("nobody@example.test"))),
        case("unknown-user", "hosting", milter(to("nobody@example.test"))),
        case("sender-not-yours", "sekisho alias", alice(BOB)),
        case("sender-not-yours", "sekisho alias", alice("unowned@example.test")),
        case("sender-not-yours", "sekisho alias", alice("x@alive.example")),
        case("sender-not-yours", "sekisho alias", policy(alice(BOB))),
        case("sender-not-granted", "relay.pop", granted(BOB)),
        case("null-sender-not-granted", "relay.pop", granted("")),
        case("grant-exhausted", "relay.pop.messages_per_hour", Mail { client: "192.0.2.22", ..own }),
        case("grant-exhausted", "messages per hour", Mail { login: Some("used"), from: BOB, ..to(ELSEWHERE) }),
        case("recipient-out-of-scope", "--anywhere", Mail { login: Some("scanner"), ..own }),
        case("mailbox-full", "quota", Mail { octets: Some(15_000), ..to("full@example.test") }),
        case("domain-off", "sekisho domain on", to("bob@second.example")),
        case("domain-off", "sekisho domain on", policy(to("nobody@second.example"))),
        case("refused-by-recipient", "choice", Mail { from: "letters@news.example", ..to(CAROL) }),
        case("refused-by-recipient", "choice", Mail { from: "friend@alive.example", ..to(CAROL) }),
        case("refused-by-recipient", "choice", to("dave@example.test")),
        case("refused-by-recipient", "choice", policy(Mail { from: "letters@news.example", ..to(CAROL) })),
    ]
}

#[test]
fn fifty_refusals_name_their_line_and_what_would_have_them_accepted_does() {
    let server = NameServer::start(&zone(), Otherwise::Denies);
    let name_server = server.setting();
    let settings = [
        name_server.as_str(),
        "listener.smtp.xclient_from=['127.0.0.1']",
        "listener.smtp.deny=['127.0.9.9']",
        "limits.errors=1000",
        "limits.unknown_recipients_per_client=60",
        "limits.connections_per_client=10000",
        "limits.connections_per_minute_per_client=100000",
        "limits.connections_per_minute_per_network=100000",
        "auth.failure_delay_ms=0",
        "auth.failures_per_client=1000",
        "auth.argon2_memory_kib=8192",
    ];
    let demo = Demo::start_with(&settings);
    let world = World::new(demo, server);
    let mut wrong = Vec::new();
    let (mut kinds, mut telling, mut told) = (0, 0, Vec::new());
    // What cannot be judged again tells no line, only what decided.
    for (reply, reason, by) in world.beside() {
        kinds += 1;
        wrong.extend(world.explained(&reply, reason, by).err());
    }
    for Case { mail, reason, by } in of_maps().into_iter().chain(of_rules()).chain(of_mail()) {
        kinds += 1;
        let reply = world.tried(&mail);
        match world.explained(&reply, reason, by) {
            Err(fault) => wrong.push(format!("{mail:?}: {fault}")),
            Ok(lines) => {
                telling += usize::from(!lines.is_empty());
                told.extend(lines.into_iter().map(|line| (mail, line)));
            }
        }
    }
    replayed(&world, &settings);
    wrong.extend(world.untrue(&told));
    wrong.extend(world.failed.take());
    let tried = told.len();
    println!("{kinds} refusals, {telling} of them with suppositions, {tried} suppositions tried");
    assert!(wrong.is_empty(), "{} of {kinds}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(kinds >= 50 && telling >= 40 && tried >= 100, "{kinds} {telling} {tried}");
}

/// What was recorded until now: by the same configuration nothing changes, by another exactly what it is about.
fn replayed(world: &World, settings: &[&str]) {
    let replay = |more: &[&str]| {
        let sets = settings.iter().chain(more).flat_map(|set| ["--set", set]);
        let arguments: Vec<&str> = ["--json", "replay", "--since", "1h"].into_iter().chain(sets).collect();
        let output = world.demo.sekisho(&arguments);
        let told = String::from_utf8(output.stdout).unwrap();
        let lines = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let (changed, rest): (Vec<_>, Vec<_>) = lines.partition(|line| line.get("changed").is_some());
        let changed = changed.iter().map(|it| it["changed"]["id"].as_str().unwrap().to_owned());
        (output.status.code(), changed.collect::<BTreeSet<String>>(), rest[0]["summary"].clone())
    };
    let (code, changed, summary) = replay(&[]);
    assert_eq!((code, &changed), (Some(0), &BTreeSet::new()), "{summary}");
    assert!(summary["judged"].as_u64() > Some(60), "{summary}");

    let recorded = |more: &[&str]| {
        let found =
            world.demo.ruled(&[&["--json", "records", "list", "--since", "1h", "--limit", "1000"], more].concat());
        let found: Value = serde_json::from_str(&found).unwrap();
        let ids = found["records"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
        ids.collect::<BTreeSet<String>>()
    };
    // Who may relay by its network is no stranger: neither has it to show a right, nor do rules about strangers hold for it.
    let of_strangers = ["relay-denied", "helo-refused", "suspicious", "greylisted", "listed"];
    let expected = of_strangers.iter().flat_map(|reason| recorded(&["--reason", reason, "--client", "192.0.2.10"]));
    let (code, changed, summary) = replay(&["relay.networks=['192.0.2.10/32']"]);
    assert_eq!((code, changed), (Some(1), expected.collect()), "{summary}");
}
