//! Files of other mail servers as access rules and relay entries, over SMTP.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::support::{Demo, Dialogue, message};

const OUTSIDE: &str = "friend@outside.example";
const ALICE: &str = "alice@example.test";
const STRANGER: &str = "x@stranger.example";

/// A folder with files, which a test may change while a demo reads them.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let here = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            here.write(name, text);
        }
        here
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// `access` of these maps, each `TYPE:NAME` or `TYPE:NAME at`.
    fn rules(&self, maps: &[&str]) -> String {
        let rule = |map: &&str| {
            let (map, at) =
                map.split_once(' ').map_or((*map, String::new()), |(map, at)| (map, format!(",at=\"{at}\"")));
            format!("{{map=\"{}\"{at}}}", self.spec(map))
        };
        format!("access=[{}]", maps.iter().map(rule).collect::<Vec<_>>().join(","))
    }

    fn spec(&self, map: &str) -> String {
        let (kind, name) = map.split_once(':').unwrap();
        format!("{kind}:{}", self.path(name).display())
    }
}

fn from(demo: &Demo, last: u8) -> Dialogue {
    Dialogue::connect(Ipv4Addr::new(127, 0, 1, last), demo.port("smtp")).greeted()
}

/// Each in the words of its file, and every one in its place.
#[test]
fn files_of_postfix_and_sendmail_and_the_older_ones_refuse() {
    let files = Files::new(&[
        ("clients.cidr", "# listed\n127.0.1.2/32 REJECT you are listed\n127.0.1.64/26 450 4.7.1 later\n"),
        ("helo", "helo.example 554 5.7.1 not with that name\n"),
        ("senders", "bad.example REJECT\nuser@half.example REJECT 5.1.8 not you\n<> DUNNO\n"),
        ("recipients.pcre", "/^(closed)@/ 550 5.2.1 $1 it is\n"),
        (
            "access",
            "Connect:127.0.1.3\tERROR:5.7.1:550 go away\nFrom:spam@enemy.example\tREJECT\nTo:bob@example.test\tERROR:4.2.1:450 moving\n",
        ),
        ("deny", "user@domainname.co.jp\ndomainname.co.jp\t550 no mail from you\n210.145.219\t\n127.0.1.5\t\n"),
    ]);
    let rules = files.rules(&[
        "cidr:clients.cidr client",
        "access:helo helo",
        "hash:senders sender",
        "pcre:recipients.pcre recipient",
        "sendmail-access:access",
        "deny:deny",
    ]);
    let demo = Demo::start_with(&[&rules]);
    let said = |last: u8, sender: &str, to: &str| from(&demo, last).rcpt(sender, to);
    let table = [
        (2, STRANGER, ALICE, "550 5.7.1 <alice@example.test>: you are listed [", "clients.cidr:2"),
        (70, STRANGER, ALICE, "450 4.7.1 <alice@example.test>: later [", "clients.cidr:3"),
        (9, "a@sub.bad.example", ALICE, "550 5.7.1 <alice@example.test>: Access denied [", "senders:1"),
        (9, "user@half.example", ALICE, "550 5.1.8 <alice@example.test>: not you [", "senders:2"),
        (9, STRANGER, "closed@example.test", "550 5.2.1 <closed@example.test>: closed it is [", "recipients.pcre:1"),
        (3, STRANGER, ALICE, "550 5.7.1 <alice@example.test>: go away [", "access:1"),
        (9, "spam@enemy.example", ALICE, "550 5.7.1 <alice@example.test>: Access denied [", "access:2"),
        (9, STRANGER, "bob@example.test", "450 4.2.1 <bob@example.test>: moving [", "access:3"),
        (9, "user@domainname.co.jp", ALICE, "550 5.7.1 <alice@example.test>: Access denied [", "deny:1"),
        (9, "x@mail.domainname.co.jp", ALICE, "550 5.7.1 <alice@example.test>: no mail from you [", "deny:2"),
        (5, STRANGER, ALICE, "550 5.7.1 <alice@example.test>: Access denied [", "deny:4"),
    ];
    for (client, sender, to, expected, line) in table {
        let answer = said(client, sender, to);
        assert!(answer.starts_with(expected), "{line}: {answer}");
        demo.logged(&["refused", &format!("client=127.0.1.{client}"), &format!("/{line};")]);
    }
    let mut greeted = from(&demo, 9);
    assert!(greeted.say("EHLO pc.helo.example").starts_with("250"));
    assert!(greeted.rcpt(STRANGER, ALICE).starts_with("554 5.7.1 <alice@example.test>: not with that name ["));
    for sender in ["", "other@half.example", STRANGER] {
        assert!(said(9, sender, ALICE).starts_with("250"), "{sender}");
    }
    // Who proved himself is not judged by where he is.
    let alice = demo.account("alice");
    let mut login = demo.submission(&alice);
    assert!(login.rcpt(&alice.address, OUTSIDE).starts_with("250"));
}

