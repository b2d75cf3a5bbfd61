//! Traps that made other servers an open relay, tried on the whole program.

use std::net::Ipv4Addr;
use std::process::Command;

use crate::dns::{NameServer, Otherwise, Record};
use crate::support::{Account, Demo, Dialogue, base64, run, run_failing};

const OUTSIDE: &str = "friend@outside.example";
const STRANGER: &str = "x@stranger.example";
/// The load balancer, listed in `proxy_from`.
const BALANCER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);
/// A client that may relay.
const TRUSTED: &str = "192.0.2.10";

fn relay_denied(answer: &str) -> bool {
    answer.starts_with("550 5.7.1") && answer.contains("we do not relay")
}

/// Logs in by APOP in a session of its own, which is a grant for 127.0.0.1.
fn pop_login(demo: &Demo, account: &Account) {
    let script =
        "import poplib,sys; p=poplib.POP3('127.0.0.1',int(sys.argv[1])); p.apop(sys.argv[2],sys.argv[3]); p.quit()";
    let port = demo.port("pop3").to_string();
    run(Command::new("python3").args(["-c", script, &port, &account.device_login, &account.device_secret]));
}

fn grants(demo: &Demo) -> String {
    demo.ruled(&["grant", "list", "--json"]).trim().to_owned()
}

/// T2: a balancer that does not say whose connection it brings is all of its clients at once. The alarm says what to do; a PROXY
/// header does it.
#[test]
fn t02_a_login_by_a_balancer_that_names_nobody_grants_nothing() {
    let demo = Demo::start_with(&["listener.smtp.proxy_from=[\"127.0.0.1\"]"]);
    let alice = demo.account("alice");
    pop_login(&demo, &alice);
    let alarm = demo.logged(&["logins_ungranted", "client=127.0.0.1", "told_by=pop3"]);
    assert!(alarm.contains("warn") && alarm.contains("PROXY protocol"), "{alarm}");
    assert_eq!(grants(&demo), "[]");
    let refused = demo.sekisho(&["grant", "add", "127.0.0.1", &alice.login]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let demo = Demo::start_with(&["listener.pop3.proxy_from=[\"127.0.0.1\"]"]);
    let alice = demo.account("alice");
    let script = "import poplib,socket,sys\n\
        real=socket.create_connection\n\
        def proxied(*a,**k):\n s=real(*a,**k)\n s.sendall(b'PROXY TCP4 192.0.2.10 192.0.2.1 40000 110\\r\\n')\n return s\n\
        socket.create_connection=proxied\n\
        p=poplib.POP3('127.0.0.1',int(sys.argv[1])); p.apop(sys.argv[2],sys.argv[3]); p.quit()";
    let port = demo.port("pop3").to_string();
    run(Command::new("python3").args(["-c", script, &port, &alice.device_login, &alice.device_secret]));
    assert!(grants(&demo).contains("192.0.2.10"), "{}", grants(&demo));
}

/// T19: loopback is granted where the configuration says so, whoever tells of the login.
#[test]
fn t19_a_login_here_from_loopback_counts_only_where_configured() {
    let demo = Demo::start_with(&["relay.drac.loopback=false"]);
    let alice = demo.account("alice");
    pop_login(&demo, &alice);
    demo.logged(&["login_ungranted", "client=127.0.0.1", "told_by=pop3"]);
    assert_eq!(grants(&demo), "[]");
    let answer = demo.dial("smtp").greeted().rcpt(&alice.address, OUTSIDE);
    assert!(relay_denied(&answer), "{answer}");
    let demo = Demo::start();
    pop_login(&demo, &demo.account("alice"));
    assert!(grants(&demo).contains("127.0.0.1"), "{}", grants(&demo));
}

/// A PROXY header of version 2; `client` of `None` is LOCAL.
fn version_2(client: Option<Ipv4Addr>) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    match client {
        Some(client) => {
            header.extend([0x21, 0x11, 0, 12]);
            header.extend(client.octets());
            header.extend([192, 0, 2, 1, 0x9c, 0x40, 0, 25]);
        }
        None => header.extend([0x20, 0, 0, 0]),
    }
    header
}

fn version_1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 192.0.2.1 40000 25\r\n").into_bytes()
}

/// A whole attempt to relay, sent at once.
fn attempt() -> String {
    format!("EHLO x\r\nMAIL FROM:<{STRANGER}>\r\nRCPT TO:<{OUTSIDE}>\r\nDATA\r\nQUIT\r\n")
}

