//! `dovecot-auth`: logins for mail servers and POP servers that let us check them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sasl::Mechanism;
use sasl::client::{ChannelBinding, Credentials, Exchange};

use crate::asking::Policy;
use crate::support::{Account, Demo, Dialogue, PATIENCE, base64};

const OUTSIDE: &str = "friend@outside.example";

/// A connection to the `dovecot-auth` listener, after the handshake.
struct Asking {
    stream: BufReader<TcpStream>,
    /// What the handshake offered.
    offered: Vec<String>,
}

impl Asking {
    fn connect(demo: &Demo) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, demo.port("dovecot_auth"))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut asking = Self { stream: BufReader::new(stream), offered: Vec::new() };
        loop {
            let line = asking.line();
            assert!(!line.is_empty(), "closed within the handshake");
            if line == "DONE" {
                break;
            }
            asking.offered.extend(line.strip_prefix("MECH\t").map(str::to_owned));
        }
        asking.send("VERSION\t1\t1\nCPID\t77");
        asking
    }

    fn send(&mut self, lines: &str) {
        // A peer that has closed shows in the next line, which is then empty.
        let _ = self.stream.get_mut().write_all(format!("{lines}\n").as_bytes());
    }

    /// The next line without its LF; empty when the peer has closed.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap_or(0);
        line.trim_end_matches('\n').to_owned()
    }

    fn ask(&mut self, lines: &str) -> String {
        self.send(lines);
        self.line()
    }

    /// A whole exchange as a mail server has it with `parameters`; the last line.
    fn login(&mut self, id: u32, (mechanism, login, secret): (Mechanism, &str, &str), parameters: &str) -> String {
        let credentials = Credentials::new(login, secret.as_bytes()).unwrap();
        let mut client = Exchange::new(mechanism, credentials, ChannelBinding::Unsupported, [b'n'; 24]);
        let initial = client.initial().unwrap();
        let response = initial.map(|octets| format!("\tresp={}", STANDARD.encode(octets))).unwrap_or_default();
        let mut answer = self.ask(&format!("AUTH\t{id}\t{}\t{parameters}{response}", mechanism.name()));
        while let Some(challenge) = answer.strip_prefix(&format!("CONT\t{id}\t")) {
            let challenge = STANDARD.decode(challenge).unwrap();
            let response = if challenge.starts_with(b"v=") {
                client.succeeded(Some(&challenge)).expect("the server proves itself too");
                Vec::new()
            } else {
                client.respond(&challenge).unwrap()
            };
            answer = self.ask(&format!("CONT\t{id}\t{}", STANDARD.encode(response)));
        }
        answer
    }
}

/// The line with which a mail server passes on a PLAIN login of its client.
fn plain(id: u32, (login, password): (&str, &str), parameters: &str) -> String {
    format!("AUTH\t{id}\tPLAIN\t{parameters}\tresp={}", base64(&format!("\0{login}\0{password}")))
}

fn rights(account: &Account) -> (&str, &str) {
    (&account.login, &account.password)
}

#[test]
fn every_mechanism_proves_a_login() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let mut asking = Asking::connect(&demo);
    let offered: Vec<&str> = asking.offered.iter().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(offered, ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"]);
    let (login, password) = rights(&alice);
    let device = (alice.device_login.as_str(), alice.device_secret.as_str());
    let table = [
        (Mechanism::Plain, login, password),
        (Mechanism::Login, login, password),
        (Mechanism::ScramSha256, login, password),
        (Mechanism::CramMd5, device.0, device.1),
        (Mechanism::Plain, device.0, device.1),
        (Mechanism::ScramSha256, device.0, device.1),
    ];
    for (id, way) in (1..).zip(table) {
        let answer = asking.login(id, way, "service=smtp\tnologin\trip=192.0.2.7");
        assert_eq!(answer, format!("OK\t{id}\tuser={login}"), "{:?} as {}: a device is its account", way.0, way.1);
    }
    for (id, (mechanism, login, _)) in (11..).zip(table) {
        let answer = asking.login(id, (mechanism, login, "not-the-secret"), "service=smtp\tnologin\trip=192.0.2.8");
        assert_eq!(answer, format!("FAIL\t{id}"), "{mechanism:?} as {login}");
    }
    for other in ["SCRAM-SHA-256-PLUS", "EXTERNAL", "ANONYMOUS"] {
        let answer = asking.ask(&format!("AUTH\t30\t{other}\tservice=smtp\tresp=YQ=="));
        assert_eq!(answer, "FAIL\t30", "{other}");
    }
    assert_eq!(demo.ruled(&["grant", "list", "--json"]).trim(), "[]", "nobody opened a mailbox");
    assert!(!demo.log().contains("not-the-secret") && !demo.log().contains(&STANDARD.encode("not-the-secret")));
}