#[test]
fn t04_an_ok_of_a_map_never_relays() {
    let everything = "127 OK\n127.0.1.9 OK\nclient.example OK\nstranger.example OK\n<> OK\noutside.example OK\nfriend@outside.example OK\n";
    let files = Files::new(&[
        ("ok", everything),
        ("ok.cidr", "0.0.0.0/0 OK\n::/0 OK\n"),
        ("ok.pcre", "/./ OK\n"),
        ("sendmail", "Connect:127\tRELAY\nTo:outside.example\tRELAY\nFrom:stranger.example\tOK\n127.0.1\tRELAY\n"),
    ]);
    let mut rules = vec!["cidr:ok.cidr client".to_owned(), "sendmail-access:sendmail".to_owned()];
    for at in ["client", "helo", "sender", "recipient"] {
        rules.extend([format!("access:ok {at}"), format!("pcre:ok.pcre {at}")]);
    }
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let demo = Demo::start_with(&[&files.rules(&rules)]);
    for sender in [STRANGER, "", ALICE] {
        let answer = from(&demo, 9).rcpt(sender, OUTSIDE);
        assert!(answer.starts_with("550 5.7.1") && answer.contains("do not relay"), "{sender}: {answer}");
    }
    let answer = from(&demo, 9).rcpt(STRANGER, "nobody@example.test");
    assert!(answer.starts_with("550 5.1.1"), "nor does it make users: {answer}");
    assert!(from(&demo, 9).rcpt(STRANGER, ALICE).starts_with("250"));
    assert!(demo.outside().is_empty());
}

#[test]
fn details_begin_where_the_configuration_says() {
    let files = Files::new(&[("senders", "user@half.example REJECT\n")]);
    let demo = Demo::start_with(&[&files.rules(&["hash:senders sender"]), "domains.detail_delimiter=\"-\""]);
    assert!(from(&demo, 9).rcpt("user-detail@half.example", ALICE).starts_with("550 5.7.1"));
    assert!(from(&demo, 9).rcpt("user+detail@half.example", ALICE).starts_with("250"));
}

#[test]
fn an_observed_rule_only_tells() {
    let files = Files::new(&[("senders", "bad.example REJECT\n")]);
    let rules = files.rules(&["access:senders sender"]).replace("}]", ",mode=\"observe\"}]");
    let demo = Demo::start_with(&[&rules]);
    assert!(from(&demo, 9).rcpt("a@bad.example", ALICE).starts_with("250"));
    let line = demo.logged(&["rule_observed", "stage=sender", "senders:1"]);
    assert!(line.contains("action=\"refuse Access denied\""), "{line}");
}

#[test]
fn a_broken_line_keeps_the_old_maps() {
    let files =
        Files::new(&[("senders", "bad.example REJECT\n"), ("clients", "127.0.1.2 REJECT\n"), ("allow", "127.0.1.7\n")]);
    let rules = files.rules(&["access:senders sender", "cidr:clients client"]);
    let relay = format!("relay.maps=[\"{}\"]", files.spec("ip-allow:allow"));
    let demo = Demo::start_with(&[&rules, &relay]);
    let refused = |sender: &str| from(&demo, 9).rcpt(sender, ALICE).starts_with("550");
    assert!(refused("a@bad.example") && !refused("a@worse.example"));
    files.write("senders", "worse.example REJECT\n");
    let check = ["config", "check", "--set", &rules, "--set", &relay];
    for (name, broken, place) in [
        ("clients", "127.0.1.0/24 OK\n127.0.1.2/33 REJECT\n", "clients:2:1: "),
        ("clients", "127.0.1.2 REJECT\n127.0.1.3 FILTER smtp:[127.0.0.1]\n", "clients:2:1: FILTER is not done here"),
        ("allow", "127.0.1.7\n0.0.0.0/0\n", "allow:2: "),
    ] {
        let good = fs::read_to_string(files.path(name)).unwrap();
        files.write(name, broken);
        for command in [&["reload"][..], &check] {
            let output = demo.sekisho(command);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(&format!("/{place}")), "{command:?}: {said}");
        }
        assert!(refused("a@bad.example") && !refused("a@worse.example"), "{name}: the old maps are in force");
        assert!(from(&demo, 8).rcpt(STRANGER, OUTSIDE).starts_with("550"), "{name}");
        files.write(name, &good);
    }
    demo.ruled(&check);
    demo.ruled(&["reload"]);
    assert!(!refused("a@bad.example") && refused("a@worse.example"));
}

