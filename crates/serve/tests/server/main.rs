//! The running server, from outside.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use config::Settings;
use serve::{Server, directory_settings};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

mod door;
mod field;
mod reload;

/// Nothing takes so long unless something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

fn settings(text: &str, dir: &Path, sets: &[&str]) -> Settings {
    let text =
        format!("hostname = \"mail.example.test\"\ndata_dir = \".\"\n[domains]\ndefault = \"example.test\"\n{text}");
    let text = config::Text { name: "t.toml", text: &text, base_dir: dir };
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    config::parse(&text, &sets).unwrap_or_else(|report| panic!("{report}")).settings
}

/// A server in this process, with one account, `alice@example.test`.
struct Site {
    server: Server,
    _dir: TempDir,
}

impl Site {
    /// With one listener for each protocol, named like it.
    async fn new(protocols: &[&str], sets: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut text = "[spool]\nfree_octets_min = 1048576\n[delivery]\nremote = \"sink\"\n".to_owned();
        for name in protocols {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let auth = if *name == "smtp" { "never" } else { "always" };
            let _ = write!(text, "[[listener]]\nname = '{name}'\nprotocol = '{name}'\nauth = '{auth}'\n");
            let _ = writeln!(text, "bind = ['127.0.0.1:{port}']");
        }
        let server = Server::start(settings(&text, dir.path(), sets)).await.unwrap();
        let directory = &server.border().sources.directory;
        directory.add_domain("example.test").await.unwrap();
        let password = directory::NewPassword::Clear("pelican umbrella".into());
        let alice = directory::NewAccount { login: "alice".to_owned(), password, ..directory::NewAccount::default() };
        directory.create_account(alice).await.unwrap();
        Self { server, _dir: dir }
    }

    async fn connect(&self, listener: &str) -> Peer {
        let site = self.server.border().site.load_full();
        let found = site.listeners.iter().find(|it| &*it.settings.name == listener).unwrap();
        Peer { stream: BufReader::new(TcpStream::connect(found.settings.bind[0]).await.unwrap()) }
    }

    /// One that was greeted and has said EHLO.
    async fn greeted(&self, listener: &str) -> Peer {
        let mut peer = self.connect(listener).await;
        peer.hears("220").await;
        peer.says("EHLO c.example.test", "250").await;
        peer
    }
}

struct Peer {
    stream: BufReader<TcpStream>,
}

impl Peer {
    async fn send(&mut self, octets: &str) {
        self.stream.get_mut().write_all(octets.as_bytes()).await.unwrap();
    }

    /// The last line of the next reply; empty at the connection's end.
    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line)).await.expect("in time").unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    async fn hears(&mut self, start: &str) -> String {
        let reply = self.reply().await;
        assert!(reply.starts_with(start), "{reply} is not {start}");
        reply
    }

    async fn says(&mut self, line: &str, start: &str) -> String {
        self.send(&format!("{line}\r\n")).await;
        self.hears(start).await
    }
}

#[test]
fn the_directory_goes_by_the_configuration() {
    let directory = |sets: &[&str]| directory_settings(&settings("", Path::new("/"), sets));
    let sets = ["auth.argon2_memory_kib=8192", "auth.argon2_passes=3", "auth.argon2_concurrency=5"];
    let terms = directory(&sets).passwords;
    assert_eq!((terms.argon2.memory_kib, terms.argon2.passes, terms.checks_at_once), (8_192, 3, 5));
    assert_eq!(terms.remembered, Duration::from_mins(10));
    assert_eq!(directory(&["auth.cache_minutes=0"]).passwords.remembered, Duration::ZERO);
    assert_eq!((directory(&[]).postmaster, directory(&[]).detail_delimiter), (None, Some('+')));
    let terms = directory(&["domains.postmaster=alice@example.test", "domains.detail_delimiter="]);
    assert_eq!((terms.postmaster.as_deref(), terms.detail_delimiter), (Some("alice@example.test"), None));
}