#[test]
fn a_mailbox_login_gives_the_right_to_relay() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let (mut asking, mut policy) = (Asking::connect(&demo), Policy::connect(&demo));
    let home = demo.maildir_of("alice").canonicalize().unwrap().display().to_string();
    let without = [
        ("service=smtp\trip=192.0.2.7", false),
        ("service=pop3\tnologin\trip=192.0.2.7", false),
        ("service=pop3", true),
        ("service=managesieve\trip=192.0.2.7", false),
    ];
    for (id, (parameters, has_home)) in (1..).zip(without) {
        let answer = asking.ask(&plain(id, rights(&alice), parameters));
        let home = if has_home { format!("\thome={home}") } else { String::new() };
        assert_eq!(answer, format!("OK\t{id}\tuser={}{home}", alice.login));
    }
    let answer = asking.ask(&plain(9, (&alice.login, "wrong"), "service=pop3\trip=192.0.2.7"));
    assert_eq!(answer, "FAIL\t9");
    assert_eq!(demo.ruled(&["grant", "list", "--json"]).trim(), "[]");
    assert!(policy.rcpt("192.0.2.7", &alice.address, OUTSIDE).starts_with("550"));
    for (id, service, client) in [(10, "pop3", "192.0.2.7"), (11, "imap", "::ffff:192.0.2.8")] {
        let answer = asking.ask(&plain(id, rights(&alice), &format!("service={service}\trip={client}")));
        assert_eq!(answer, format!("OK\t{id}\tuser={}\thome={home}", alice.login));
        // The right is there when the answer is.
        assert_eq!(policy.rcpt(client, &alice.address, OUTSIDE), "OK", "{service}");
        assert!(policy.rcpt(client, "bob@example.test", OUTSIDE).starts_with("550"), "in another's name");
    }
    let listed = demo.ruled(&["grant", "list"]);
    assert!(
        listed.contains("192.0.2.7") && listed.contains("192.0.2.8") && listed.contains("dovecot-auth"),
        "{listed}"
    );
}

/// What one client's client sends wrongly ends that exchange, and no other of the same connection.
#[test]
fn t44_invalid_base64_hurts_only_that_exchange() {
    let demo = Demo::start_with(&["auth.failures_per_client=2", "auth.failures_per_account=2"]);
    let alice = demo.account("alice");
    let mut asking = Asking::connect(&demo);
    let challenge = |id: u32| format!("CONT\t{id}\t");
    let parameters = "service=smtp\tnologin\trip=192.0.2.7";
    assert!(asking.ask(&format!("AUTH\t1\tLOGIN\t{parameters}")).starts_with(&challenge(1)));
    for (id, response) in (2..).zip(["====", "AA*=", "A", "AAAA=", "AGEAYg", "\u{1}"]) {
        let answer = asking.ask(&format!("AUTH\t{id}\tPLAIN\t{parameters}\tresp={response}"));
        assert_eq!(answer, format!("FAIL\t{id}"), "{response}");
        assert!(asking.ask(&format!("AUTH\t{id}\tCRAM-MD5\t{parameters}")).starts_with(&challenge(id)));
        let answer = asking.ask(&format!("CONT\t{id}\t{response}"));
        assert_eq!(answer, format!("FAIL\t{id}"), "{response}");
    }
    assert_eq!(asking.ask("CONT\t99\tYQ=="), "FAIL\t99", "of nobody");
    assert!(asking.ask(&format!("CONT\t1\t{}", base64(&alice.login))).starts_with(&challenge(1)));
    let answer = asking.ask(&format!("CONT\t1\t{}", base64(&alice.password)));
    assert_eq!(answer, format!("OK\t1\tuser={}", alice.login), "the first exchange is unhurt, and nobody is locked");
}

/// Who has to wait after a failure lets others pass; and an answer is never told to who took over an id.
#[test]
fn exchanges_do_not_wait_for_each_other_nor_answer_for_each_other() {
    let demo = Demo::start_with(&["auth.failure_delay_ms=3000"]);
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let mut asking = Asking::connect(&demo);
    let (slow, quick) = ("service=smtp\tnologin\trip=192.0.2.7", "service=smtp\tnologin\trip=198.51.100.9");
    assert_eq!(asking.ask(&plain(1, (&alice.login, "wrong"), slow)), "FAIL\t1");
    asking.send(&plain(2, rights(&alice), slow));
    let answer = asking.ask(&plain(3, rights(&bob), quick));
    assert_eq!(answer, format!("OK\t3\tuser={}", bob.login), "while the other one waits");
    // It is given up, and its id taken over, before its answer comes.
    asking.send("CANCEL\t2");
    assert!(asking.ask(&format!("AUTH\t2\tLOGIN\t{quick}")).starts_with("CONT\t2\t"));
    demo.logged(&["login ", "192.0.2.7", &alice.login, "way=PLAIN"]);
    let answer = asking.ask(&plain(4, rights(&bob), quick));
    assert_eq!(answer, format!("OK\t4\tuser={}", bob.login));
    assert!(asking.ask(&format!("CONT\t2\t{}", base64(&bob.login))).starts_with("CONT\t2\t"));
    let answer = asking.ask(&format!("CONT\t2\t{}", base64(&bob.password)));
    assert_eq!(answer, format!("OK\t2\tuser={}", bob.login));
}

