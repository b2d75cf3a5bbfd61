//! What the fifty refusals need: a demo whose configuration, maps, accounts and choices are there to be changed, and for each
//! supposition that is told what is to be done so that it holds, and undone.
#![expect(clippy::format_push_string, reason = "text for people, not on the way of a mail")]
#![expect(clippy::needless_for_each, reason = "one call a line reads best so")]
#![expect(clippy::too_many_arguments, reason = "each is a thing of its own, and there is one caller")]

use std::cell::RefCell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use crate::asking::{FOREIGN, Milter, Policy};
use crate::dns::{NameServer, Record};
use crate::support::{Account, Demo, Dialogue, base64};

pub(crate) const BOB: &str = "bob@example.test";
pub(crate) const CAROL: &str = "carol@example.test";
pub(crate) const ELSEWHERE: &str = "friend@elsewhere.example";
pub(crate) const ALICE: &str = "alice@example.test";

/// Where it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Our own SMTP; with a login submission.
    Smtp,
    Policy,
    Milter,
}

/// A mail up to its recipient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mail {
    pub(crate) door: Door,
    pub(crate) client: &'static str,
    pub(crate) helo: &'static str,
    /// One of the world's logins, by its first name.
    pub(crate) login: Option<&'static str>,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    /// What the client says of the size.
    pub(crate) octets: Option<u32>,
}

