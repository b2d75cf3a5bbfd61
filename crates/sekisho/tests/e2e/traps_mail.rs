//! Traps that lost or changed mail, tried on the whole program.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::outside::Outside;
use crate::support::{Demo, Dialogue, base64, maildir_octets};

const OUTSIDE: &str = "friend@outside.example";
const STRANGER: &str = "x@stranger.example";

/// Ends of data that are none. Behind each comes a second mail, which a server with another rule would take.
const NO_ENDS: [&[u8]; 9] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r\n\r.\r\n",
    b"\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\r\r\n.\r\r\n",
];

fn smuggled(end: &[u8]) -> Vec<u8> {
    let commands = b"MAIL FROM:<evil@stranger.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n";
    [b"Subject: outer\r\n\r\nouter", end, commands, b"Subject: smuggled\r\n\r\nx\r\n.\r\n"].concat()
}

#[test]
fn t25_smuggling_inbound_by_data() {
    let demo = Demo::start_with(&["relay.networks=[\"127.0.0.1\"]"]);
    let alice = demo.account("alice");
    for end in NO_ENDS {
        // A trusted network gets no exemption, a login neither.
        for mut smtp in [demo.dial("smtp").greeted(), demo.submission(&alice)] {
            assert!(smtp.rcpt(&alice.address, &alice.address).starts_with("250"));
            assert!(smtp.say("DATA").starts_with("354"));
            smtp.send(smuggled(end));
            let answer = smtp.reply();
            assert!(answer.starts_with("550 5.6.0"), "{end:?}: {answer}");
            smtp.send("QUIT\r\n");
            let rest = smtp.rest();
            assert!(!rest.contains("250") && !rest.contains("354"), "{end:?}: {rest}");
        }
    }
    nothing_arrived(&demo);
}

#[test]
fn t25_smuggling_inbound_by_bdat() {
    let demo = Demo::start();
    for end in NO_ENDS {
        let text = smuggled(end);
        // Whole, and split within the sequence.
        for cut in [text.len(), 23, 24, 25] {
            let (first, last) = text.split_at(cut);
            let mut smtp = demo.dial("smtp").greeted();
            assert!(smtp.rcpt(STRANGER, "alice@example.test").starts_with("250"));
            smtp.send([format!("BDAT {}\r\n", first.len()).as_bytes(), first].concat());
            smtp.send([format!("BDAT {} LAST\r\n", last.len()).as_bytes(), last].concat());
            let said = smtp.reply() + &smtp.reply();
            assert!(said.contains("550 5.6.0"), "{end:?} cut at {cut}: {said}");
        }
    }
    nothing_arrived(&demo);
}

/// One honest mail behind all others: when it has arrived, they have had their turn.
fn nothing_arrived(demo: &Demo) {
    let answer = demo.dial("smtp").greeted().mail(STRANGER, "bob@example.test", "Subject: honest\r\n\r\nx\r\n");
    assert!(answer.starts_with("250"), "{answer}");
    demo.until("the honest mail", || (demo.mailbox("bob").len() == 1).then_some(()));
    demo.until_drained();
    assert_eq!(demo.mailbox("alice"), Vec::<String>::new());
}

/// Whatever stands above them, hops are counted and what a submission has is not written again.
#[test]
fn t57_the_header_is_read_to_its_end() {
    let demo = Demo::start();
    let padding = format!("X-Padding: {}\r\n", "x".repeat(700)).repeat(100);
    let hop = "Received: from a.example by b.example with ESMTP id 1; Mon, 2 Nov 2026 03:04:05 +0900\r\n";
    let rounds = [format!("{}{}", hop.repeat(101), padding), format!("{padding}{}", hop.repeat(101))];
    for header in rounds.iter().chain([&format!("{hop}X-Padding: x\r\n{}", " x\r\n".repeat(200)).repeat(101)]) {
        let body = format!("{header}Subject: round\r\n\r\nx\r\n");
        let answer = demo.dial("smtp").greeted().mail(STRANGER, "alice@example.test", &body);
        assert!(answer.starts_with("554 5.4.6"), "{answer}");
    }
    let endless = format!("{}Subject: endless\r\n\r\nx\r\n", padding.repeat(16));
    let answer = demo.dial("smtp").greeted().mail(STRANGER, "alice@example.test", &endless);
    assert!(answer.starts_with("554 5.3.4"), "{answer}");
    nothing_arrived(&demo);
    let bob = demo.account("bob");
    let dated = format!("{padding}Date: Mon, 2 Nov 2026 03:04:05 +0900\r\nMessage-ID: <mine@a.example>\r\n\r\nx\r\n");
    for body in [dated, format!("{padding}Subject: undated\r\n\r\nx\r\n")] {
        let answer = demo.submission(&bob).mail(&bob.address, "alice@example.test", &body);
        assert!(answer.starts_with("250"), "{answer}");
    }
    let mails = demo.until("both mails", || Some(demo.mailbox("alice")).filter(|mails| mails.len() == 2));
    for mail in &mails {
        let fields = |name: &str| mail.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!((fields("Received:"), fields("Date:"), fields("Message-ID:")), (1, 1, 1));
        assert!(mail.find("Received:") < mail.find("X-Padding:"));
    }
}

