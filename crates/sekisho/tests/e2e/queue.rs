//! What becomes of mail after 250: held, told, routed; on the whole program.

use std::net::Ipv4Addr;

use crate::outside::Outside;
use crate::support::{Demo, Dialogue};

const STRANGER: &str = "friend@outside.example";
const TEXT: &str = "Subject: x\r\n\r\nx\r\n";

/// Sends to the outside and asks to hear of it.
fn asking_to_hear(smtp: &mut Dialogue, from: &str) {
    assert!(smtp.say(&format!("MAIL FROM:<{from}>")).starts_with("250"));
    assert!(smtp.say("RCPT TO:<x@elsewhere.example> NOTIFY=SUCCESS,FAILURE,DELAY").starts_with("250"));
    assert!(smtp.say("DATA").starts_with("354"));
    assert!(smtp.say(&format!("{TEXT}.")).starts_with("250"));
}

fn reports(mails: &[String]) -> usize {
    mails.iter().filter(|mail| mail.contains("multipart/report")).count()
}

/// T51: a right to relay lets nobody have reports sent to whom they name.
#[test]
fn t51_reports_go_to_proved_senders_only() {
    let satellites = "relay.sender_domains=[\"127.0.0.9 branch.example\"]";
    let demo = Demo::start_with(&["relay.networks=[\"127.0.0.9\"]", satellites]);
    let alice = demo.account("alice");
    demo.ruled(&["alias", "add", "team@example.test", "bob@example.test"]);
    let from_network = || Dialogue::connect(Ipv4Addr::new(127, 0, 0, 9), demo.port("smtp")).greeted();
    for forged in ["victim@victim.example", "nobody@example.test"] {
        asking_to_hear(&mut from_network(), forged);
    }
    // Ours, and there: an account, an alias; a login with its own.
    asking_to_hear(&mut from_network(), "alice@example.test");
    asking_to_hear(&mut from_network(), "team@example.test");
    asking_to_hear(&mut demo.submission(&alice), &alice.address);
    demo.until_drained();
    demo.until("reports", || {
        (reports(&demo.mailbox("alice")) == 2 && reports(&demo.mailbox("bob")) == 1).then_some(())
    });
    assert_eq!((demo.outside().len(), reports(&demo.outside())), (5, 0));
    // A satellite of that network, as a domain that the configuration names for it.
    asking_to_hear(&mut from_network(), "stock@branch.example");
    demo.until("a report to the satellite", || (reports(&demo.outside()) == 1).then_some(()));
}

/// A retry is an attempt at once, whatever rests, and says what came of it; a host that is back takes all that waited for it.
#[test]
fn a_retry_says_what_came_of_it() {
    let place = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let relay = format!("domains.relay=[{{domain=\"inside.test\",next_hop=\"{place}\"}}]");
    let demo = Demo::start_with(&[&relay, "delivery.rest_secs=3600", "delivery.rest_max_secs=3600"]);
    for to in ["one@inside.test", "two@inside.test"] {
        assert!(demo.dial("smtp").greeted().mail(STRANGER, to, TEXT).starts_with("250"));
    }
    demo.logged(&["deferred", "inside.test", "no connection"]);
    let told = demo.ruled(&["queue", "retry", "--destination", "inside.test"]);
    assert!(told.starts_with("retry: 2") && told.contains("deferred") && told.contains("no connection"), "{told}");
    let inside = Outside::on(std::net::TcpListener::bind(place).unwrap());
    let listed: serde_json::Value = serde_json::from_str(&demo.ruled(&["queue", "list", "--json"])).unwrap();
    let first = listed[0]["id"].as_str().unwrap().to_owned();
    let told = demo.ruled(&["queue", "retry", &first]);
    assert!(told.starts_with("retry: 1") && told.contains("delivered"), "{told}");
    demo.until_drained();
    assert_eq!(inside.taken().len(), 2, "the other one went with it");
    assert!(!demo.sekisho(&["queue", "retry", &first]).status.success(), "it is gone");
    assert!(demo.ruled(&["queue", "retry", "--all"]).starts_with("retry: 0"));
}

