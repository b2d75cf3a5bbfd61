//! Traps of logins and of TLS, tried on the whole program.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::dns::{NameServer, Otherwise, Record};
use crate::support::{Account, Demo, Dialogue, base64};

const OUTSIDE: &str = "friend@outside.example";

fn plain(login: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", base64(&format!("\0{login}\0{password}")))
}

/// POP3 under TLS from the first octet; the greeting is taken.
fn pop3s(demo: &Demo) -> Dialogue {
    let mut pop = demo.dial("pop3s").start_tls(demo.certificate());
    assert!(pop.reply().starts_with("+OK"));
    pop
}

fn pop_login(demo: &Demo, login: &str, password: &str) -> String {
    let mut pop = pop3s(demo);
    pop.say(&format!("USER {login}"));
    pop.say(&format!("PASS {password}"))
}

#[test]
fn t13_empty_passwords_never_log_in() {
    let demo = Demo::start();
    demo.ruled(&["user", "add", "nopass@example.test", "--no-password"]);
    let alice = demo.account("alice");
    let logins = [alice.login.as_str(), &alice.device_login, "nopass@example.test", "mail", "root", "postmaster", ""];
    for login in logins {
        let mut smtp = demo.under_tls("submission");
        let answer = smtp.say(&plain(login, ""));
        assert!(answer.starts_with('5'), "PLAIN {login}: {answer}");
        let mut smtp = demo.under_tls("submission");
        smtp.say("AUTH LOGIN");
        smtp.say(&base64(login));
        let answer = smtp.say("");
        assert!(answer.starts_with('5'), "LOGIN {login}: {answer}");
        let answer = pop_login(&demo, login, "");
        assert!(answer.starts_with("-ERR") || answer.is_empty(), "PASS {login}: {answer}");
    }
    assert!(!demo.log().contains(" login session="), "{}", demo.log());
}

#[test]
fn t14_a_locked_account_cannot_log_in_at_once() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    // Once right, so that the password is remembered.
    assert!(pop_login(&demo, &alice.login, &alice.password).starts_with("+OK"));
    demo.ruled(&["user", "lock", &alice.login]);
    assert!(pop_login(&demo, &alice.login, &alice.password).starts_with("-ERR"));
    assert!(pop_login(&demo, &alice.device_login, &alice.device_secret).starts_with("-ERR"));
    let answer = demo.under_tls("submission").say(&plain(&alice.login, &alice.password));
    assert!(answer.starts_with("535"), "{answer}");
    demo.ruled(&["user", "unlock", &alice.login]);
    assert!(pop_login(&demo, &alice.login, &alice.password).starts_with("+OK"));
}

/// Guessing in one held connection ends soon, and each guess is in the log at once, not when the connection ends.
#[test]
fn t15_guesses_in_one_connection_end_and_are_logged_at_once() {
    let demo = Demo::start_with(&["auth.failure_delay_ms=0"]);
    let alice = demo.account("alice");
    let failures = |way: &str| {
        let way = format!("way={way}");
        demo.log().lines().filter(|line| line.contains("login") && line.contains("why=") && line.contains(&way)).count()
    };
    let mut smtp = demo.under_tls("submission");
    for guess in 1..=3 {
        let answer = smtp.say(&plain(&alice.login, &format!("guess {guess}")));
        assert!(answer.starts_with("535"), "{answer}");
        demo.until("the guess in the log", || (failures("PLAIN") == guess).then_some(()));
        assert!(guess == 3 || !demo.log().contains("disconnected"), "the connection is still held");
    }
    let end = smtp.rest();
    assert!(end.is_empty() || end.starts_with("421"), "{end}");
    demo.logged(&["disconnected", "listener=submission"]);
    let mut pop = pop3s(&demo);
    for guess in 1..=3 {
        pop.say(&format!("USER {}", alice.login));
        let answer = pop.say(&format!("PASS pop guess {guess}"));
        assert!(answer.starts_with("-ERR"), "{answer}");
        demo.until("the guess in the log", || (failures("USER") == guess).then_some(()));
    }
    assert_eq!(pop.say("CAPA"), "", "closed");
    // Not one guess stands in the log itself.
    assert!(!demo.log().contains("guess 1"));
}

