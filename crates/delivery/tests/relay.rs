//! To other hosts: smarthost, MX, LMTP; what a refusal, a break and a silence lead to.

mod common;

use std::time::Duration;

use common::name_server::NameServer;
use common::name_server::Record::{A, Mx};
use common::sink::{self, Offer};
use common::{Station, account, envelope, mx, network, remote, smarthost};
use delivery::{FateKind, RemoteRoute, Tls, Wanted};
use spool::{Origin, Target};

const MESSAGE: &str = "Subject: x\r\n\r\n.dot\r\nend\r\n";

#[tokio::test]
async fn a_connection_carries_many_messages() {
    let (address, log) = sink::serve("127.0.0.1:0", Offer::Clear, |_| None).await;
    let mut station =
        Station::start(|_| smarthost(address, Tls::Never), |config| config.limits.connections_per_destination = 1);
    for _ in 0..5 {
        station.post(remote(account(), &["a@one.example", "b@two.example"]), MESSAGE).await;
    }
    let fates = station.fates(10).await;
    assert!(fates.iter().all(|fate| fate.kind == FateKind::Delivered), "{fates:?}");
    let received = log.received();
    assert_eq!((received.len(), log.connections()), (5, 1));
    assert_eq!(received[0].message, "Subject: x\r\n\r\n..dot\r\nend\r\n");
    assert!(received[0].commands.contains(&"RCPT TO:<b@two.example>".to_owned()), "{received:?}");
    station.delivery.shutdown(Duration::from_secs(5)).await;
    assert_eq!(station.spool.stats(common::micros_ago(Duration::ZERO)).messages, 0);
}

#[tokio::test]
async fn passwords_go_only_to_a_proved_host() {
    let (address, log) = sink::serve("127.0.0.1:0", Offer::Tls, |_| None).await;
    let route = |tls| {
        let RemoteRoute::Smarthost(mut host) = smarthost(address, tls) else { unreachable!() };
        host.credentials = Some(sasl::client::Credentials::new("relay-login", b"secret").unwrap());
        assert!(!format!("{host:?}").contains("secret"));
        RemoteRoute::Smarthost(host)
    };
    let mut station = Station::start(|_| route(Tls::Required), |_| {});
    station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
    assert_eq!(station.fate().await.kind, FateKind::Delivered);
    let received = log.received();
    assert!(received[0].tls && received[0].commands.iter().any(|line| line.starts_with("AUTH PLAIN AHJlbGF5")));

    let mut station = Station::start(|_| route(Tls::Opportunistic), |_| {});
    station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
    let fate = station.fate().await;
    assert_eq!(fate.kind, FateKind::Deferred);
    assert!(fate.reply.contains("no usable mechanism"), "{fate:?}");
    assert_eq!(log.received().len(), 1);
}

/// PLAIN is the stronger of the two that are offered.
#[tokio::test]
async fn a_login_is_proved_by_the_mechanism_that_was_asked_for() {
    let (address, log) = sink::serve("127.0.0.1:0", Offer::Tls, |line| {
        if line.starts_with("AUTH LOGIN") { Some("535 5.7.8 by LOGIN") } else { None }
    })
    .await;
    for (mechanism, told) in [(sasl::Mechanism::Login, "by LOGIN"), (sasl::Mechanism::CramMd5, "no usable mechanism")] {
        let RemoteRoute::Smarthost(mut host) = smarthost(address, Tls::Required) else { unreachable!() };
        host.credentials = Some(sasl::client::Credentials::new("login", b"secret").unwrap().only_by(mechanism));
        let mut station = Station::start(|_| RemoteRoute::Smarthost(host.clone()), |_| {});
        station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
        let fate = station.fate().await;
        assert_eq!(fate.kind, FateKind::Deferred);
        assert!(fate.reply.contains(told), "{fate:?}");
    }
    assert!(log.received().is_empty());
}