/// No recipient was accepted, and no data asked for.
fn nothing_taken(said: &str) -> bool {
    !said.lines().any(|line| line.starts_with("354") || line.starts_with("250 2.1.5"))
}

/// The balancer itself is in a relay network here, and may use XCLIENT: neither is inherited by who comes through it.
fn behind_a_balancer() -> Demo {
    Demo::start_with(&[
        "listener.smtp.proxy_from=[\"127.0.0.77\"]",
        "listener.smtp.xclient_from=[\"127.0.0.77\"]",
        "relay.networks=[\"192.0.2.10\",\"127.0.0.77\"]",
    ])
}

#[test]
fn t06_proxy_header_names_the_client() {
    let demo = behind_a_balancer();
    for (client, right) in [(TRUSTED, true), ("192.0.2.11", false)] {
        for header in [version_1(client), version_2(client.parse().ok())] {
            let mut smtp = Dialogue::connect(BALANCER, demo.port("smtp"));
            smtp.send(&header);
            let mut smtp = smtp.greeted();
            let answer = smtp.rcpt(STRANGER, OUTSIDE);
            assert_eq!(answer.starts_with("250"), right, "{client}: {answer}");
            smtp.say("QUIT");
            demo.logged(&["disconnected", &format!("client={client}")]);
        }
    }
}

#[test]
fn t06_proxy_header_from_unlisted_peer() {
    let demo = behind_a_balancer();
    for header in [version_1(TRUSTED), version_2(TRUSTED.parse().ok())] {
        // At once: before the greeting (nobody may speak then) or just behind it.
        let mut early = demo.dial("smtp");
        early.send([&header, attempt().as_bytes()].concat());
        let said = early.rest();
        assert!(nothing_taken(&said), "{said}");
        // After it: no command of ours.
        let mut late = demo.dial("smtp");
        assert!(late.reply().starts_with("220"));
        late.send(&header);
        late.send("NOOP\r\n");
        let answer = late.reply();
        assert!(answer.starts_with('5') || answer.is_empty(), "{answer}");
    }
    let mut smtp = demo.dial("smtp").greeted();
    let answer = smtp.say("PROXY TCP4 192.0.2.10 192.0.2.1 40000 25");
    assert!(answer.starts_with("500"), "{answer}");
    assert!(relay_denied(&smtp.rcpt(STRANGER, OUTSIDE)));
    assert!(!demo.log().contains("client=192.0.2.10"));
    assert!(demo.outside().is_empty());
}

#[test]
fn t06_second_proxy_header_is_no_header() {
    let demo = behind_a_balancer();
    for second in [version_1(TRUSTED), version_2(TRUSTED.parse().ok())] {
        let mut smtp = Dialogue::connect(BALANCER, demo.port("smtp"));
        smtp.send([version_1("192.0.2.11"), second, attempt().into_bytes()].concat());
        let said = smtp.rest();
        assert!(nothing_taken(&said), "{said}");
        assert!(said.is_empty() || said.contains("500") || said.contains("554"), "{said}");
    }
    demo.logged(&["disconnected", "client=192.0.2.11"]);
    assert!(!demo.log().contains("client=192.0.2.10"));
}

#[test]
fn t06_no_client_in_the_header_is_no_connection() {
    let demo = behind_a_balancer();
    let unspec = [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x21, 0, 0, 0]].concat();
    let unix = [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x21, 0x31, 0, 216], &[b'a'; 216]].concat();
    let missing = format!("EHLO x\r\nMAIL FROM:<{STRANGER}>\r\nRCPT TO:<{OUTSIDE}>\r\n").into_bytes();
    let headers = [version_2(None), unspec, unix, b"PROXY UNKNOWN\r\n".to_vec(), missing, b"PROXY TCP4 x\r\n".to_vec()];
    for header in headers {
        let mut smtp = Dialogue::connect(BALANCER, demo.port("smtp"));
        smtp.send(&header);
        smtp.send("EHLO x\r\n");
        let said = smtp.rest();
        assert_eq!(said, "", "{header:?}");
    }
    // Each is in the log, under the balancer's own address, and never as a session.
    demo.logged(&["connection_failed", "client=127.0.0.77"]);
    assert!(!demo.log().contains("disconnected"));
}