/// What a client calls itself opens and closes nothing in the field that tells of it.
#[test]
fn a_greeting_forges_nothing_in_received() {
    let demo = Demo::start();
    let names = ["x(unclosed", "evil)by.mail.example.test(trusted", "a;b", "\"", "<>", "\\"];
    for name in names {
        let mut smtp = demo.dial("smtp").greeted();
        smtp.say(&format!("EHLO {name}"));
        let answer = smtp.mail(STRANGER, "alice@example.test", "Subject: x\r\n\r\nx\r\n");
        assert!(answer.starts_with("250"), "{answer}");
    }
    let mails = demo.until("the mails", || Some(demo.mailbox("alice")).filter(|mails| mails.len() == names.len()));
    for mail in mails {
        let from = mail.lines().find(|line| line.starts_with("Received:")).and_then(|line| line.split(" ([").next());
        assert!(from.is_some_and(|from| !from.contains(['(', ')', '<', '>', ';', '"', '\\'])), "{from:?}");
    }
}

fn with(outside: &Outside) -> Demo {
    let settings = outside.settings();
    Demo::start_with(&[&settings[0], &settings[1]])
}

/// What leaves has one end of data, no bare CR or LF, and stuffed dots, however it came in.
#[test]
fn t25_smuggling_outbound() {
    let outside = Outside::start();
    let demo = with(&outside);
    let alice = demo.account("alice");
    let dots = "Subject: dots\r\n\r\n..\r\n...two\r\n..\r\nMAIL FROM:<evil@stranger.example>\r\n";
    let bodies = [dots.to_owned(), format!("{dots}{}", "..\r\n".repeat(50_000)), "..\r\n".to_owned()];
    let mut smtp = demo.submission(&alice);
    for body in &bodies {
        let answer = smtp.mail(&alice.address, OUTSIDE, body);
        assert!(answer.starts_with("250"), "{answer}");
    }
    // By BDAT dots are not stuffed, and the text need not end in a line end.
    let raw = "Subject: raw\r\n\r\n.\r\n.\r\nQUIT\r\nno end";
    for cut in 0..raw.len() {
        let (first, last) = raw.split_at(cut);
        assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("250"));
        smtp.send(format!("BDAT {}\r\n{first}BDAT {} LAST\r\n{last}", first.len(), last.len()));
        let said = smtp.reply() + &smtp.reply();
        assert_eq!(said.matches("250 ").count(), 2, "cut at {cut}: {said}");
    }
    let count = bodies.len() + raw.len();
    let taken = demo.until("all mails outside", || Some(outside.taken()).filter(|taken| taken.len() == count));
    for message in &taken {
        let data = &message.data;
        for (at, octet) in data.iter().enumerate() {
            let alone = match octet {
                b'\r' => data.get(at + 1) != Some(&b'\n'),
                b'\n' => at == 0 || data[at - 1] != b'\r',
                _ => *octet == 0,
            };
            assert!(!alone, "a bare {octet} at {at} of {:?}", String::from_utf8_lossy(data));
        }
        let ends = data.windows(5).filter(|window| window == b"\r\n.\r\n").count();
        assert_eq!(ends, 1, "{:?}", String::from_utf8_lossy(data));
        assert!(data.ends_with(b"\r\n.\r\n"));
    }
    let of_raw = taken.iter().find(|message| String::from_utf8_lossy(&message.data).contains("Subject: raw")).unwrap();
    let text = String::from_utf8_lossy(&of_raw.data).into_owned();
    assert!(text.ends_with("\r\n\r\n..\r\n..\r\nQUIT\r\nno end\r\n.\r\n"), "{text}");
}