#[tokio::test]
async fn required_tls_never_falls_back() {
    for offer in [Offer::Clear, Offer::BrokenTls] {
        let script: sink::Script =
            if offer == Offer::Clear { |line| (line == "STARTTLS").then_some("502 no") } else { |_| None };
        let (address, log) = sink::serve("127.0.0.1:0", offer, script).await;
        let mut station = Station::start(|_| smarthost(address, Tls::Required), |_| {});
        station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
        assert_eq!(station.fate().await.kind, FateKind::Deferred);
        assert!(log.received().is_empty());
    }
}

#[tokio::test]
async fn opportunistic_tls_is_used_or_done_without() {
    for (offer, tls) in [(Offer::Tls, true), (Offer::BrokenTls, false), (Offer::Clear, false)] {
        let (address, log) = sink::serve("127.0.0.1:0", offer, |_| None).await;
        let mut station = Station::start(|_| smarthost(address, Tls::Opportunistic), |_| {});
        station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
        let fate = station.fate().await;
        assert_eq!(fate.kind, FateKind::Delivered, "{fate:?}");
        assert_eq!(log.received()[0].tls, tls);
    }
}

/// Whatever stalls or breaks once STARTTLS was said: the next try is in clear, and the one after that at once.
#[tokio::test]
async fn opportunistic_tls_that_stalls_or_breaks_is_done_without() {
    let offers = [
        Offer::StalledTls,
        Offer::MuteTls,
        Offer::FragileTls("EHLO"),
        Offer::FragileTls("MAIL"),
        Offer::FragileTls("DATA"),
    ];
    for offer in offers {
        let (address, log) = sink::serve("127.0.0.1:0", offer, |_| None).await;
        let one_second = |config: &mut delivery::Config| config.limits.reply = Duration::from_secs(1);
        let mut station = Station::start(|_| smarthost(address, Tls::Opportunistic), one_second);
        for connections in [2, 2] {
            station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
            let fate = station.fate().await;
            assert_eq!(fate.kind, FateKind::Delivered, "{fate:?}");
            assert_eq!(log.connections(), connections);
        }
        assert!(log.received().iter().all(|received| !received.tls));
        let mut station = Station::start(|_| smarthost(address, Tls::Required), one_second);
        station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
        assert_eq!(station.fate().await.kind, FateKind::Deferred, "policy demands it");
        assert_eq!(log.received().len(), 2);
    }
}

#[tokio::test]
async fn mx_hosts_are_tried_in_order_and_dns_decides_what_is_final() {
    let (address, log) = sink::serve("127.0.0.2:0", Offer::Clear, |_| None).await;
    let away = "127.0.0.3".parse().unwrap();
    let here = "127.0.0.2".parse().unwrap();
    let zone = vec![
        ("d_d.example.", Mx(10, "mx_1.example")),
        ("mx_1.example.", A(here)),
        ("d.example.", Mx(20, "good.example")),
        ("d.example.", Mx(10, "away.example")),
        ("d.example.", Mx(30, "mx.example.test")),
        ("away.example.", A(away)),
        ("good.example.", A(here)),
        ("implicit.example.", A(here)),
        ("null.example.", Mx(0, "")),
        ("loop.example.", Mx(10, "mx.example.test")),
        ("loop.example.", Mx(20, "good.example")),
        ("closed.example.", A(away)),
    ];
    let server = NameServer::start(zone).await;
    let mut station = Station::start(|_| mx(address.port(), server.address), |_| {});
    let table = [
        ("d.example", FateKind::Delivered, "queued"),
        ("implicit.example", FateKind::Delivered, "queued"),
        ("d_d.example", FateKind::Delivered, "queued"),
        ("[127.0.0.2]", FateKind::Delivered, "queued"),
        ("null.example", FateKind::Bounced, "556 5.1.10"),
        ("loop.example", FateKind::Bounced, "554 5.4.6"),
        ("nowhere.example", FateKind::Bounced, "550 5.1.2"),
        ("dead.example", FateKind::Deferred, "451 4.4.3"),
        ("closed.example", FateKind::Deferred, "451 4.4.1"),
    ];
    for (domain, kind, reply) in table {
        let address = format!("b@{domain}");
        let id = station.post(remote(account(), &[&address]), MESSAGE).await;
        let fate = loop {
            let fate = station.fate().await;
            if fate.queue_id == id {
                break fate;
            }
        };
        assert_eq!(fate.kind, kind, "{domain} {fate:?}");
        assert!(fate.reply.contains(reply), "{domain} {fate:?}");
    }
    assert_eq!(log.received().len(), 4);
}