#[test]
fn t06_xclient_behind_a_proxy_header_is_refused() {
    let demo = behind_a_balancer();
    for client in ["192.0.2.11", "127.0.0.77", "127.0.0.1"] {
        let mut smtp = Dialogue::connect(BALANCER, demo.port("smtp"));
        smtp.send(version_1(client));
        let mut smtp = smtp.greeted();
        let offered = smtp.say("EHLO x.example");
        assert!(!offered.contains("XCLIENT"), "{client}: {offered}");
        let answer = smtp.say(&format!("XCLIENT ADDR={TRUSTED}"));
        assert!(answer.starts_with("502"), "{client}: {answer}");
        if client == "192.0.2.11" {
            assert!(relay_denied(&smtp.rcpt(STRANGER, OUTSIDE)));
        }
    }
    assert!(!demo.log().contains(TRUSTED));
}

/// A listed host of ours that hands mail on: 127.0.0.1, itself in a relay network.
fn before_us() -> Demo {
    let listeners = ["smtp", "submission"].map(|name| format!("listener.{name}.xclient_from=[\"127.0.0.1\"]"));
    Demo::start_with(&[&listeners[0], &listeners[1], "relay.networks=[\"127.0.0.1\",\"192.0.2.10\"]"])
}

fn swaks(demo: &Demo, from: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("swaks");
    command.args(["--server", "127.0.0.1", "--port", &demo.port("smtp").to_string(), "--helo", "client.example"]);
    command.args(["--local-interface", from, "--from", STRANGER, "--to", OUTSIDE, "--timeout", "20"]);
    command.args(arguments);
    command
}

#[test]
fn t07_xclient_speaks_for_the_client_that_it_names() {
    let demo = before_us();
    run(&mut swaks(&demo, "127.0.0.1", &["--header", "Subject: of our own"]));
    demo.until("our own mail", || (demo.outside().len() == 1).then_some(()));
    // For a stranger the host has no right, whatever it has for itself.
    let said = run_failing(&mut swaks(&demo, "127.0.0.1", &["--xclient", "ADDR=203.0.113.9"]));
    assert!(said.contains("we do not relay"), "{said}");
    run(&mut swaks(&demo, "127.0.0.1", &["--xclient", "ADDR=192.0.2.10 NAME=client.example"]));
    demo.until("its mail", || (demo.outside().len() == 2).then_some(()));
    demo.logged(&["disconnected", "client=203.0.113.9"]);
}

#[test]
fn t07_xclient_from_unlisted_host() {
    let demo = before_us();
    let said = run_failing(&mut swaks(&demo, "127.0.0.66", &["--xclient", "ADDR=192.0.2.10"]));
    assert!(!said.contains("250-XCLIENT") && !said.contains("250 XCLIENT"), "{said}");
    let mut smtp = Dialogue::connect(Ipv4Addr::new(127, 0, 0, 66), demo.port("smtp")).greeted();
    for command in ["XCLIENT ADDR=192.0.2.10", "XCLIENT ADDR=127.0.0.1 LOGIN=alice", "XFORWARD ADDR=192.0.2.10"] {
        assert!(smtp.say(command).starts_with("502"), "{command}");
    }
    assert!(relay_denied(&smtp.rcpt(STRANGER, OUTSIDE)));
    assert!(demo.outside().is_empty());
    // XFORWARD is for nobody.
    assert!(demo.dial("smtp").greeted().say("XFORWARD ADDR=192.0.2.10").starts_with("502"));
}

#[test]
fn t07_xclient_resets_login_and_grants() {
    let demo = before_us();
    let alice = demo.account("alice");
    let mut smtp = demo.submission(&alice);
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("250"));
    assert!(smtp.say("XCLIENT ADDR=203.0.113.9").starts_with("503"), "not within a transaction");
    smtp.say("RSET");
    assert!(smtp.say("XCLIENT ADDR=203.0.113.9 LOGIN=alice@example.test").starts_with("220"));
    assert!(smtp.say("EHLO client.example").starts_with("250"));
    let answer = smtp.rcpt(&alice.address, OUTSIDE);
    assert!(answer.starts_with("530"), "the login is gone: {answer}");
    // A grant by POP login belongs to an address, and is left behind with it.
    pop_login(&demo, &alice);
    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("250"));
    smtp.say("RSET");
    assert!(smtp.say("XCLIENT ADDR=203.0.113.9").starts_with("220"));
    smtp.say("EHLO client.example");
    assert!(relay_denied(&smtp.rcpt(&alice.address, OUTSIDE)));
}