/// The demo and what was made in it.
pub(crate) struct World {
    pub(crate) demo: Demo,
    pub(crate) server: NameServer,
    maps: PathBuf,
    pub(crate) logins: Vec<(&'static str, Account)>,
    /// Commands that did not succeed.
    pub(crate) failed: RefCell<Vec<String>>,
}

/// Whose choices are against whom, and the commands that end and make them.
pub(crate) const CHOICES: [(&str, &str, &str, &str); 3] = [
    (
        CAROL,
        "letters@news.example",
        "user choice remove carol@example.test news.example",
        "user choice refuse carol@example.test news.example",
    ),
    (
        CAROL,
        "friend@alive.example",
        "user choice remove carol@example.test friend@alive.example",
        "user choice refuse carol@example.test friend@alive.example",
    ),
    (
        "dave@example.test",
        "x@alive.example",
        "user choice only dave@example.test off",
        "user choice only dave@example.test on",
    ),
];

const MAPS: [(&str, &str, &str); 8] = [
    (
        "cidr:clients.cidr",
        "client",
        "198.51.100.2/32 REJECT you are listed\n198.51.100.64/26 450 4.7.1 later\n198.51.100.5/32 554 5.7.1 go\n",
    ),
    ("access:helo", "helo", "helo.example 554 5.7.1 not with that name\ngreeting.example 450 4.7.1 later\n"),
    (
        "hash:senders",
        "sender",
        "bad.example REJECT\nuser@half.example REJECT 5.1.8 not you\nslow.example 451 4.3.2 wait\nspammer@ REJECT\n",
    ),
    ("pcre:recipients.pcre", "recipient", "/^(closed)@/ 550 5.2.1 $1 it is\n/^quiet@/ 450 4.2.1 quiet now\n"),
    ("hash:recipients", "recipient", "private@example.test REJECT\n"),
    (
        "sendmail-access:sendmail",
        "",
        "Connect:198.51.100.3\tERROR:5.7.1:550 go away\nFrom:spam@enemy.example\tREJECT\nTo:moving@example.test\tERROR:4.2.1:450 moving\n",
    ),
    ("deny:deny", "", "user@domainname.example\ndomainname.example\t550 no mail from you\n203.0.113\t\n"),
    ("hash:more", "sender", "more.example REJECT\n"),
];

/// Name, condition, and what is done.
const RULES: [(&str, &str, &str); 17] = [
    ("by-helo-ours", "helo-ours", "action = \"refuse\""),
    ("by-helo-invalid", "helo-invalid", "action = \"refuse\""),
    ("by-no-name", "no-name", "action = \"refuse\""),
    ("by-name-unconfirmed", "name-unconfirmed", "action = \"refuse\""),
    ("by-dynamic-name", "dynamic-name", "action = \"refuse\""),
    ("by-sender-domain-dead", "sender-domain-dead", "action = \"refuse\""),
    ("by-spf-fail", "spf fail", "action = \"refuse\""),
    ("by-spf-softfail", "spf softfail", "action = \"refuse\""),
    ("by-null-sender", "null-sender", "action = \"refuse\""),
    ("by-listed", "listed list.example", "action = \"refuse\""),
    ("by-helo-mismatch", "helo-mismatch", "action = \"refuse\""),
    ("by-permerror", "spf permerror", "action = \"refuse\""),
    ("heavy", "listed heavy.example", "weight = 20"),
    ("too-much", "score 20", "action = \"refuse\""),
    ("by-neutral", "spf neutral", "action = \"greylist\""),
    ("by-plain-text", "plain-text\", \"spf pass", "action = \"refuse\""),
    ("never", "load 100", "action = \"refuse\""),
];

/// What the name server says.
pub(crate) fn zone() -> Vec<(&'static str, Record)> {
    let a = |last| Record::A(Ipv4Addr::new(192, 0, 2, last));
    let listed = Record::A(Ipv4Addr::new(127, 0, 0, 2));
    let mut zone = vec![
        ("10.2.0.192.in-addr.arpa.", Record::Ptr("good.host.example.")),
        ("good.host.example.", a(10)),
        ("12.2.0.192.in-addr.arpa.", Record::Ptr("good.host.example.")),
        ("13.2.0.192.in-addr.arpa.", Record::Ptr("ip-192-0-2-13.dsl.example.")),
        ("ip-192-0-2-13.dsl.example.", a(13)),
        ("14.2.0.192.in-addr.arpa.", Record::Ptr("listed.host.example.")),
        ("listed.host.example.", a(14)),
        ("15.2.0.192.in-addr.arpa.", Record::Ptr("heavy.host.example.")),
        ("heavy.host.example.", a(15)),
        ("2.0.0.127.list.example.", listed),
        ("14.2.0.192.list.example.", listed),
        ("2.0.0.127.heavy.example.", listed),
        ("15.2.0.192.heavy.example.", listed),
        ("closed.example.", Record::Txt("v=spf1 -all")),
        ("doubtful.example.", Record::Txt("v=spf1 ~all")),
        ("neutral.example.", Record::Txt("v=spf1 ?all")),
        ("broken.example.", Record::Txt("v=spf1 nonsense:x -all")),
        ("open.example.", Record::Txt("v=spf1 +all")),
    ];
    let alive = [
        "alive.example.",
        "closed.example.",
        "doubtful.example.",
        "neutral.example.",
        "broken.example.",
        "open.example.",
        "bad.example.",
        "sub.bad.example.",
        "half.example.",
        "slow.example.",
        "enemy.example.",
        "domainname.example.",
        "mail.domainname.example.",
        "news.example.",
    ];
    zone.extend(alive.map(|domain| (domain, a(10))));
    zone
}

/// The demo's configuration with all that is to be changed in it.
fn configuration(text: &str, maps: &std::path::Path) -> String {
    let relay =
        "[relay]\nnetworks = []\nself_probe_after_secs = 0\n\n[relay.pop]\nenabled = true\nmessages_per_hour = 1";
    let text = text.replace("[relay.pop]\nenabled = true", relay);
    let mut text = text.replace("defaults = true\n", "defaults = false\ngreylist_delay_secs = 600\n");
    for (map, at, _) in MAPS {
        let (kind, name) = map.split_once(':').unwrap();
        let at = if at.is_empty() { String::new() } else { format!("at = \"{at}\"\n") };
        text += &format!("\n[[access]]\nmap = \"{kind}:{}\"\n{at}", maps.join(name).display());
    }
    for (name, when, what) in RULES {
        text += &format!("\n[[guard.rule]]\nname = \"{name}\"\nmode = \"enforce\"\nwhen = [\"{when}\"]\n{what}\n");
    }
    for zone in ["list.example", "heavy.example"] {
        text += &format!("\n[[dnsbl]]\nzone = \"{zone}\"\nmode = \"enforce\"\nweight = 5\ncodes = [\"127.0.0.2\"]\n");
    }
    text + "\n# domains of others\n"
}

/// The id at the end of an answer.
fn id(reply: &str) -> Option<&str> {
    Some(reply.trim_end().rsplit_once('[')?.1.split_once(']')?.0)
}

pub(crate) fn is_accepted(answer: &str) -> bool {
    ["250", "OK", "DUNNO", "continue"].iter().any(|word| answer.starts_with(word))
}

impl World {
    pub(crate) fn new(demo: Demo, server: NameServer) -> Self {
        let maps = demo.dir().join("maps");
        fs::create_dir(&maps).unwrap();
        for (map, _, text) in MAPS {
            fs::write(maps.join(map.split_once(':').unwrap().1), text).unwrap();
        }
        let logins = ["alice", "bob", "carol"].map(|name| (name, demo.account(name))).to_vec();
        let mut world = Self { demo, server, maps, logins, failed: RefCell::default() };
        let text = fs::read_to_string(world.config()).unwrap();
        fs::write(world.config(), configuration(&text, &world.maps)).unwrap();
        world.reload();
        for name in ["closed", "quiet", "private", "moving"] {
            world.run(&format!("alias add {name}@example.test {BOB}"));
        }
        for line in [
            "domain add second.example",
            "alias add bob@second.example bob@example.test",
            "domain off second.example",
            "user add dave@example.test --no-password",
            "user add full@example.test --quota 20000 --no-password",
            "grant add 192.0.2.21 alice@example.test",
            "grant add 192.0.2.22 alice@example.test",
            "ban add 192.0.2.77",
        ] {
            world.run(line);
        }
        CHOICES.iter().for_each(|(.., make)| world.run(make));
        world.device("scanner", "user device add alice@example.test scanner --json");
        world.device("used", "user device add bob@example.test used --anywhere --messages-per-hour 1 --json");
        world.device("fresh", "user device add bob@example.test fresh --anywhere --messages-per-hour 1 --json");
        world.device("full", "user device add full@example.test reader --json");
        // What is used up.
        let mut used = world.demo.submission(world.login("used"));
        assert!(used.mail(BOB, ELSEWHERE, "Subject: x\r\n\r\nx\r\n").starts_with("250"));
        let mut pop = world.demo.speaks_for("192.0.2.22", "client.example");
        assert!(pop.mail(ALICE, ELSEWHERE, "Subject: x\r\n\r\nx\r\n").starts_with("250"));
        world.fill();
        world
    }