#[tokio::test]
async fn each_recipient_has_a_fate_of_its_own() {
    let script: sink::Script = |line| match line {
        "RCPT TO:<no@one.example>" => Some("550 5.1.1 no such user"),
        "RCPT TO:<later@one.example>" => Some("450 4.2.1 busy"),
        _ => None,
    };
    let (address, log) = sink::serve("127.0.0.1:0", Offer::Clear, script).await;
    let mut station = Station::start(|_| smarthost(address, Tls::Never), |_| {});
    let to = ["yes@one.example", "no@one.example", "later@one.example"];
    station.post(remote(account(), &to), MESSAGE).await;
    let mut fates = station.fates(4).await;
    fates.sort_by(|a, b| a.forward_path.cmp(&b.forward_path));
    let got: Vec<_> = fates.iter().map(|fate| (fate.forward_path.as_str(), fate.kind)).collect();
    let expected = [
        ("alice@example.test", FateKind::Delivered),
        ("later@one.example", FateKind::Deferred),
        ("no@one.example", FateKind::Bounced),
        ("yes@one.example", FateKind::Delivered),
    ];
    assert_eq!(got, expected);
    assert_eq!(log.received().len(), 1);
    let notices = station.mailbox("alice");
    assert_eq!(notices.len(), 1);
    for line in
        ["Return-Path: <>\n", "Delivered-To: alice@example.test\n", "Status: 5.1.1\n", "no@one.example", "Subject: x\n"]
    {
        assert!(notices[0].contains(line), "{line:?} is not in\n{}", notices[0]);
    }
    assert!(!notices[0].contains("later@one.example"));
}

#[tokio::test]
async fn mail_from_outside_is_held_never_bounced() {
    let (address, _log) =
        sink::serve("127.0.0.1:0", Offer::Clear, |line| line.starts_with("RCPT").then_some("550 no")).await;
    let mut station = Station::start(|_| smarthost(address, Tls::Never), |_| {});
    station.post(remote(Origin::Outside, &["a@one.example"]), MESSAGE).await;
    assert_eq!(station.fate().await.kind, FateKind::Held);
    station.post(remote(Origin::Bounce, &["a@one.example"]), MESSAGE).await;
    assert_eq!(station.fate().await.kind, FateKind::Dropped);
    station.delivery.shutdown(Duration::from_secs(5)).await;
    let stats = station.spool.stats(common::micros_ago(Duration::ZERO));
    assert_eq!((stats.messages, stats.held), (1, 1));
    assert!(std::fs::read_dir(station.dir.path().join("alice/new")).unwrap().next().is_none());
}