/// A client of unknown address must have neither the proxy's rights nor those of the client before it.
#[test]
fn t07_xclient_without_an_address_is_refused() {
    let demo = before_us();
    let mut smtp = demo.dial("smtp").greeted();
    for command in ["XCLIENT NAME=client.example", "XCLIENT ADDR=[UNAVAILABLE]", "XCLIENT LOGIN=alice"] {
        let answer = smtp.say(command);
        assert!(answer.starts_with("501"), "{command}: {answer}");
    }
    assert!(smtp.say("XCLIENT ADDR=192.0.2.10").starts_with("220"));
    smtp.say("EHLO client.example");
    assert!(smtp.say("XCLIENT ADDR=[UNAVAILABLE]").starts_with("501"));
}

#[test]
fn t04_no_word_of_the_client_gives_a_grant() {
    let demo = Demo::start();
    for helo in ["localhost", "localhost.localdomain", "mail.example.test", "example.test", "[127.0.0.1]", "alice"] {
        for from in ["", "alice@example.test", "postmaster@example.test", "x@localhost.localdomain", "root@localhost"] {
            let mut smtp = demo.dial("smtp");
            smtp.reply();
            smtp.say(&format!("HELO {helo}"));
            let answer = smtp.rcpt(from, OUTSIDE);
            assert!(relay_denied(&answer), "HELO {helo}, MAIL FROM:<{from}>: {answer}");
        }
    }
    assert!(demo.outside().is_empty());
}

#[test]
fn t08_routes_are_neither_local_nor_relayed() {
    let demo = Demo::start();
    let mut smtp = demo.dial("smtp").greeted();
    for to in [
        "\"friend%outside.example\"@example.test",
        "friend%outside.example@example.test",
        "friend@outside.example@example.test",
        "\"friend@outside.example\"@example.test",
        "@example.test,@mail.example.test:friend@outside.example",
        "outside.example!friend@example.test",
        "outside.example!friend",
        "friend%outside.example",
        "friend@outside.example@",
    ] {
        let answer = smtp.rcpt(STRANGER, to);
        assert!(answer.starts_with('5'), "{to}: {answer}");
    }
    assert!(demo.outside().is_empty());
}

/// The right of one transaction is none in the next.
#[test]
fn t12_a_right_ends_with_its_transaction() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    pop_login(&demo, &alice);
    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("250"));
    // `rcpt` begins with RSET.
    assert!(relay_denied(&smtp.rcpt(STRANGER, OUTSIDE)));
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("250"));
    assert!(smtp.say(&format!("MAIL FROM:<{STRANGER}>")).starts_with("503"), "no second MAIL");
    smtp.say("EHLO client.example");
    assert!(smtp.say("DATA").starts_with("503"), "EHLO ends a transaction");
    assert!(relay_denied(&smtp.rcpt(STRANGER, OUTSIDE)));
    assert!(relay_denied(&smtp.rcpt("", OUTSIDE)), "nor for the null reverse-path");
    // The grant is taken back while a transaction runs: the recipients after that are refused.
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("250"));
    demo.ruled(&["grant", "revoke", "--all"]);
    assert!(relay_denied(&smtp.say("RCPT TO:<another@outside.example>")));
    // A failed login gives nothing, and takes nothing that AUTH had given to a later one.
    let mut smtp = demo.under_tls("submission");
    let wrong = base64(&format!("\0{}\0wrong", alice.login));
    assert!(smtp.say(&format!("AUTH PLAIN {wrong}")).starts_with("535"));
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("530"));
    let mut smtp = demo.submission(&alice);
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("250"));
    let again = smtp.say(&format!("AUTH PLAIN {wrong}"));
    assert!(again.starts_with("503"), "AUTH once: {again}");
    assert!(demo.outside().is_empty());
}

/// A program that polls every minute renews its grant, but not its quota; who gets the address next inherits neither.
#[test]
fn t20_polling_renews_no_quota_and_serves_no_neighbour() {
    let demo = Demo::start_with(&["relay.pop.messages_per_hour=2"]);
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let mut smtp = demo.dial("smtp").greeted();
    for _ in 0..2 {
        pop_login(&demo, &alice);
        let answer = smtp.mail(&alice.address, OUTSIDE, "Subject: x\r\n\r\nx\r\n");
        assert!(answer.starts_with("250"), "{answer}");
    }
    pop_login(&demo, &alice);
    let answer = smtp.rcpt(&alice.address, OUTSIDE);
    assert!(answer.starts_with("450 4.7.1"), "{answer}");
    // Behind the same address: no login, no right; not even in the name of who had one.
    assert!(relay_denied(&smtp.rcpt(&bob.address, OUTSIDE)));
    assert!(relay_denied(&smtp.rcpt(STRANGER, OUTSIDE)));
    pop_login(&demo, &bob);
    assert!(smtp.rcpt(&bob.address, OUTSIDE).starts_with("250"), "Bob has a quota of his own");
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("450"));
    demo.logged(&["pop", "grant", &bob.login, "shared=true"]);
}

