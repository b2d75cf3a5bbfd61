//! The complete configurations of `docs/examples`: each is good, and a server that has it does to its clients what its comments
//! say. They have one data directory and the same ports, one after the other.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dns::{NameServer, Otherwise, Record};
use crate::support::{Dialogue, PATIENCE, free_ports, maildir, run};

const ALICE: &str = "alice@example.test";
/// The domain of a sender that takes bounces, and of one that does not exist.
const SENDER: &str = "x@outside.example";
const DEAD: &str = "x@dead.example";

/// A client with a name that leads back to it, and one whose name is that of a line.
const FRIEND: &str = "192.0.2.67";
const LINE: &str = "198.51.99.33";
/// A client with a name that a list has.
const LISTED: &str = "192.0.2.69";
/// One without a name that the same list has.
const NAMELESS: &str = "192.0.2.66";
/// One with a name for which a list has a weight of its own.
const HEAVY: &str = "192.0.2.70";

fn zone() -> Vec<(&'static str, Record)> {
    let a = |last: u8| Record::A(Ipv4Addr::new(127, 0, 0, last));
    let host = |ip: &str| Record::A(ip.parse().unwrap());
    vec![
        ("outside.example.", Record::Mx("mx.friend.example")),
        ("67.2.0.192.in-addr.arpa.", Record::Ptr("mx.friend.example")),
        ("mx.friend.example.", host(FRIEND)),
        ("33.99.51.198.in-addr.arpa.", Record::Ptr("dhcp0339.line.example")),
        ("dhcp0339.line.example.", host(LINE)),
        ("69.2.0.192.in-addr.arpa.", Record::Ptr("mx.listed.example")),
        ("mx.listed.example.", host(LISTED)),
        ("70.2.0.192.in-addr.arpa.", Record::Ptr("mx.heavy.example")),
        ("mx.heavy.example.", host(HEAVY)),
        // The lists' test points (RFC 5782 §5), and whom they have.
        ("2.0.0.127.spam.dnsbl.example.", a(2)),
        ("2.0.0.127.0123456789.dnsbl.example.", a(10)),
        ("2.0.0.127.good.dnswl.example.", a(2)),
        ("66.2.0.192.spam.dnsbl.example.", a(2)),
        ("67.2.0.192.spam.dnsbl.example.", a(2)),
        ("69.2.0.192.spam.dnsbl.example.", a(2)),
        ("67.2.0.192.good.dnswl.example.", a(2)),
        ("70.2.0.192.0123456789.dnsbl.example.", a(5)),
    ]
}

/// What the examples share: a data directory as `sekisho init` makes it, and what stands in the place of the world.
struct Site {
    dir: tempfile::TempDir,
    base: u16,
    names: NameServer,
}

/// A server with one example.
struct Server<'s> {
    site: &'s Site,
    child: Child,
    config: PathBuf,
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples")
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let password = dir.path().join("password");
        fs::write(&password, "first secret\n").unwrap();
        let made = ["init", "--hostname", "mail.example.test", "--domain", "example.test", "--user", "alice", "--dir"];
        let mut init = sekisho();
        init.args(made).arg(dir.path().join("data")).stdin(fs::File::open(password).unwrap());
        run(&mut init);
        Self { dir, base: free_ports(), names: NameServer::start(&zone(), Otherwise::Denies) }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Checks an example, and starts it: clients come by a proxy, from whatever address the test gives them.
    fn start(&self, example: &str, sets: &[&str]) -> Server<'_> {
        let config = examples().join(example);
        let mut check = sekisho();
        check.arg("-c").arg(&config).args(["--set", &self.data_setting(), "config", "check"]);
        run(&mut check);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut serve = sekisho();
        serve.arg("-c").arg(&config).stdout(Stdio::null()).stderr(log);
        let here = format!("listener.mx.bind=[\"127.0.0.1:{}\"]", self.base);
        let proxy = "listener.mx.proxy_from=[\"127.0.0.1\"]";
        let (data, names) = (self.data_setting(), self.names.setting());
        for set in [&*data, &names, &here, proxy, "spool.free_octets_min=1048576"].iter().chain(sets) {
            serve.args(["--set", set]);
        }
        let mut server = Server { site: self, child: serve.arg("serve").spawn().unwrap(), config };
        server.wait_until_ready();
        server
    }

    fn data_setting(&self) -> String {
        format!("data_dir=\"{}\"", self.data().display())
    }

    /// Waits for words of the log, which is written behind what clients are told.
    fn logged(&self, words: &str) {
        let begun = Instant::now();
        while !self.log().contains(words) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain for {words}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }
}

fn sekisho() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sekisho"))
}

impl Server<'_> {
    fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.site.base)).is_err() {
            assert!(self.child.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE, "{}", self.site.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What an operator asks of it.
    fn asked(&self, arguments: &[&str]) -> String {
        run(sekisho().arg("-c").arg(&self.config).args(["--set", &self.site.data_setting()]).args(arguments))
    }

    /// A client that says this with the proxy's header; its first reply.
    fn first(&self, ip: &str, text: &str) -> (Dialogue, String) {
        let mut client = Dialogue::connect(Ipv4Addr::LOCALHOST, self.site.base);
        client.send(format!("PROXY TCP4 {ip} 192.0.2.1 40000 25\r\n{text}"));
        let reply = client.reply();
        (client, reply)
    }

    fn greeted(&self, ip: &str, helo: &str) -> Dialogue {
        let (mut client, reply) = self.first(ip, "");
        assert!(reply.starts_with("220"), "{reply}");
        assert!(client.say(&format!("EHLO {helo}")).starts_with("250"));
        client
    }

    /// The reply to a mail to Alice.
    fn writes(&self, ip: &str, helo: &str, from: &str) -> String {
        self.greeted(ip, helo).rcpt(from, ALICE)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- log\n{}", self.site.log());
        }
    }
}