/// In many connections the throttle answers, even to the right password, and only for that address.
#[test]
fn t15_guesses_over_many_connections_are_throttled() {
    let demo = Demo::start_with(&["auth.failure_delay_ms=0", "auth.failures_per_client=4"]);
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    for guess in 0..8 {
        demo.under_tls("submission").say(&plain(&alice.login, &format!("guess {guess}")));
    }
    let answer = demo.under_tls("submission").say(&plain(&bob.login, &bob.password));
    assert!(answer.starts_with("454"), "{answer}");
    demo.logged(&["throttled", &bob.login]);
    let mut other =
        Dialogue::connect(Ipv4Addr::new(127, 0, 0, 66), demo.port("submissions")).start_tls(demo.certificate());
    other.reply();
    other.say("EHLO other.example");
    assert!(other.say(&plain(&bob.login, &bob.password)).starts_with("235"));
}

#[test]
fn t16_auth_where_it_is_not_offered_counts() {
    let demo = Demo::start_with(&["limits.unknown_commands=4", "limits.errors=4"]);
    let alice = demo.account("alice");
    let mut smtp = demo.dial("smtp").greeted();
    for _ in 0..3 {
        let answer = smtp.say(&plain(&alice.login, &alice.password));
        assert!(answer.starts_with("502"), "{answer}");
    }
    let answer = smtp.say("AUTH LOGIN");
    let end = smtp.rest();
    assert!(answer.starts_with("502") && end.starts_with("421"), "{answer}{end}");
    // In clear where it needs TLS: the same, and the password is not even looked at.
    let mut smtp = demo.dial("submission").greeted();
    for _ in 0..4 {
        let answer = smtp.say(&plain(&alice.login, &alice.password));
        assert!(answer.starts_with("538"), "{answer}");
    }
    let end = smtp.rest();
    assert!(end.starts_with("421"), "{end}");
    assert!(!demo.log().contains("way=PLAIN"));
}

#[test]
fn t26_nothing_said_in_clear_counts_under_tls_smtp() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    for behind in
        ["NOOP\r\n", "EHLO x\r\nMAIL FROM:<a@b.example>\r\n", &format!("{}\r\n", plain("x", "y")), "\r\n", " "]
    {
        let mut smtp = demo.dial("submission").greeted();
        smtp.send(format!("STARTTLS\r\n{behind}"));
        let said = smtp.rest();
        assert!(!said.contains("220 ") && !said.contains("250"), "{behind:?}: {said}");
    }
    // What was said before the handshake is forgotten.
    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.rcpt("x@stranger.example", &alice.address).starts_with("250"));
    assert!(smtp.say("STARTTLS").starts_with("503"), "not within a transaction");
    smtp.say("RSET");
    assert!(smtp.say("STARTTLS").starts_with("220"));
    let mut smtp = smtp.start_tls(demo.certificate());
    assert!(smtp.say("MAIL FROM:<x@stranger.example>").starts_with("503"), "EHLO comes first again");
    smtp.say("EHLO client.example");
    assert!(smtp.say("DATA").starts_with("503"));
    assert!(smtp.say("STARTTLS").starts_with("503"), "once");
    // So is a login.
    let mut device = demo.dial("submission").greeted();
    let challenge = device.say("AUTH CRAM-MD5");
    assert!(challenge.starts_with("334"), "{challenge}");
    device.say("*");
    assert!(device.say("STARTTLS").starts_with("220"));
    let mut device = device.start_tls(demo.certificate());
    device.say("EHLO client.example");
    assert!(device.rcpt(&alice.address, OUTSIDE).starts_with("530"));
}

#[test]
fn t26_nothing_said_in_clear_counts_under_tls_pop3() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    for behind in ["CAPA\r\n", "USER alice\r\nPASS x\r\n", "\r\n"] {
        let mut pop = demo.dial("pop3");
        assert!(pop.reply().starts_with("+OK"));
        pop.send(format!("STLS\r\n{behind}"));
        let said = pop.rest();
        assert!(!said.contains("+OK"), "{behind:?}: {said}");
    }
    let mut pop = demo.dial("pop3");
    pop.reply();
    pop.say(&format!("USER {}", alice.login));
    assert!(pop.say("STLS").starts_with("+OK"));
    let mut pop = pop.start_tls(demo.certificate());
    let answer = pop.say(&format!("PASS {}", alice.password));
    assert!(answer.starts_with("-ERR"), "the name was said in clear: {answer}");
    pop.say(&format!("USER {}", alice.login));
    assert!(pop.say(&format!("PASS {}", alice.password)).starts_with("+OK"));
}