#[test]
fn an_id_stands_for_one_exchange() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let mut asking = Asking::connect(&demo);
    let begun = asking.ask("AUTH\t1\tLOGIN\tservice=smtp\trip=192.0.2.7");
    assert!(begun.starts_with("CONT\t1\t"), "{begun}");
    assert_eq!(asking.ask(&plain(1, rights(&alice), "service=smtp\trip=192.0.2.7")), "", "closed");
    for broken in ["AUTH\tx\tPLAIN\tservice=smtp", "CPID\t1", &format!("AUTH\t1\tPLAIN\t{}", "x".repeat(20_000))] {
        assert_eq!(Asking::connect(&demo).ask(broken), "", "{broken:.30}");
    }
    // One after another it may come as often as it likes.
    let mut asking = Asking::connect(&demo);
    for _ in 0..3 {
        let answer = asking.ask(&plain(1, rights(&alice), "service=smtp\trip=192.0.2.7"));
        assert_eq!(answer, format!("OK\t1\tuser={}", alice.login));
    }
}

/// A client that breaks off again and again: the oldest exchanges are given up, new ones go on.
#[test]
fn exchanges_that_are_forgotten_are_in_nobodys_way() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let mut asking = Asking::connect(&demo);
    for id in 1..=1000 {
        let answer = asking.ask(&format!("AUTH\t{id}\tLOGIN\tservice=smtp\trip=192.0.2.7"));
        assert!(answer.starts_with(&format!("CONT\t{id}\t")), "{answer}");
    }
    assert_eq!(asking.ask(&plain(1001, rights(&alice), "service=smtp\trip=192.0.2.7")), "FAIL\t1");
    assert_eq!(asking.line(), format!("OK\t1001\tuser={}", alice.login));
}

/// Guesses count for the address that the mail server names, and with those at our own doors.
#[test]
fn guesses_count_for_the_client_of_the_mail_server() {
    let demo = Demo::start_with(&["auth.failure_delay_ms=0", "auth.failures_per_client=3"]);
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let mut asking = Asking::connect(&demo);
    let parameters = |client: &str| format!("service=smtp\tnologin\trip={client}");
    for id in 1..=4 {
        let answer = asking.ask(&plain(id, (&alice.login, &format!("guess {id}")), &parameters("127.0.0.66")));
        assert_eq!(answer, format!("FAIL\t{id}"));
    }
    let answer = asking.ask(&plain(5, rights(&bob), &parameters("127.0.0.66")));
    assert_eq!(answer, "FAIL\t5", "whatever he tries now");
    demo.logged(&["throttled", "client=127.0.0.66", &bob.login]);
    let port = demo.port("submissions");
    let mut same = Dialogue::connect(Ipv4Addr::new(127, 0, 0, 66), port).start_tls(demo.certificate()).greeted();
    let proof = base64(&format!("\0{}\0{}", bob.login, bob.password));
    assert!(same.say(&format!("AUTH PLAIN {proof}")).starts_with("454"));
    let answer = asking.ask(&plain(6, rights(&bob), &parameters("127.0.0.67")));
    assert_eq!(answer, format!("OK\t6\tuser={}", bob.login), "the mail server itself guessed nothing");
    assert!(!demo.log().contains("guess 1"));
}

/// The mail server asks us again by the name that it was told: a device keeps its limits.
#[test]
fn a_device_keeps_its_limits_through_a_mail_server() {
    let demo = Demo::start();
    let made = demo.ruled(&["user", "device", "add", "alice", "plc", "--messages-per-hour", "1", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let secret = made["secret"].as_str().unwrap();
    let answer = Asking::connect(&demo).ask(&plain(
        1,
        ("alice-plc@example.test", secret),
        "service=smtp\tnologin\trip=192.0.2.9",
    ));
    let user = answer.strip_prefix("OK\t1\tuser=").unwrap_or_else(|| panic!("{answer}"));
    let attributes = [
        ("client_address", "192.0.2.9"),
        ("sasl_username", user),
        ("sender", "alice@example.test"),
        ("recipient", OUTSIDE),
    ];
    let refused = Policy::connect(&demo).ask("RCPT", &attributes);
    assert!(refused.starts_with("550"), "it may write to our own domains only: {refused}");
}