#[test]
fn every_complete_example_is_a_server_that_does_what_it_says() {
    let site = Site::new();
    strict(&site);
    lists(&site);
    office(&site);
    house(&site);
    let tested = ["dnsbl.toml", "guard-strict.toml", "house-lists.toml", "small-office.toml"];
    let mut there: Vec<_> = fs::read_dir(examples()).unwrap().map(|it| it.unwrap().file_name()).collect();
    there.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "toml"));
    there.sort();
    assert_eq!(there, tested);
}

fn strict(site: &Site) {
    let server = site.start("guard-strict.toml", &["listener.mx.greet_pause_ms=50"]);
    assert!(server.first("203.0.113.9", "EHLO a.example\r\n").1.starts_with("554"), "who does not wait");
    let many_signs = server.writes("203.0.113.7", "localhost", DEAD);
    assert!(many_signs.starts_with("550") && many_signs.contains("looks like a source of spam"), "{many_signs}");
    let one_sign = server.writes("203.0.113.7", "mx.outside.example", SENDER);
    assert!(one_sign.starts_with("451") && one_sign.contains("300 seconds"), "{one_sign}");
    assert!(server.writes("192.0.2.65", "localhost", DEAD).starts_with("250"), "who is exempted");
    assert!(server.writes(FRIEND, "mx.friend.example", SENDER).starts_with("250"));
}

fn lists(site: &Site) {
    let server = site.start("dnsbl.toml", &[]);
    let begun = Instant::now();
    loop {
        let lists: Value = serde_json::from_str(&server.asked(&["dnsbl", "list", "--json"])).unwrap();
        if lists.as_array().unwrap().iter().all(|list| list["standing"][0] == "sound") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{lists}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let own_words = server.writes(NAMELESS, "a.example", SENDER);
    assert!(own_words.contains("Listed, and your address has no name in DNS"), "{own_words}");
    assert!(server.writes(LISTED, "mx.listed.example", SENDER).starts_with("451"));
    assert!(server.writes(HEAVY, "mx.heavy.example", SENDER).starts_with("451"));
    // The code has a weight of its own.
    site.logged("dnsbl:8");
    assert!(server.writes(FRIEND, "mx.friend.example", SENDER).starts_with("250"), "the allow list wins");
}

fn office(site: &Site) {
    let binds = ["submissions", "pop3s"].map(|name| {
        let port = site.base + if name == "pop3s" { 1 } else { 2 };
        format!("listener.{name}.bind=[\"127.0.0.1:{port}\"]")
    });
    let server = site.start("small-office.toml", &["listener.mx.greet_pause_ms=10", &binds[0], &binds[1]]);
    let mut printer = server.greeted("192.0.2.5", "printer");
    assert!(printer.rcpt("scans@example.test", "friend@elsewhere.example").starts_with("250"));
    let mut guesser = server.greeted(FRIEND, "mx.friend.example");
    for guess in 0..10 {
        let answer = guesser.rcpt(SENDER, &format!("guess{guess}@example.test"));
        assert!(answer.starts_with("550 5.1.1"), "{answer}");
    }
    let answer = guesser.rcpt(SENDER, ALICE);
    assert!(answer.starts_with("450"), "{answer}");
    let held: Vec<_> = (0..5).map(|_| server.first("203.0.113.80", "")).collect();
    assert!(held.iter().all(|(_, reply)| reply.starts_with("220")), "{:?}", held[0].1);
    let (_, sixth) = server.first("203.0.113.80", "");
    assert!(sixth.starts_with("421") && sixth.contains("too-many-connections"), "{sixth}");
}

fn house(site: &Site) {
    let example = fs::read_to_string(examples().join("house-lists.toml")).unwrap();
    // The maps are what the comments above their keys show.
    let mut lines = example.lines().filter_map(|line| line.strip_prefix("# A line: "));
    for name in ["clients.cidr", "senders", "recipients"] {
        fs::write(site.data().join(name), format!("{}\n", lines.next().unwrap())).unwrap();
    }
    let server = site.start("house-lists.toml", &[]);
    assert!(server.first("203.0.113.7", "").1.starts_with("554"), "of a network that may not connect");
    assert!(server.first("203.0.113.25", "").1.starts_with("220"), "but this one of it");
    let answer = server.writes("198.51.100.3", "a.example", SENDER);
    assert!(answer.starts_with("554 5.7.1") && answer.contains("write to postmaster@other.example"), "{answer}");
    let answer = server.writes(FRIEND, "mx.friend.example", "y@spammer.example");
    assert!(answer.starts_with("550") && answer.contains("No mail from this domain"), "{answer}");
    let answer = server.writes(LINE, "dhcp0339.line.example", "");
    assert!(answer.starts_with("550") && answer.contains("No bounces from lines of end users"), "{answer}");
    // An address without brackets is no name (3), and there is no TLS (1): 4.
    let mut odd = server.greeted(FRIEND, FRIEND);
    let answer = odd.mail(SENDER, ALICE, "Subject: s\r\n\r\nx\r\n");
    assert!(answer.starts_with("250"), "{answer}");
    odd.rcpt(SENDER, "sales@example.test");
    // A map that is tried.
    site.logged("rule_observed");
    let shown: Value = serde_json::from_str(&server.asked(&["user", "show", ALICE, "--json"])).unwrap();
    let mailbox = site.data().join("mail").join(shown["maildir"].as_str().unwrap());
    let begun = Instant::now();
    while !maildir(&mailbox).iter().any(|mail| mail.contains("X-Doubtful: yes")) {
        assert!(begun.elapsed() < PATIENCE, "{}", site.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}