/// A disk of twelve megabytes, if this user may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m,mode=700", "tmpfs"]).arg(dir.path());
        let said = mount.output().map_err(|error| error.to_string());
        let said = said.and_then(|done| {
            if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
        });
        match said {
            Ok(()) => Some(Self(dir)),
            Err(why) => {
                eprintln!("SKIPPED SKIPPED SKIPPED: no small disk to fill, mounting is not allowed: {why}");
                assert!(std::env::var("CI").as_deref() != Ok("true"), "this test must run in CI: {why}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn queued(demo: &Demo) -> Vec<Value> {
    let listed: Value = serde_json::from_str(&demo.ruled(&["queue", "list", "--json"])).unwrap();
    listed.as_array().cloned().or_else(|| listed["messages"].as_array().cloned()).unwrap()
}

#[test]
fn t37_a_full_disk_refuses_and_recovers_by_itself() {
    let Some(disk) = SmallDisk::mount() else { return };
    let settings = [
        format!("spool.path=\"{}\"", disk.path().join("spool").display()),
        "spool.segment_octets=1048576".to_owned(),
        // Nobody takes the mail, so that it stays in the queue.
        "delivery.local=\"lmtp:127.0.0.1:1\"".to_owned(),
    ];
    let mut demo = Demo::start_with(&settings.each_ref().map(String::as_str));
    let body =
        format!("Subject: filling\r\n\r\n{}", "0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(4_000));
    // Of somebody who is proved: strangers' mail for one destination has to wait before the disk is full.
    let account = demo.account("alice");
    let (alice, password) = (account.address.as_str(), account.password.as_str());
    let mut smtp = demo.under_tls("submission");
    let proof = base64(&format!("\0{alice}\0{password}"));
    assert!(smtp.say(&format!("AUTH PLAIN {proof}")).starts_with("235"));
    let mut accepted = 0;
    let refused = loop {
        let answer = smtp.mail(alice, alice, &body);
        if !answer.starts_with("250") {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 100, "the disk does not get full");
    };
    assert!(refused.starts_with("452 4.3.1"), "{refused}");
    assert!(accepted > 10, "only {accepted} fitted");
    // Told before the data if the client told the size; and the session goes on.
    smtp.say("RSET");
    smtp.say(&format!("MAIL FROM:<{alice}> SIZE={}", body.len()));
    smtp.say("RCPT TO:<alice@example.test>");
    let early = smtp.say("DATA");
    assert!(early.starts_with("452 4.3.1"), "{early}");
    assert!(smtp.say("NOOP").starts_with("250"));
    assert_eq!(queued(&demo).len(), accepted, "what was acknowledged is there, and nothing else");
    // A power cut with a full disk loses nothing either.
    demo.kill_9();
    demo.restart();
    let kept = queued(&demo);
    assert_eq!(kept.len(), accepted);
    for message in kept.iter().take(accepted / 2) {
        demo.ruled(&["queue", "delete", message["id"].as_str().unwrap()]);
    }
    let answer = demo.until("room again", || {
        let answer = demo.dial("smtp").greeted().mail(STRANGER, "alice@example.test", &body);
        (!answer.starts_with("452")).then_some(answer)
    });
    assert!(answer.starts_with("250"), "{answer}");
    drop(demo);
    drop(disk);
}

/// Addresses as two Japanese carriers gave them out, against the RFC's grammar, for years.
const CARRIERS: [&str; 6] = [
    "a..b@docomo.ne.jp",
    "a.@ezweb.ne.jp",
    ".a@docomo.ne.jp",
    "\"a..b\"@docomo.ne.jp",
    "a.b..@ezweb.ne.jp",
    "\"a.\"@ezweb.ne.jp",
];

#[test]
fn t42_stray_dots_come_in() {
    let demo = Demo::start();
    let mut smtp = demo.dial("smtp").greeted();
    for (count, from) in CARRIERS.iter().enumerate() {
        let answer = smtp.mail(from, "alice@example.test", format!("Subject: number {count}\r\n\r\nx\r\n"));
        assert!(answer.starts_with("250"), "{from}: {answer}");
    }
    let mails = demo.until("all of them", || Some(demo.mailbox("alice")).filter(|mails| mails.len() == CARRIERS.len()));
    for (count, from) in CARRIERS.iter().enumerate() {
        let mail = mails.iter().find(|mail| mail.contains(&format!("Subject: number {count}"))).unwrap();
        assert!(mail.starts_with(&format!("Return-Path: <{from}>")), "{from}: {mail}");
    }
}

#[test]
fn t42_stray_dots_go_out_as_they_came() {
    let outside = Outside::start();
    let demo = with(&outside);
    let alice = demo.account("alice");
    let mut smtp = demo.submission(&alice);
    for to in CARRIERS {
        let answer = smtp.mail(&alice.address, to, "Subject: x\r\n\r\nx\r\n");
        assert!(answer.starts_with("250"), "{to}: {answer}");
    }
    let taken = demo.until("all of them", || Some(outside.taken()).filter(|taken| taken.len() == CARRIERS.len()));
    let mut rcpts: Vec<String> = taken.iter().flat_map(|message| message.rcpts.clone()).collect();
    let mut expected: Vec<String> = CARRIERS.iter().map(|to| format!("RCPT TO:<{to}>")).collect();
    rcpts.sort();
    expected.sort();
    assert_eq!(rcpts, expected);
}

/// Header octets that no RFC allows, as old Japanese programs write them: raw ISO-2022-JP, raw Shift_JIS.
#[test]
fn t42_raw_header_octets_are_kept() {
    let outside = Outside::start();
    let demo = with(&outside);
    let alice = demo.account("alice");
    let raw = b"Subject: \x1b$B4X=j\x1b(B\r\nX-Sjis: \x8a\xd6\x8f\x8a\r\nFrom: \x1b$B%\"%j%9\x1b(B <alice@example.test>\r\n\r\n\x1b$BK\\J8\x1b(B\r\n";
    let mut smtp = demo.submission(&alice);
    assert!(smtp.mail(&alice.address, &alice.address, raw).starts_with("250"));
    assert!(smtp.mail(&alice.address, OUTSIDE, raw).starts_with("250"));
    let sent = demo.until("the mail outside", || outside.taken().pop());
    assert!(contains(&sent.data, raw), "{:?}", String::from_utf8_lossy(&sent.data));
    let path: PathBuf = demo.maildir_of("alice");
    let stored = demo.until("the mail", || maildir_octets(&path).pop());
    let as_stored: Vec<u8> = raw.iter().copied().filter(|octet| *octet != b'\r').collect();
    assert!(contains(&stored, raw) || contains(&stored, &as_stored), "{:?}", String::from_utf8_lossy(&stored));
    let login = format!("{}:{}", alice.login, alice.password);
    let url = format!("pop3://localhost:{}/1", demo.port("pop3"));
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--ssl-reqd", "-u", &login, &url, "--cacert"]).arg(demo.certificate());
    let fetched = curl.output().unwrap().stdout;
    assert!(contains(&fetched, raw), "{:?}", String::from_utf8_lossy(&fetched));
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Who has tried too many names learns nothing more, over how many sessions and connections he asks.
#[test]
fn guessing_recipients_has_an_end() {
    let demo = Demo::start_with(&[
        "limits.unknown_recipients_per_client=30",
        "limits.unknown_recipients_per_network=50",
        "limits.unknown_recipients_per_login=5",
    ]);
    let guesser = |last: u8| Ipv4Addr::new(127, 0, 66, last);
    let dial = |last| Dialogue::connect(guesser(last), demo.port("smtp")).greeted();
    // At once over eight connections: exactly the limit.
    let unknown = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for session in 0..8 {
            let (dial, unknown) = (&dial, &unknown);
            scope.spawn(move || {
                let mut smtp = dial(6);
                smtp.say(&format!("MAIL FROM:<{STRANGER}>"));
                for name in 0..5 {
                    let answer = smtp.say(&format!("RCPT TO:<name{session}-{name}@example.test>"));
                    unknown.fetch_add(usize::from(answer.starts_with("550 5.1.1")), Ordering::Relaxed);
                    assert!(answer.starts_with("550 5.1.1") || answer.starts_with("450 4.7.1"), "{answer}");
                }
            });
        }
    });
    assert_eq!(unknown.into_inner(), 30);
    assert!(dial(6).rcpt(STRANGER, "alice@example.test").starts_with("450 4.7.1"), "whoever it is");
    demo.logged(&["recipients_guessed", "client=127.0.66.6"]);
    let told = demo.log().lines().filter(|line| line.contains("recipients_guessed")).count();
    assert_eq!(told, 1, "told once");
    // Its neighbours have what is left of the network's, then one each.
    let mut neighbours = 0;
    for last in 10..26 {
        let mut smtp = dial(last);
        for name in 0..2 {
            neighbours += usize::from(smtp.rcpt("", &format!("name{name}@example.test")).starts_with("550 5.1.1"));
        }
    }
    assert_eq!(neighbours, 20 + 6, "20 in the network's limit, by ten; then the first of each of the others");
    assert!(dial(50).rcpt(STRANGER, "alice@example.test").starts_with("250"), "who guesses nothing writes");
    let alice = demo.account("alice");
    let mut login = demo.submission(&alice);
    let answers = (0..6).map(|name| login.rcpt(&alice.address, &format!("old{name}@example.test")));
    let codes: Vec<String> = answers.map(|answer| answer[..3].to_owned()).collect();
    assert_eq!(codes, ["550", "550", "550", "550", "550", "450"]);
}