/// T46: what a network has queued is held when a reload takes the network away. What others have queued waits as before.
#[test]
fn t46_what_a_network_queued_is_held_when_it_is_taken_away() {
    let place = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let smarthost = format!("delivery.smarthost={{host=\"127.0.0.1\",port={},tls=\"off\"}}", place.port());
    let demo = Demo::start_with(&["delivery.remote=\"smarthost\"", &smarthost]);
    let file = demo.facts["config"].as_str().unwrap().to_owned();
    let plain = std::fs::read_to_string(&file).unwrap();
    let reload_with = |networks: &str| {
        let text = plain.replacen("[relay.pop]", &format!("[relay]\nnetworks = [{networks}]\n\n[relay.pop]"), 1);
        std::fs::write(&file, text).unwrap();
        demo.ruled(&["reload"]);
    };
    reload_with("\"127.0.0.8\", \"127.0.0.9\"");
    for last in [8, 9] {
        let mut smtp = Dialogue::connect(Ipv4Addr::new(127, 0, 0, last), demo.port("smtp")).greeted();
        let said = smtp.mail(&format!("from{last}@branch.example"), "x@elsewhere.example", TEXT);
        assert!(said.starts_with("250"), "{said}");
    }
    reload_with("\"127.0.0.8\"");
    demo.logged(&["mail_held", "grant=network", "messages=1"]);
    let listed: serde_json::Value = serde_json::from_str(&demo.ruled(&["queue", "list", "--json"])).unwrap();
    for message in listed.as_array().unwrap() {
        let is_of_9 = message["reverse_path"] == "from9@branch.example";
        assert_eq!(message["hold"].as_str(), is_of_9.then_some("right-ended"), "{message}");
    }
}

/// What aliases send on for strangers is limited, by the alias and by the client.
#[test]
fn strangers_cannot_have_aliases_send_without_end() {
    let demo = Demo::start_with(&["limits.forwards_per_alias=2", "limits.forwards_per_client=4"]);
    for name in ["one", "two", "three"] {
        demo.ruled(&["alias", "add", &format!("{name}@example.test"), "far@elsewhere.example"]);
    }
    let sent = |to: &str| demo.dial("smtp").greeted().mail(STRANGER, &format!("{to}@example.test"), TEXT);
    for (to, taken) in [("one", true), ("ONE", true), ("one", false), ("two", true), ("two", true), ("three", false)] {
        let said = sent(to);
        assert_eq!(said.starts_with("250"), taken, "{to}: {said}");
        assert!(taken || said.starts_with("450 4.7.1"), "{said}");
    }
    assert!(sent("alice").starts_with("250"), "its own mailboxes are not meant");
    demo.until_drained();
    assert_eq!(demo.outside().len(), 4);
}

/// T54: an alias's mail goes as mail to its target would.
#[test]
fn t54_aliases_into_relay_domains_go_to_the_next_hop() {
    let inside = Outside::start();
    let relay = format!("domains.relay=[{{domain=\"inside.test\",next_hop=\"{}\"}}]", inside.address());
    let demo = Demo::start_with(&[&relay]);
    demo.ruled(&[
        "alias",
        "add",
        "team@example.test",
        "boss@inside.test",
        "far@elsewhere.example",
        "alice@example.test",
    ]);
    demo.ruled(&["alias", "add", "all@example.test", "team@example.test", "Other@INSIDE.test"]);
    let sent = demo.dial("smtp").greeted().mail(STRANGER, "all@example.test", TEXT);
    assert!(sent.starts_with("250"), "{sent}");
    demo.until_drained();
    let rcpts: Vec<String> = inside.taken().iter().flat_map(|taken| taken.rcpts.clone()).collect();
    let to = |address: &str| rcpts.iter().filter(|rcpt| rcpt.to_ascii_lowercase().contains(address)).count();
    assert_eq!((rcpts.len(), to("<boss@inside.test>"), to("<other@inside.test>")), (2, 1, 1), "{rcpts:?}");
    assert_eq!((demo.outside().len(), demo.mailbox("alice").len()), (1, 1), "and nothing of it left otherwise");
}