#[test]
fn t45_unknown_and_foreign_recipients_are_refused_at_rcpt() {
    let demo = Demo::start();
    let mut smtp = demo.dial("smtp").greeted();
    let unknown = smtp.rcpt(STRANGER, "nobody@example.test");
    assert!(unknown.starts_with("550 5.1.1"), "{unknown}");
    assert!(smtp.say("DATA").starts_with("554"), "no recipient, no data");
    assert!(relay_denied(&smtp.rcpt(STRANGER, OUTSIDE)));
    assert!(smtp.say("DATA").starts_with("554"));
    // One that we know does not carry the other in.
    assert!(smtp.rcpt(STRANGER, "alice@example.test").starts_with("250"));
    assert!(smtp.say("RCPT TO:<nobody@example.test>").starts_with("550 5.1.1"));
    // Who logged in hears it just so.
    let alice = demo.account("alice");
    let answer = demo.submission(&alice).rcpt(&alice.address, "nobody@example.test");
    assert!(answer.starts_with("550 5.1.1"), "{answer}");
}

#[test]
fn t03_a_server_that_trusts_strangers_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sekisho.toml");
    for (network, line) in [("0.0.0.0/0", 7), ("::/0", 7), ("8.0.0.0/8", 7), ("172.0.0.0/8", 7), ("192.0.2.1/24", 7)] {
        let text = format!(
            "hostname = \"mail.example.test\"\ndata_dir = \".\"\n\n[relay]\nnetworks = [\n  \"192.0.2.0/29\",\n  \"{network}\",\n]\n"
        );
        std::fs::write(&file, text).unwrap();
        for command in [&["serve"][..], &["config", "check"]] {
            let sekisho =
                Command::new(env!("CARGO_BIN_EXE_sekisho")).arg("-c").arg(&file).args(command).output().unwrap();
            let said = String::from_utf8_lossy(&sekisho.stderr).into_owned();
            assert_eq!(sekisho.status.code(), Some(2), "{network}: {said}");
            assert!(said.contains(&format!("sekisho.toml:{line}:3")) && said.contains(network), "{network}: {said}");
        }
    }
}

/// T9: whoever lets the MX of his domain point here makes us no backup for it.
#[test]
fn t09_an_mx_that_points_here_gives_no_right() {
    let zone =
        [("backup.example.", Record::Mx("mail.example.test.")), ("mail.example.test.", Record::A(Ipv4Addr::LOCALHOST))];
    let server = NameServer::start(&zone, Otherwise::Denies);
    let demo = Demo::start_with(&[&server.setting(), "listener.smtp.xclient_from=['127.0.0.1']"]);
    let mut stranger = demo.speaks_for("192.0.2.44", "mx.backup.example");
    for from in [STRANGER, "", "boss@backup.example"] {
        let answer = stranger.rcpt(from, "anybody@backup.example");
        assert!(relay_denied(&answer), "<{from}>: {answer}");
    }
}

/// T36: a limit of what somebody sends to the outside holds up neither what comes in nor what stays here, from whomever.
#[test]
fn t36_a_limit_of_what_goes_out_defers_nothing_that_comes_in() {
    let demo = Demo::start_with(&["listener.smtp.xclient_from=['127.0.0.1']", "relay.pop.messages_per_hour=1"]);
    let (alice, bob) = (demo.account("alice").login, demo.account("bob").login);
    demo.ruled(&["grant", "add", TRUSTED, &alice]);
    let from_there = || demo.speaks_for(TRUSTED, "office.example");
    let text = "Subject: x\r\n\r\nx\r\n";
    let mut smtp = from_there();
    assert!(smtp.mail(&alice, OUTSIDE, text).starts_with("250"));
    let exhausted = smtp.mail(&alice, OUTSIDE, text);
    assert!(exhausted.starts_with("450 4.7.1"), "{exhausted}");
    // To our own, from the same address and login, bounces included; and from strangers.
    for from in [alice.as_str(), STRANGER, ""] {
        assert!(from_there().mail(from, &bob, text).starts_with("250"), "<{from}>");
    }
    demo.until_drained();
    assert_eq!(demo.mailbox("bob").len(), 3);
}