/// Gives a message of so many octets, up to its end.
async fn gives_message(site: &Site, octets: usize) -> Peer {
    let mut peer = site.greeted("smtp").await;
    peer.says("MAIL FROM:<x@outside.example>", "250").await;
    peer.says("RCPT TO:<alice@example.test>", "250").await;
    peer.says("DATA", "354").await;
    peer.send(&format!("Subject: x\r\n\r\n{}.\r\n", "0123456789\r\n".repeat(octets / 12))).await;
    peer
}

/// `limits.memory_octets`: a message for which there is no memory waits, and is taken when there is.
#[tokio::test]
async fn messages_wait_for_memory() {
    let site = Site::new(&["smtp"], &["limits.memory_octets=4194304"]).await;
    for octets in [100, 400_000] {
        let border = Arc::clone(site.server.border());
        let all = border.memory.hold(4_194_304, Duration::ZERO).await.expect("nobody holds any");
        let mut peer = gives_message(&site, octets).await;
        let waits = tokio::time::timeout(Duration::from_millis(50), peer.stream.fill_buf()).await;
        assert!(waits.is_err(), "{octets} octets were taken without memory");
        drop(all);
        peer.hears("250").await;
        assert!(border.memory.hold(4_194_304, PATIENCE).await.is_some(), "all of it came back");
    }
    site.server.stop().await;
}

/// Who sends large messages slowly holds memory for as long as he likes, and stops nobody: not even other large messages.
#[tokio::test]
async fn slow_messages_stop_nobody() {
    let site = Site::new(&["smtp"], &["limits.memory_octets=4194304"]).await;
    let border = Arc::clone(site.server.border());
    let slow = |last| border.memory.hold_coming(1_048_576, std::net::IpAddr::from([192, 0, 2, last]));
    let slow: Vec<_> = (0..4).filter_map(slow).collect();
    assert_eq!(slow.len(), 3, "all that there is for what comes in");
    let mut peers = Vec::new();
    for octets in [100, 100_000, 200_000, 400_000, 100] {
        peers.push(gives_message(&site, octets).await);
    }
    for mut peer in peers {
        peer.hears("250").await;
    }
    drop(slow);
    gives_message(&site, 200_000).await.hears("250").await;
    assert_eq!(border.memory.hold_coming(1_048_576, [127, 0, 0, 1].into()).map(drop), Some(()), "it came back");
    site.server.stop().await;
}

/// T16: who tries AUTH where it is not offered is counted, and then throttled where it is.
#[tokio::test]
async fn t16_auth_where_it_is_not_offered_counts() {
    let sets = ["auth.failures_per_client=4", "auth.failure_delay_ms=0"];
    let site = Site::new(&["smtp", "submission"], &sets).await;
    let login = "AUTH PLAIN AGFsaWNlAHBlbGljYW4gdW1icmVsbGE=";
    for _ in 0..2 {
        let mut guesser = site.greeted("smtp").await;
        guesser.says("AUTH PLAIN AGFsaWNlAGd1ZXNz", "502").await;
        guesser.says("AUTH LOGIN", "502").await;
        guesser.says("QUIT", "221").await;
        guesser.hears("").await;
    }
    site.greeted("submission").await.says(login, "454 4.7.0").await;
    site.server.stop().await;
    let site = Site::new(&["smtp", "submission"], &sets).await;
    site.greeted("submission").await.says(login, "235").await;
    site.server.stop().await;
}

/// A malformed exchange names no login; it is counted for the address all the same.
#[tokio::test]
async fn malformed_exchanges_count() {
    let sets = ["auth.failures_per_client=2", "auth.failure_delay_ms=0"];
    let site = Site::new(&["submission"], &sets).await;
    for _ in 0..2 {
        site.greeted("submission").await.says("AUTH PLAIN YWJj", "501").await;
    }
    site.greeted("submission").await.says("AUTH PLAIN AGFsaWNlAHBlbGljYW4gdW1icmVsbGE=", "454 4.7.0").await;
    site.server.stop().await;
}