    pub(crate) fn config(&self) -> PathBuf {
        PathBuf::from(self.demo.facts["config"].as_str().unwrap())
    }

    pub(crate) fn run(&self, line: &str) {
        let output = self.demo.sekisho(&line.split_whitespace().collect::<Vec<_>>());
        if !output.status.success() {
            self.failed.borrow_mut().push(format!("sekisho {line}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }

    /// The configuration is read, and what it names is there.
    pub(crate) fn reload(&self) {
        self.asked("POST", "/v1/reload");
        self.demo.until("the lists to be tested", || {
            let lists: Value = serde_json::from_str(&self.asked("GET", "/v1/dnsbl")).unwrap();
            lists.as_array()?.iter().all(|list| list["standing"][0] == "sound").then_some(())
        });
    }

    /// What the administration's socket answers: this is asked often, and a command of its own takes its time.
    fn asked(&self, method: &str, path: &str) -> String {
        let mut stream = UnixStream::connect(self.demo.facts["admin_socket"].as_str().unwrap()).unwrap();
        let asked =
            format!("{method} {path} HTTP/1.1\r\nHost: sekisho\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(asked.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{path}: {answer}");
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap()
    }

    fn device(&mut self, name: &'static str, line: &str) {
        let made = self.demo.ruled(&line.split_whitespace().collect::<Vec<_>>());
        let made: Value = serde_json::from_str(&made).unwrap();
        let text = |key: &str| made[key].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let account = self.logins[0].1.clone();
        self.logins.push((name, Account { login: text("login"), password: text("secret"), ..account }));
    }

    fn login(&self, name: &str) -> &Account {
        &self.logins.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no login {name}")).1
    }

    /// The small mailbox gets a mail that fills half of it.
    pub(crate) fn fill(&self) {
        let body = "0123456789abcdef0123456789abcdef\r\n".repeat(300);
        let mut smtp = self.demo.speaks_for("192.0.2.10", "good.host.example");
        let answer = smtp.mail("x@alive.example", "full@example.test", format!("Subject: filling\r\n\r\n{body}"));
        assert!(answer.starts_with("250"), "{answer}");
        self.demo.until_drained();
    }

    pub(crate) fn empty(&self) {
        let mut pop = self.demo.dial("pop3s").start_tls(self.demo.certificate());
        let Account { login, password, .. } = self.login("full");
        assert!(pop.reply().starts_with("+OK"));
        for line in [&*format!("USER {login}"), &format!("PASS {password}"), "DELE 1", "QUIT"] {
            let answer = pop.say(line);
            assert!(answer.starts_with("+OK"), "{line}: {answer}");
        }
    }

    /// Tries a mail up to its recipient.
    pub(crate) fn tried(&self, mail: &Mail) -> String {
        self.tried_as(mail, mail.helo, mail.login, mail.from)
    }

    pub(crate) fn tried_as(&self, mail: &Mail, helo: &str, login: Option<&str>, from: &str) -> String {
        let account = login.map(|name| self.login(name));
        match mail.door {
            Door::Smtp => {
                let mut smtp = match account {
                    Some(account) => self.demo.submission(account),
                    None => self.demo.speaks_for(mail.client, helo),
                };
                if account.is_some() {
                    smtp.say(&format!("EHLO {helo}"));
                }
                let size = mail.octets.map(|octets| format!(" SIZE={octets}")).unwrap_or_default();
                let answer = smtp.say(&format!("MAIL FROM:<{from}>{size}"));
                let answer =
                    if answer.starts_with("250") { smtp.say(&format!("RCPT TO:<{}>", mail.to)) } else { answer };
                // What was counted is given back before the next is tried.
                smtp.say("RSET");
                answer
            }
            Door::Policy => Policy::connect(&self.demo).ask(
                "RCPT",
                &[
                    ("client_address", mail.client),
                    ("helo_name", helo),
                    ("sender", from),
                    ("recipient", mail.to),
                    ("encryption_protocol", ""),
                    ("sasl_username", account.map_or("", |account| &account.login)),
                    FOREIGN,
                ],
            ),
            Door::Milter => Milter::greeted_as(&self.demo, mail.client, helo).rcpt(
                account.map(|account| &*account.login),
                from,
                mail.to,
            ),
        }
    }

    /// What is refused before the guard is asked, or beside it: reply, reason, and what is named.
    pub(crate) fn beside(&self) -> Vec<(String, &'static str, &'static str)> {
        let demo = &self.demo;
        let guess = |login: &str| {
            demo.under_tls("submission").say(&format!("AUTH PLAIN {}", base64(&format!("\0{login}\0no such password"))))
        };
        let banned = |door| Mail {
            door,
            client: "192.0.2.77",
            helo: "good.host.example",
            login: None,
            from: "x@alive.example",
            to: BOB,
            octets: None,
        };
        let looping = "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n".repeat(101) + "\r\nx\r\n";
        let mut guesser = demo.speaks_for("192.0.2.16", "good.host.example");
        let mut many = String::new();
        for number in 0..70 {
            many = guesser.rcpt("x@alive.example", &format!("nobody{number}@example.test"));
            if many.starts_with('4') {
                break;
            }
        }
        vec![
            (
                Dialogue::connect(Ipv4Addr::new(127, 0, 9, 9), demo.port("smtp")).reply(),
                "access-denied",
                "listener.deny",
            ),
            (self.tried(&banned(Door::Smtp)), "banned", "sekisho ban lift"),
            (self.tried(&banned(Door::Policy)), "banned", "sekisho ban lift"),
            (self.tried(&banned(Door::Milter)), "banned", "sekisho ban lift"),
            (guess(BOB), "login-failed", "wrong password"),
            (guess("nobody@example.test"), "login-failed", "unknown login"),
            (many, "too-many-unknown", "limits.unknown_recipients_per_client"),
            (
                demo.speaks_for("192.0.2.10", "good.host.example").mail("x@alive.example", BOB, looping),
                "message-refused",
                "limits",
            ),
        ]
    }

    /// Whether the explanation of a refusal names the reason, what decided and the reply; what it says would have it accepted.
    pub(crate) fn explained(&self, reply: &str, reason: &str, by: &str) -> Result<Vec<String>, String> {
        let id = id(reply).filter(|_| !is_accepted(reply)).ok_or_else(|| format!("{reason} {by}: {reply:?}"))?;
        let output = self.demo.sekisho(&["explain", id]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let reason_row = format!("  {:<10} {reason}", "reason");
        // Of a login the reply says always the same, and is not kept.
        let kept = if reason == "login-failed" { reason } else { reply.trim_end() };
        for expected in [&reason_row, by, kept] {
            if !told.contains(expected) {
                return Err(format!("{reason} {by}: {expected:?} is not in what is told of {reply}\n{told}"));
            }
        }
        if let Some(fault) = self.misplaced(&told) {
            return Err(format!("{reason} {by}: {fault}\n{told}"));
        }
        let lines = told.lines().skip_while(|line| *line != "Would be accepted if").skip(1);
        Ok(lines.map_while(|line| line.strip_prefix("  ")).map(str::to_owned).collect())
    }

    /// A line of the configuration that a rule is told with must be that of the rule.
    fn misplaced(&self, told: &str) -> Option<String> {
        let config = self.config().display().to_string();
        let text = fs::read_to_string(self.config()).unwrap();
        let decided = told.lines().filter_map(|line| line.strip_prefix("  decided by "));
        decided
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(place, rule)| {
                Some((place.strip_prefix(&config)?.strip_prefix(':')?, rule.split_once(' ')?.0))
            })
            .find_map(|(number, rule)| {
                let number: usize = number.parse().ok()?;
                let there: Vec<&str> = text.lines().skip(number - 1).take(2).collect();
                let named = format!("name = \"{rule}\"");
                (!there.contains(&&*named)).then(|| format!("line {number} is not that of {rule}: {there:?}"))
            })
    }
}