/// T51: whoever may relay can name anybody as the sender.
#[tokio::test]
async fn t51_no_notice_goes_to_a_reverse_path_that_nobody_proved() {
    let refuses = |line: &str| match line {
        "RCPT TO:<no@one.example>" => Some("550 5.1.1 who"),
        "RCPT TO:<later@one.example>" => Some("450 4.2.0 later"),
        _ => None,
    };
    let (address, _log) = sink::serve("127.0.0.1:0", Offer::Clear, refuses).await;
    let mut station = Station::start(|_| smarthost(address, Tls::Never), |_| {});
    let mut mail = remote(network(), &["no@one.example", "yes@one.example", "later@one.example"]);
    mail.arrived_at_unix_micros = common::micros_ago(Duration::from_hours(5));
    for recipient in &mut mail.recipients {
        recipient.notify =
            delivery::dsn::notify::SUCCESS | delivery::dsn::notify::FAILURE | delivery::dsn::notify::DELAY;
    }
    station.post(mail, MESSAGE).await;
    let mut kinds: Vec<String> = station.fates(3).await.iter().map(|fate| fate.kind.to_string()).collect();
    kinds.sort();
    assert_eq!(kinds, ["deferred", "delivered", "held"]);
    let stats = station.spool.stats(common::micros_ago(Duration::ZERO));
    assert_eq!((stats.messages, stats.held), (1, 1), "no notice was queued");
    assert!(station.mailbox("alice").is_empty());
    station.delivery.shutdown(Duration::from_secs(5)).await;
}

/// T53: two hosts that take the connection and say nothing.
#[tokio::test]
async fn t53_silent_hosts_stop_neither_local_mail_nor_other_destinations() {
    let silent =
        [std::net::TcpListener::bind("127.0.0.1:0").unwrap(), std::net::TcpListener::bind("127.0.0.1:0").unwrap()];
    let (awake, _log) = sink::serve("127.0.0.1:0", Offer::Clear, |_| None).await;
    let mut station = Station::start(
        |_| smarthost(awake, Tls::Never),
        |config| {
            config.limits.in_flight = 12;
            config.limits.connections = 4;
        },
    );
    for _ in 0..30 {
        for host in &silent {
            let server = host.local_addr().unwrap().to_string();
            let hop = |_: &str| Target::NextHop { server: server.clone() };
            station.post(envelope(Origin::Outside, &["a@silent.example"], hop), MESSAGE).await;
        }
    }
    let local = |address: &str| Target::Maildir { account: address.to_owned() };
    let here = station.post(envelope(Origin::Outside, &["alice@example.test"], local), MESSAGE).await;
    let there = station.post(remote(account(), &["b@one.example"]), MESSAGE).await;
    let mut left = vec![here, there];
    while !left.is_empty() {
        let fate = station.fate().await;
        if fate.kind == FateKind::Delivered {
            left.retain(|id| *id != fate.queue_id);
        }
    }
    station.delivery.shutdown(Duration::ZERO).await;
}

/// What was held, or deleted, while it waited for a connection is not sent.
#[tokio::test]
async fn t46_what_is_held_while_it_waits_for_its_turn_does_not_leave() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut station = Station::start(
        |_| smarthost(silent.local_addr().unwrap(), Tls::Never),
        |config| {
            config.limits.connections_per_destination = 1;
        },
    );
    let first = station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
    let (mut opened, _) = tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
    let second = station.post(remote(account(), &["b@one.example"]), MESSAGE).await;
    while station.delivery.stats().in_flight < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(station.spool.hold_of_login("alice@example.test", "right-ended").await.unwrap(), 2);
    let said = tokio::task::spawn_blocking(move || {
        use std::io::{BufRead as _, Write as _};
        let mut said = Vec::new();
        opened.write_all(b"220 hop\r\n").unwrap();
        // Cut off at the end, or said farewell to.
        for line in std::io::BufReader::new(opened.try_clone().unwrap()).lines().map_while(Result::ok) {
            let reply = if line == "DATA" { "354 go" } else { "250 ok" };
            let reply = if line == "QUIT" { "221 bye" } else { reply };
            let _ = opened.write_all(format!("{reply}\r\n").as_bytes());
            said.push(line);
        }
        said
    });
    // The first had begun: it is settled.
    assert_eq!((station.fate().await.queue_id, station.spool.show(second).await.unwrap().held), (first, true));
    station.delivery.shutdown(Duration::from_secs(5)).await;
    let said = said.await.unwrap();
    assert!(!said.iter().any(|line| line.contains("b@one.example")), "{said:?}");
}

