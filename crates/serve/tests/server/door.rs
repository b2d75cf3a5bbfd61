//! Who may come in: rates, bans, and what is left when there is little room.

use std::net::IpAddr;

use state::{ByHand, Offence, Offender};

use super::*;

const PROXIED: &str = "listener.smtp.proxy_from=[\"127.0.0.1\"]";
const OWN: &str = "relay.networks=[\"198.51.100.7\"]";

/// A connection of this client, as a proxy names it.
async fn from(site: &Site, listener: &str, client: &str) -> Peer {
    let mut peer = site.connect(listener).await;
    peer.send(&format!("PROXY TCP4 {client} 127.0.0.1 40000 25\r\n")).await;
    peer
}

/// The same, with its greeting.
async fn greeting(site: &Site, client: &str, start: &str) -> Peer {
    let mut peer = from(site, "smtp", client).await;
    peer.hears(start).await;
    peer
}

async fn until_held(site: &Site, listener: &str, count: usize) {
    let gate = Arc::clone(&site.server.border().site.load().named(listener).unwrap().gate);
    let begun = std::time::Instant::now();
    while gate.held() != count {
        assert!(begun.elapsed() < PATIENCE, "{} are held", gate.held());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_client_begins_so_many_connections_over_all_listeners() {
    let proxied = "listener.pop3.proxy_from=[\"127.0.0.1\"]";
    let limit = "limits.connections_per_minute_per_client=3";
    let site = Site::new(&["smtp", "pop3"], &[PROXIED, proxied, OWN, limit]).await;
    for _ in 0..2 {
        greeting(&site, "203.0.113.21", "220").await;
    }
    from(&site, "pop3", "203.0.113.21").await.hears("+OK").await;
    from(&site, "pop3", "203.0.113.21").await.hears("-ERR [SYS/TEMP]").await;
    let mut away = greeting(&site, "203.0.113.21", "421 4.7.0").await;
    away.hears("").await;
    for client in ["203.0.113.40", "198.51.100.7", "198.51.100.7", "198.51.100.7", "198.51.100.7", "127.0.0.9"] {
        greeting(&site, client, "220").await;
    }
    site.server.stop().await;
}

#[tokio::test]
async fn a_client_holds_so_many_connections_over_all_listeners() {
    let proxied = "listener.pop3.proxy_from=[\"127.0.0.1\"]";
    let site = Site::new(&["smtp", "pop3"], &[PROXIED, proxied, "limits.connections_per_client=2"]).await;
    let mut mail = greeting(&site, "203.0.113.21", "220").await;
    let mut pop = from(&site, "pop3", "203.0.113.21").await;
    pop.hears("+OK").await;
    greeting(&site, "203.0.113.21", "421 4.7.0").await;
    greeting(&site, "203.0.113.40", "220").await;
    mail.says("QUIT", "221").await;
    drop(mail);
    until_held(&site, "smtp", 0).await;
    greeting(&site, "203.0.113.21", "220").await;
    site.server.stop().await;
}

#[tokio::test]
async fn a_banned_client_can_only_log_in() {
    let submission = ["listener.submission.proxy_from=[\"127.0.0.1\"]", "listener.submission.auth_required=false"];
    let site = Site::new(&["smtp", "submission"], &[&[PROXIED, OWN], &submission[..]].concat()).await;
    let state = &site.server.border().sources.state;
    let offender = |addr: &str, times| Offender { addr: ip(addr), offence: Offence::UnknownCommand, times };
    let open = {
        let mut peer = greeting(&site, "203.0.113.21", "220").await;
        peer.says("EHLO c.example.test", "250").await;
        peer
    };
    assert_eq!(state.offended(&offender("203.0.113.21", 29)).await.unwrap(), None);
    let ban = state.offended(&offender("203.0.113.21", 1)).await.unwrap().unwrap();
    assert_eq!((ban.reason.as_str(), ban.before), ("unknown-commands", 0));
    // At the next command of a session that is open, at the door, and where a login is possible.
    { open }.says("MAIL FROM:<x@outside.example>", "421 4.7.1").await;
    greeting(&site, "203.0.113.21", "421 4.7.1").await;
    let logging_in = async || {
        let mut peer = from(&site, "submission", "203.0.113.21").await;
        peer.hears("220").await;
        peer.says("EHLO c.example.test", "250").await;
        peer
    };
    logging_in().await.says("MAIL FROM:<x@outside.example>", "421 4.7.1").await;
    let mut alice = logging_in().await;
    alice.says("AUTH PLAIN AGFsaWNlAHBlbGljYW4gdW1icmVsbGE=", "235").await;
    alice.says("MAIL FROM:<alice@example.test>", "250").await;
    assert_eq!(state.lift(Some(ip("203.0.113.21"))).await.unwrap(), 1);
    greeting(&site, "203.0.113.21", "220").await;
    let by_hand = ByHand { addr: ip("203.0.113.21"), reason: "spam", span: Duration::from_mins(1) };
    state.ban(&by_hand).await.unwrap();
    greeting(&site, "203.0.113.21", "554 5.7.1").await;
    site.server.stop().await;
}

/// A health probe of this machine, a webmail, a proxy: what comes through them is not theirs.
#[tokio::test]
async fn t35_nobody_behind_whom_others_are_is_banned() {
    let others = ["listener.smtp.xclient_from=[\"203.0.113.5\"]", "auth.shared_addresses=[\"203.0.113.6\"]"];
    let mut site = Site::new(&["smtp"], &[&[PROXIED, OWN], &others[..]].concat()).await;
    for addr in ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1", "198.51.100.7", "203.0.113.5", "203.0.113.6"] {
        let state = &site.server.border().sources.state;
        for offence in Offence::ALL {
            assert_eq!(
                state.offended(&Offender { addr: ip(addr), offence, times: 9_999 }).await.unwrap(),
                None,
                "{addr}"
            );
        }
        let by_hand = ByHand { addr: ip(addr), reason: "", span: Duration::from_mins(1) };
        assert!(state.ban(&by_hand).await.unwrap_err().to_string().contains("is never banned"), "{addr}");
    }
    // Whoever becomes one of ours is banned no more.
    let state = Arc::clone(&site.server.border().sources.state);
    state.ban(&ByHand { addr: ip("203.0.113.21"), reason: "", span: Duration::from_mins(1) }).await.unwrap();
    greeting(&site, "203.0.113.21", "554").await;
    let mut settings = Settings::clone(&site.server.border().site.load().settings);
    settings.listeners[0].xclient_from = vec!["203.0.113.16/28".parse().unwrap()];
    site.server.reload(settings).await.unwrap();
    greeting(&site, "203.0.113.21", "220").await;
    site.server.stop().await;
}

#[tokio::test]
async fn what_brings_a_ban() {
    let guesses = ["auth.failures_per_client=1000", "auth.failures_per_account=1000", "auth.failure_delay_ms=0"];
    let cheap =
        ["auth.argon2_memory_kib=8192", "auth.argon2_passes=1", "limits.auth_failures=100", "limits.errors=1000"];
    let more = ["listener.submission.proxy_from=[\"127.0.0.1\"]", "limits.unknown_recipients_per_client=150"];
    let site = Site::new(&["smtp", "submission"], &[&[PROXIED], &guesses[..], &cheap, &more].concat()).await;
    let gone = "421 4.7.1";
    for _ in 0..3 {
        let mut peer = greeting(&site, "203.0.113.21", "220").await;
        peer.says("EHLO c.example.test", "250").await;
        peer.send(&"FROB\r\n".repeat(10)).await;
        while !peer.reply().await.is_empty() {}
    }
    greeting(&site, "203.0.113.21", gone).await;
    for _ in 0..5 {
        let mut peer = greeting(&site, "203.0.113.40", "220").await;
        peer.send("GET / HTTP/1.1\r\n").await;
        while !peer.reply().await.is_empty() {}
    }
    greeting(&site, "203.0.113.40", gone).await;
    let mut trying = from(&site, "submission", "192.0.2.3").await;
    trying.hears("220").await;
    trying.says("EHLO c.example.test", "250").await;
    for number in 0..30 {
        use base64::Engine as _;
        let guess = base64::engine::general_purpose::STANDARD.encode(format!("\0alice\0guess {number}"));
        trying.says(&format!("AUTH PLAIN {guess}"), "535").await;
    }
    greeting(&site, "192.0.2.3", gone).await;
    let mut harvester = greeting(&site, "192.0.2.4", "220").await;
    harvester.says("EHLO c.example.test", "250").await;
    harvester.says("MAIL FROM:<x@outside.example>", "250").await;
    for number in 0..150 {
        harvester.says(&format!("RCPT TO:<name{number}@example.test>"), "550 5.1.1").await;
    }
    let state = &site.server.border().sources.state;
    assert_eq!(state.ban_of(ip("192.0.2.4")).await.unwrap(), None);
    let more = Offender { addr: ip("192.0.2.4"), offence: Offence::UnknownRecipient, times: 50 };
    assert!(state.offended(&more).await.unwrap().is_some(), "those that were tried count");
    harvester.says("RSET", "250").await;
    harvester.says("MAIL FROM:<x@outside.example>", gone).await;
    site.server.stop().await;
}

#[tokio::test]
async fn who_is_known_is_served_to_the_last() {
    let site = Site::new(&["smtp"], &[PROXIED, OWN, "listener.smtp.connections_max=20"]).await;
    let mut held = Vec::new();
    for last in 1..=17 {
        held.push(greeting(&site, &format!("192.0.2.{last}"), "220").await);
    }
    greeting(&site, "192.0.2.99", "421 4.3.2").await.hears("").await;
    until_held(&site, "smtp", 17).await;
    let state = &site.server.border().sources.state;
    state.auth_succeeded(ip("192.0.2.99"), "alice@example.test").await.unwrap();
    held.push(greeting(&site, "192.0.2.98", "220").await);
    held.push(greeting(&site, "198.51.100.7", "220").await);
    greeting(&site, "198.51.100.7", "421 4.3.2").await.hears("").await;
    until_held(&site, "smtp", 19).await;
    let mut last = held.pop().unwrap();
    held.truncate(16);
    until_held(&site, "smtp", 17).await;
    last.says("EHLO c.example.test", "250").await;
    last.says("MAIL FROM:<x@outside.example>", "250").await;
    drop(held);
    until_held(&site, "smtp", 1).await;
    greeting(&site, "192.0.2.100", "220").await;
    site.server.stop().await;
}

#[tokio::test]
async fn at_the_last_only_logins_go_on() {
    let sets = ["listener.submission.auth_required=false", "listener.submission.connections_max=20"];
    let site = Site::new(&["submission"], &sets).await;
    let mut held = Vec::new();
    for _ in 0..19 {
        held.push(site.greeted("submission").await);
    }
    let mut alice = site.greeted("submission").await;
    held[0].says("MAIL FROM:<x@outside.example>", "421 4.3.2").await;
    held[0].hears("").await;
    alice.says("AUTH PLAIN AGFsaWNlAHBlbGljYW4gdW1icmVsbGE=", "235").await;
    alice.says("MAIL FROM:<alice@example.test>", "250").await;
    site.server.stop().await;
}

#[tokio::test]
async fn a_listener_s_lists_say_who_may_connect() {
    let lists =
        ["listener.smtp.allow=[\"192.0.2. EXCEPT 192.0.2.9\"]", "listener.smtp.deny=[\"198.51.100.\", \"192.0.2.9\"]"];
    let site = Site::new(&["smtp"], &[&[PROXIED], &lists[..]].concat()).await;
    for (client, reply) in
        [("203.0.113.21", "220"), ("192.0.2.9", "554 5.7.1"), ("198.51.100.1", "554"), ("203.0.113.1", "220")]
    {
        greeting(&site, client, reply).await;
    }
    site.server.stop().await;
    let lists = ["listener.smtp.allow=[\"192.0.2.7\"]", "listener.smtp.deny=[\"ALL\"]"];
    let site = Site::new(&["smtp"], &[&[PROXIED], &lists[..]].concat()).await;
    greeting(&site, "192.0.2.7", "220").await;
    greeting(&site, "203.0.113.21", "554").await;
    site.server.stop().await;
}