/// The lists of a server of 1999: addresses that may relay, and domains that mail is passed on to.
#[test]
fn ip_allow_and_relay_allow_and_mailertable_relay() {
    let other = Demo::start();
    other.ruled(&["domain", "add", "partner.example"]);
    other.ruled(&["alias", "add", "joe@partner.example", "bob@example.test"]);
    let hop = format!(
        "partner.example\tsmtp:[127.0.0.1]:{}\nold.partner.example\terror:5.1.2:550 moved\n",
        other.port("smtp")
    );
    let files = Files::new(&[
        ("ip_allow", "# pc\n127.0.1.10\n127.0.2\n"),
        ("relay_allow", "partner.example\nelsewhere.example\n"),
        ("mailertable", &hop),
    ]);
    let relay =
        format!("relay.maps=[\"{}\",\"{}\"]", files.spec("ip-allow:ip_allow"), files.spec("relay-allow:relay_allow"));
    let domains = format!("domains.maps=[\"{}\"]", files.spec("mailertable:mailertable"));
    let demo = Demo::start_with(&[&relay, &domains]);
    for (last, relays) in [(10, true), (11, false), (1, false)] {
        let answer = from(&demo, last).rcpt(STRANGER, OUTSIDE);
        assert_eq!(answer.starts_with("250"), relays, "{last}: {answer}");
    }
    let inside = Dialogue::connect(Ipv4Addr::new(127, 0, 2, 200), demo.port("smtp")).greeted().rcpt(STRANGER, OUTSIDE);
    assert!(inside.starts_with("250"), "{inside}");
    demo.logged(&["relayed", "client=127.0.1.10", "right=client-map", "ip_allow:2"]);
    let answer =
        from(&demo, 9).mail(STRANGER, "joe@partner.example", message(STRANGER, "joe@partner.example", "passed on"));
    assert!(answer.starts_with("250"), "{answer}");
    other.until("the mail at the next hop", || {
        other.mailbox("bob").iter().any(|mail| mail.contains("Subject: passed on")).then_some(())
    });
    let moved = from(&demo, 9).rcpt(STRANGER, "joe@old.partner.example");
    assert!(moved.starts_with("550 5.1.2 <joe@old.partner.example>: moved ["), "{moved}");
    for to in ["joe@elsewhere.example", "joe@sub.partner.example"] {
        let answer = from(&demo, 9).rcpt(STRANGER, to);
        assert!(answer.starts_with("550 5.7.1"), "without a next hop nobody would deliver it: {to}: {answer}");
    }
    assert!(demo.outside().is_empty());
}

#[test]
fn a_message_is_held_thrown_away_or_marked() {
    let files = Files::new(&[
        ("senders", "hold.example HOLD look at it\nthrow.example DISCARD\nmark.example PREPEND X-Checked: by a map\n"),
        ("recipients", "outside.example DISCARD\nbob@example.test PREPEND X-For: bob\n"),
    ]);
    let mut demo = Demo::start_with(&[&files.rules(&["access:senders sender", "access:recipients recipient"])]);
    let sent = |demo: &Demo, sender: &str, to: &str| {
        let answer = from(demo, 9).mail(sender, to, message(sender, to, sender));
        assert!(answer.starts_with("250 2.0.0"), "{answer}");
    };
    sent(&demo, "a@throw.example", ALICE);
    demo.logged(&["discarded", "reverse_path=<a@throw.example>", "recipients=1"]);
    sent(&demo, "a@mark.example", "bob@example.test");
    let marked = demo.until("the marked mail", || demo.mailbox("bob").pop());
    let above: Vec<&str> = marked.lines().skip_while(|line| !line.starts_with("X-")).take(3).collect();
    assert!(above[..2] == ["X-Checked: by a map", "X-For: bob"] && above[2].starts_with("Received: "), "{marked}");
    // A recipient that is refused does nothing to the others.
    let mut two = from(&demo, 9);
    assert!(two.rcpt(STRANGER, OUTSIDE).starts_with("550"));
    assert!(two.say(&format!("RCPT TO:<{ALICE}>")).starts_with("250"));
    assert!(two.say("DATA").starts_with("354"));
    assert!(two.say("Subject: two\r\n\r\nx\r\n.").starts_with("250"));
    demo.until("its mail", || (demo.mailbox("alice").len() == 1).then_some(()));
    sent(&demo, "a@hold.example", ALICE);
    demo.logged(&["accepted", "held=true"]);
    demo.kill_9();
    demo.restart();
    let held: serde_json::Value = serde_json::from_str(&demo.ruled(&["queue", "list", "--held", "--json"])).unwrap();
    assert_eq!(held.as_array().unwrap().len(), 1, "{held}");
    assert_eq!(demo.mailbox("alice").len(), 1, "it waits");
    demo.ruled(&["queue", "release", held[0]["id"].as_str().unwrap()]);
    demo.until("the released mail", || (demo.mailbox("alice").len() == 2).then_some(()));
    demo.until_drained();
    assert!(demo.mailbox("alice").iter().all(|mail| !mail.contains("throw.example")));
}