/// `listener.greet_pause_ms`: who talks before the greeting is refused, who waits is greeted.
#[tokio::test]
async fn an_early_talker_is_refused() {
    let site = Site::new(&["smtp"], &["listener.smtp.greet_pause_ms=60000"]).await;
    let mut early = site.connect("smtp").await;
    early.says("EHLO c.example.test", "554").await;
    early.hears("").await;
    site.server.stop().await;
    let site = Site::new(&["smtp"], &["listener.smtp.greet_pause_ms=50"]).await;
    let begun = std::time::Instant::now();
    let here = [127, 0, 0, 1].into();
    let mut patient = site.greeted("smtp").await;
    assert!(begun.elapsed() >= Duration::from_millis(50));
    patient.says("QUIT", "221").await;
    patient.hears("").await;
    assert!(site.server.border().sources.state.is_patient(here).await.unwrap(), "who waited is remembered");
    site.server.stop().await;
    let site = Site::new(&["smtp"], &["listener.smtp.greet_pause_ms=60000"]).await;
    site.server.border().sources.state.has_waited(here, Duration::from_mins(1)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), site.greeted("smtp")).await.expect("greeted at once");
    site.server.stop().await;
}

/// Guessing by SCRAM is guessing: each exchange that fails counts.
#[tokio::test]
async fn guesses_by_scram_count() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sasl::client::{ChannelBinding, Credentials, Exchange};
    let sets = ["auth.failures_per_client=3", "auth.failure_delay_ms=0"];
    let site = Site::new(&["submission"], &sets).await;
    for nonce in 0..3 {
        let credentials = Credentials::new("alice@example.test", b"guess").unwrap();
        let mechanism = sasl::Mechanism::ScramSha256;
        let mut exchange = Exchange::new(mechanism, credentials, ChannelBinding::Unsupported, [nonce; 24]);
        let first = STANDARD.encode(exchange.initial().unwrap().unwrap());
        let mut guesser = site.greeted("submission").await;
        let challenge = guesser.says(&format!("AUTH SCRAM-SHA-256 {first}"), "334 ").await;
        let proof = exchange.respond(&STANDARD.decode(challenge[4..].trim_end()).unwrap()).unwrap();
        guesser.says(&STANDARD.encode(proof), "535").await;
    }
    site.greeted("submission").await.says("AUTH PLAIN AGFsaWNlAHBlbGljYW4gdW1icmVsbGE=", "454 4.7.0").await;
    site.server.stop().await;
}

#[tokio::test]
async fn the_postmaster_of_every_domain_and_details() {
    let site = Site::new(&["smtp"], &["domains.postmaster=alice@example.test", "domains.detail_delimiter=-"]).await;
    site.server.border().sources.directory.add_domain("other.test").await.unwrap();
    let mut peer = site.greeted("smtp").await;
    peer.says("MAIL FROM:<x@outside.example>", "250").await;
    for (address, reply) in [
        ("postmaster@other.test", "250"),
        ("Postmaster@example.test", "250"),
        ("postmaster", "250"),
        ("abuse@other.test", "550 5.1.1"),
        ("alice-list@example.test", "250"),
        ("alice+list@example.test", "550 5.1.1"),
    ] {
        peer.says(&format!("RCPT TO:<{address}>"), reply).await;
    }
    site.server.stop().await;
}