#[tokio::test]
async fn a_delay_is_told_once_and_an_old_message_is_given_up() {
    let (address, _log) =
        sink::serve("127.0.0.1:0", Offer::Clear, |line| line.starts_with("MAIL").then_some("451 4.3.0 later")).await;
    let mut station = Station::start(|_| smarthost(address, Tls::Never), |_| {});
    let mut delayed = remote(account(), &["a@one.example"]);
    delayed.arrived_at_unix_micros = common::micros_ago(Duration::from_hours(5));
    station.post(delayed, MESSAGE).await;
    assert_eq!(station.fates(2).await.iter().filter(|fate| fate.kind == FateKind::Deferred).count(), 1);
    let mut old = remote(account(), &["b@one.example"]);
    old.arrived_at_unix_micros = common::micros_ago(Duration::from_hours(6 * 24));
    station.post(old, MESSAGE).await;
    let fates = station.fates(2).await;
    assert_eq!(fates.iter().filter(|fate| fate.kind == FateKind::Bounced).count(), 1);
    let notices = station.mailbox("alice").concat();
    assert!(notices.contains("Action: delayed\n") && notices.contains("Action: failed\nStatus: 5.4.7\n"), "{notices}");
}

#[tokio::test]
async fn a_kept_connection_that_closed_costs_nothing() {
    // The host says 421 to the second MAIL: the message goes over a new connection.
    let script: sink::Script = {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static MAILS: AtomicUsize = AtomicUsize::new(0);
        |line| (line.starts_with("MAIL") && MAILS.fetch_add(1, Ordering::SeqCst) == 1).then_some("421 4.4.2 idle")
    };
    let (address, log) = sink::serve("127.0.0.1:0", Offer::Clear, script).await;
    let mut station = Station::start(|_| smarthost(address, Tls::Never), |_| {});
    for _ in 0..2 {
        station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
        assert_eq!(station.fate().await.kind, FateKind::Delivered);
    }
    assert_eq!((log.received().len(), log.connections()), (2, 2));
}

#[tokio::test]
async fn lmtp_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let log = sink::serve_lmtp(&path, |line| (line == "RCPT TO:<no@example.test>").then_some("550 5.1.1 who"));
    let mut station = Station::start(|_| smarthost(([127, 0, 0, 1], 1).into(), Tls::Never), |_| {});
    let server = path.to_str().unwrap().to_owned();
    let to = ["a@example.test", "no@example.test", "b@example.test"];
    station.post(envelope(Origin::Outside, &to, |_| Target::Lmtp { server: server.clone() }), MESSAGE).await;
    let kinds: Vec<FateKind> = station.fates(3).await.iter().map(|fate| fate.kind).collect();
    assert_eq!(kinds, [FateKind::Delivered, FateKind::Held, FateKind::Delivered]);
    assert!(log.received()[0].commands[0].starts_with("LHLO mx.example.test"));
}

/// A place where nobody listens, until somebody does.
fn closed() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback")
}