/// A next hop that has nobody but one.
fn refusing_hop() -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let _ = stream.write_all(b"220 hop\r\n");
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                while let Some(line) = lines.next() {
                    let reply: &[u8] = match line.get(..4) {
                        Some("RCPT") if line.contains("sender-blocked") => b"550 5.7.1 not from you\r\n",
                        Some("RCPT") if !line.contains("boss") => b"550 5.1.1 no such user\r\n",
                        Some("DATA") => {
                            let _ = stream.write_all(b"354 go on\r\n");
                            lines.by_ref().find(|line| line == ".");
                            b"250 taken\r\n"
                        }
                        _ => b"250 ok\r\n",
                    };
                    let _ = stream.write_all(reply);
                }
            });
        }
    });
    address
}

/// A next hop is asked before mail for it is taken; nobody is told more than by the code, and who does not answer is handled as the
/// configuration says.
#[test]
fn next_hops_are_asked_for_their_recipients() {
    let (hop, away) = (refusing_hop(), "127.0.0.1:9");
    let relay =
        |domain: &str, hop: &str, verify: &str| format!("{{domain='{domain}',next_hop='{hop}',verify='{verify}'}}");
    let relays = [
        relay("inside.test", &hop, "yes"),
        relay("strict.test", &hop, "strict"),
        relay("away.test", away, "yes"),
        relay("strict-away.test", away, "strict"),
    ];
    let demo = Demo::start_with(&[&format!("domains.relay=[{}]", relays.join(","))]);
    let mut smtp = demo.dial("smtp").greeted();
    for (to, told) in [
        ("gone@inside.test", "550 5.1.1"),
        ("gone@inside.test", "550 5.1.1"),
        ("boss@inside.test", "250"),
        ("sender-blocked@inside.test", "250"),
        ("gone@strict.test", "550 5.1.1"),
        ("boss@strict.test", "250"),
        ("sender-blocked@strict.test", "451"),
        ("anybody@away.test", "250"),
        ("anybody@strict-away.test", "451"),
    ] {
        let answer = smtp.rcpt(STRANGER, to);
        assert!(answer.starts_with(told), "{to}: {answer}");
    }
    demo.logged(&["refused", "reason=unknown-user", "asked=next-hop found=no"]);
    // Nothing was sent to find it out.
    assert!(demo.ruled(&["queue", "list", "--json"]).trim() == "[]");
}

/// What a next hop says of a recipient is asked once and then known before 250.
#[test]
fn a_recipient_that_the_next_hop_does_not_have_is_refused_at_rcpt() {
    let relay = format!("domains.relay=[{{domain=\"inside.test\",next_hop=\"{}\"}}]", refusing_hop());
    let demo = Demo::start_with(&[&relay]);
    for to in ["gone@inside.test", "sender-blocked@inside.test", "boss@inside.test"] {
        assert!(demo.dial("smtp").greeted().mail(STRANGER, to, TEXT).starts_with("250"), "{to}");
    }
    let refused = demo.until("the refusal known", || {
        Some(demo.dial("smtp").greeted().rcpt(STRANGER, "gone@inside.test")).filter(|said| !said.starts_with("250"))
    });
    assert!(refused.starts_with("550 5.1.1"), "{refused}");
    for to in ["boss@inside.test", "sender-blocked@inside.test", "other@inside.test"] {
        assert!(demo.dial("smtp").greeted().rcpt(STRANGER, to).starts_with("250"), "{to}");
    }
    demo.until("two held", || {
        let held: serde_json::Value =
            serde_json::from_str(&demo.ruled(&["queue", "list", "--held", "--json"])).unwrap();
        (held.as_array().unwrap().len() == 2).then_some(())
    });
}