/// A device's messages are counted once each, and those to our own mailboxes, which anybody may send, are not.
#[tokio::test]
async fn a_device_sends_so_many_messages_an_hour() {
    let site = Site::new(&["submission"], &[]).await;
    let limits = directory::DeviceLimits {
        messages_per_hour: Some(2),
        recipients: directory::RecipientScope::Anywhere,
        ..directory::DeviceLimits::default()
    };
    let (device, secret) = site.server.border().sources.directory.add_device("alice", "plc", limits).await.unwrap();
    let mut peer = site.greeted("submission").await;
    peer.says("AUTH LOGIN", "334").await;
    peer.says(&base64(&device.login), "334").await;
    peer.says(&base64(secret.expose()), "235").await;
    for (number, reply) in [(1, "250"), (2, "250"), (3, "450 4.7.1")] {
        peer.says("MAIL FROM:<alice@example.test>", "250").await;
        peer.says("RCPT TO:<alice@example.test>", "250").await;
        for rest in 0..2 {
            peer.says(&format!("RCPT TO:<x{number}{rest}@outside.example>"), reply).await;
        }
        // What is given up before its end does not count.
        if number == 1 {
            peer.says("RSET", "250").await;
            peer.says("MAIL FROM:<alice@example.test>", "250").await;
            peer.says("RCPT TO:<x10@outside.example>", "250").await;
        }
        peer.says("DATA", "354").await;
        peer.says("Subject: x\r\n\r\nx\r\n.", "250").await;
    }
    site.server.stop().await;
}

/// A recipient that goes away between RCPT and the end of the message is not forgotten: the client keeps the message.
#[tokio::test]
async fn a_recipient_that_goes_away_refuses_the_message_for_now() {
    let site = Site::new(&["smtp"], &[]).await;
    let directory = &site.server.border().sources.directory;
    directory.add_alias("team@example.test", &["alice@example.test"]).await.unwrap();
    let mut peer = site.greeted("smtp").await;
    peer.says("MAIL FROM:<x@outside.example>", "250").await;
    peer.says("RCPT TO:<team@example.test>", "250").await;
    peer.says("RCPT TO:<alice@example.test>", "250").await;
    directory.remove_alias("team@example.test", None).await.unwrap();
    peer.says("DATA", "354").await;
    peer.says("Subject: x\r\n\r\nx\r\n.", "451 4.3.0").await;
    peer.says("MAIL FROM:<x@outside.example>", "250").await;
    peer.says("RCPT TO:<team@example.test>", "550 5.1.1").await;
    assert!(site.server.border().spool.is_empty());
    site.server.stop().await;
}

/// A POP grant has the account's limits: a device with a limit of its own gets none, whatever its scope.
#[tokio::test]
async fn a_device_with_a_limit_earns_no_pop_grant() {
    let site = Site::new(&["pop3"], &["relay.drac.loopback=true"]).await;
    for (name, messages_per_hour, grants) in [("bound", Some(2), 0), ("free", None, 1)] {
        let limits = directory::DeviceLimits {
            messages_per_hour,
            recipients: directory::RecipientScope::Anywhere,
            ..directory::DeviceLimits::default()
        };
        let (device, secret) = site.server.border().sources.directory.add_device("alice", name, limits).await.unwrap();
        let mut peer = site.connect("pop3").await;
        peer.hears("+OK").await;
        peer.says(&format!("USER {}", device.login), "+OK").await;
        peer.says(&format!("PASS {}", secret.expose()), "+OK").await;
        peer.says("QUIT", "+OK").await;
        assert_eq!(site.server.border().sources.state.evidence().await.unwrap().value.len(), grants, "{name}");
    }
    site.server.stop().await;
}

/// RFC 6531 §4.3: `Received:` tells that the addresses may be in UTF-8.
#[tokio::test]
async fn received_says_utf8smtp() {
    // Nobody is there to take it, so it stays in the queue.
    let site = Site::new(&["smtp"], &["delivery.local=lmtp:127.0.0.1:1"]).await;
    let mut peer = site.greeted("smtp").await;
    for (parameter, with) in [(" SMTPUTF8", " with UTF8SMTP id "), ("", " with ESMTP id ")] {
        peer.says(&format!("MAIL FROM:<x@outside.example>{parameter}"), "250").await;
        peer.says("RCPT TO:<alice@example.test>", "250").await;
        peer.says("DATA", "354").await;
        let reply = peer.says("Subject: x\r\n\r\nx\r\n.", "250").await;
        let id = reply.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
        let (_, body) = site.server.border().spool.read(id).await.expect("it is queued");
        let text = String::from_utf8_lossy(body.bytes().expect("it is small")).into_owned();
        assert!(text.contains(with), "{text}");
    }
    site.server.stop().await;
}