/// A user at home: an address of a dial-up range, its name says so, and a HELO that no server would say.
#[test]
fn t34_who_logged_in_is_not_judged_by_his_address() {
    let home = Ipv4Addr::new(203, 0, 113, 66);
    let zone = [
        ("66.113.0.203.in-addr.arpa.", Record::Ptr("203-0-113-66.dyn.isp.example.")),
        ("203-0-113-66.dyn.isp.example.", Record::A(home)),
    ];
    let server = NameServer::start(&zone, Otherwise::Denies);
    let proxies = ["submission", "submissions"].map(|name| format!("listener.{name}.proxy_from=[\"127.0.0.1\"]"));
    // A rule by name makes the server ask for the client's.
    let by_name = "relay.clients=[{name=\".example.test\"}]";
    let demo = Demo::start_with(&[&server.setting(), &proxies[0], &proxies[1], by_name]);
    let alice = demo.account("alice");
    for (port, helo) in [("submission", "DESKTOP-1"), ("submissions", "[192.168.1.5]")] {
        let mut smtp = demo.dial(port);
        smtp.send(format!("PROXY TCP4 {home} 192.0.2.1 40000 587\r\n"));
        if port == "submission" {
            smtp = smtp.greeted();
            assert!(smtp.say("STARTTLS").starts_with("220"));
            smtp = smtp.start_tls(demo.certificate());
        } else {
            smtp = smtp.start_tls(demo.certificate());
            smtp.reply();
        }
        assert!(smtp.say(&format!("EHLO {helo}")).starts_with("250"));
        assert!(smtp.say(&plain(&alice.login, &alice.password)).starts_with("235"));
        let answer = smtp.mail(&alice.address, OUTSIDE, format!("Subject: from home by {port}\r\n\r\nx\r\n"));
        assert!(answer.starts_with("250"), "{answer}");
    }
    demo.until("both mails", || (demo.outside().len() == 2).then_some(()));
}

#[test]
fn t44_invalid_base64_hurts_only_that_session() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let mut other = demo.submission(&alice);
    let broken = ["AUTH PLAIN ====", "AUTH PLAIN \u{1}", "AUTH PLAIN AGFsaWNl*", "AUTH PLAIN A", "AUTH PLAIN AAAA="];
    for line in broken {
        let mut smtp = demo.under_tls("submission");
        let answer = smtp.say(line);
        assert!(answer.starts_with("50"), "{line}: {answer}");
        let answer = smtp.say(&plain(&alice.login, &alice.password));
        assert!(answer.starts_with("235"), "after {line}: {answer}");
    }
    let mut pop = pop3s(&demo);
    for line in ["AUTH PLAIN ====", "AUTH PLAIN A"] {
        let answer = pop.say(line);
        assert!(answer.starts_with("-ERR"), "{line}: {answer}");
    }
    pop.say(&format!("USER {}", alice.login));
    assert!(pop.say(&format!("PASS {}", alice.password)).starts_with("+OK"));
    // A response in the middle of an exchange.
    let mut device = demo.dial("submission").greeted();
    assert!(device.say("AUTH CRAM-MD5").starts_with("334"));
    assert!(device.say("not base64!").starts_with("501"));
    assert!(device.say("NOOP").starts_with("250"));
    let answer = other.mail(&alice.address, OUTSIDE, "Subject: unhurt\r\n\r\nx\r\n");
    assert!(answer.starts_with("250"), "{answer}");
}

/// A login that is wrong by its form is no guess: no account is locked by it.
#[test]
fn t44_invalid_base64_locks_nobody() {
    let demo = Demo::start_with(&["auth.failures_per_client=2", "auth.failures_per_account=2"]);
    let alice = demo.account("alice");
    for _ in 0..5 {
        let mut smtp = demo.under_tls("submission");
        smtp.patience(Duration::from_secs(20));
        assert!(smtp.say("AUTH PLAIN AAAA=").starts_with("501"));
    }
    succeeds(&demo, &alice);
}

fn succeeds(demo: &Demo, account: &Account) {
    let answer = demo.under_tls("submission").say(&plain(&account.login, &account.password));
    assert!(answer.starts_with("235"), "{answer}");
}