/// Those that come while it rests are not tried, and no attempt is counted. Once it answers, all go.
#[tokio::test]
async fn a_host_that_is_away_rests_and_takes_all_when_it_is_back() {
    let address = closed();
    let mut station =
        Station::start(|_| smarthost(address, Tls::Never), |config| config.limits.host_rest = Duration::from_hours(1));
    let first = station.post(remote(account(), &["a@one.example"]), MESSAGE).await;
    let fate = station.fate().await;
    assert_eq!((fate.queue_id, fate.kind), (first, FateKind::Deferred), "{fate:?}");
    assert!(fate.reply.contains("4.4.1 no connection"), "{fate:?}");
    let second = station.post(remote(account(), &["b@one.example", "c@two.example"]), MESSAGE).await;
    let waiting = loop {
        let listed = station.spool.show(second).await.unwrap();
        if listed.recipients.iter().all(|one| one.reason.is_some()) && !listed.active {
            break listed;
        }
        tokio::task::yield_now().await;
    };
    assert!(waiting.recipients.iter().all(|one| one.attempts == 0), "{waiting:?}");
    assert!(waiting.recipients[0].reason.as_ref().unwrap().contains("no connection"), "{waiting:?}");

    // It is tried, whatever rests, and what came of it is told.
    let pusher = station.delivery.retrier();
    let tried = pusher.retry(&Wanted::Message(first), common::PATIENCE).await.unwrap();
    assert_eq!((tried.messages, tried.told.len(), tried.told[0].kind), (1, 1, FateKind::Deferred));
    assert_eq!(station.fate().await.queue_id, first);
    assert_eq!(station.spool.show(first).await.unwrap().recipients[0].attempts, 2);
    let (_, log) = sink::serve(&address.to_string(), Offer::Clear, |_| None).await;
    station.spool.hold(first).await.unwrap();
    let tried = pusher.retry(&Wanted::Message(first), common::PATIENCE).await.unwrap();
    assert_eq!((tried.messages, tried.held), (0, 1));
    station.spool.release(first, u64::MAX).await.unwrap();
    let tried = pusher.retry(&Wanted::Destination("TWO.example".into()), common::PATIENCE).await.unwrap();
    assert_eq!(
        (tried.messages, tried.told[0].kind, tried.told[0].forward_path.as_str()),
        (1, FateKind::Delivered, "c@two.example")
    );
    let fates = station.fates(3).await;
    assert!(fates.iter().all(|fate| fate.kind == FateKind::Delivered), "{fates:?}");
    assert_eq!(log.received().len(), 3);
    assert!(pusher.retry(&Wanted::Message(first), common::PATIENCE).await.is_none());
    assert_eq!(pusher.retry(&Wanted::All, common::PATIENCE).await.unwrap().messages, 0);
}

/// What the sender asked for goes on as it was asked where the next host knows of it; where not, a success is told here, with
/// the header alone. Who wants to hear nothing hears nothing.
#[tokio::test]
async fn what_the_sender_asked_to_hear_goes_on_or_is_told_here() {
    let plain: sink::Script = |line| line.starts_with("RCPT TO:<never@").then_some("550 5.1.1 no");
    let with_dsn: sink::Script = |line| line.starts_with("EHLO").then_some("250-sink\r\n250 DSN");
    for (script, notices) in [(plain, 1), (with_dsn, 0)] {
        let (address, log) = sink::serve("127.0.0.1:0", Offer::Clear, script).await;
        let mut station = Station::start(|_| smarthost(address, Tls::Never), |_| {});
        let mut asked = remote(account(), &["b@one.example", "never@one.example"]);
        (asked.envid, asked.ret) = (Some("Q Q=1".into()), Some(spool::Ret::Full));
        asked.recipients[0].notify = delivery::dsn::notify::SUCCESS;
        asked.recipients[0].orcpt = Some("rfc822;B+2Bx@one.example".into());
        asked.recipients[1].notify = delivery::dsn::notify::NEVER;
        station.post(asked, MESSAGE).await;
        station.fates(2 + notices).await;
        let said = log.received().iter().flat_map(|one| one.commands.clone()).collect::<String>();
        let (told, expected) = (station.mailbox("alice"), ["NOTIFY=SUCCESS", "NOTIFY=NEVER", "ENVID=Q+20Q+3D1"]);
        assert_eq!(told.len(), notices);
        assert!(expected.iter().all(|one| said.contains(one) == told.is_empty()), "{said}");
        assert_eq!(said.contains("ORCPT=rfc822;B+2Bx@one.example"), told.is_empty(), "{said}");
        for line in ["Return-Path: <>\n", "Original-Envelope-Id: Q Q=1\n", "Action: relayed\nStatus: 2.0.0\n"] {
            assert!(told.iter().all(|notice| notice.contains(line)), "{line:?} {told:?}");
        }
        assert!(told.iter().all(|notice| notice.contains("rfc822; B+x@one.example\n") && !notice.contains("end\n")));
    }
}