/// Who tells no size learns at the end that the mailbox is too full for the message; nothing is queued and then held.
#[tokio::test]
async fn what_does_not_fit_a_mailbox_is_refused_at_its_end() {
    let site = Site::new(&["smtp"], &["delivery.quota_octets=4096"]).await;
    gives_message(&site, 8_000).await.hears("552 5.2.2").await;
    gives_message(&site, 80_000).await.hears("552 5.2.2").await;
    assert!(site.server.border().spool.is_empty());
    gives_message(&site, 800).await.hears("250").await;
    site.server.stop().await;
}

/// Aliases may lead to more recipients than a message can have in the queue.
#[tokio::test]
async fn too_many_recipients_behind_aliases() {
    let site = Site::new(&["smtp"], &[]).await;
    let targets: Vec<String> = (0..900).map(|number| format!("x{number}@outside.example")).collect();
    for alias in 0..12 {
        site.server.border().sources.directory.add_alias(&format!("all{alias}@example.test"), &targets).await.unwrap();
    }
    let mut peer = site.greeted("smtp").await;
    peer.says("MAIL FROM:<x@outside.example>", "250").await;
    for alias in 0..12 {
        peer.says(&format!("RCPT TO:<all{alias}@example.test>"), "250").await;
    }
    peer.says("DATA", "354").await;
    peer.says("Subject: x\r\n\r\nx\r\n.", "554 5.5.3").await;
    site.server.stop().await;
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A login that ends by the clock: what it has queued waits for the operator, and what the operator releases goes.
#[tokio::test]
async fn t46_what_an_expired_login_queued_is_held_once() {
    let site = Site::new(&["smtp"], &["delivery.local=lmtp:127.0.0.1:1"]).await;
    let (spool, directory) = (&site.server.border().spool, &site.server.border().sources.directory);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let micros = || u64::try_from(now().as_micros()).unwrap();
    let expires_at = Some(now().as_secs() + 2);
    let bob = directory::NewAccount { login: "bob".to_owned(), expires_at, ..directory::NewAccount::default() };
    directory.create_account(bob).await.unwrap();
    let sender = spool::Sender {
        login: Some("bob@example.test".into()),
        account_id: None,
        grant: "auth".into(),
        client: None,
        reverse_path: spool::Ownership::Proved,
    };
    let envelope = spool::Envelope {
        reverse_path: "bob@example.test".into(),
        recipients: vec![spool::Recipient {
            forward_path: "alice@example.test".into(),
            target: spool::Target::Lmtp { server: "127.0.0.1:1".into() },
            notify: 0,
            orcpt: None,
            via: None,
        }],
        origin: spool::Origin::Account(sender),
        arrived_at_unix_micros: micros(),
        session: "s".into(),
        smtputf8: false,
        eight_bit: false,
        envid: None,
        ret: None,
        message_octets: 1,
    };
    let id = spool.incoming().commit(envelope, b"x".to_vec()).await.unwrap();
    let held = async || spool.show(id).await.unwrap().hold.as_deref() == Some("right-ended");
    let by_the_clock = async {
        loop {
            match (directory.has_expired("bob@example.test").await.unwrap(), held().await) {
                (true, true) => return,
                // An account that is made is a change, which holds what stands under its name.
                (false, true) => assert!(spool.release(id, micros()).await.unwrap()),
                (_, false) => {}
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, by_the_clock).await.expect("held in time");
    assert!(spool.release(id, micros()).await.unwrap());
    let mut known = BTreeSet::from([Arc::<str>::from("bob@example.test")]);
    serve::rights::hold_of_the_expired(site.server.border(), &mut known).await;
    assert!(!held().await, "known already");
    site.server.stop().await;
}
