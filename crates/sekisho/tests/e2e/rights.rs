//! Whatever takes a right away ends it at once: in every way of sending, at every moment of a session. Each cell of the table has
//! an account and an address of its own in one demo; a cell without the change shows that the mail would have gone.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use crate::asking::{Maps, Milter, Policy};
use crate::support::{Account, Demo, Dialogue, base64, run};

/// How a right is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// `user lock`.
    Lock,
    /// `user passwd`.
    Password,
    /// `user delete`.
    Delete,
    /// The account is deleted and made again.
    Recreate,
    /// `user device revoke`.
    Device,
    /// `grant revoke`.
    Grant,
    /// Another process locks the account, in the database.
    OtherProcess,
    /// The account expires.
    Expiry,
    /// `user set --expires`.
    Set,
    /// A reload takes the network out of `relay.networks`.
    Network,
    /// A reload takes the client out of `relay.clients`.
    Client,
    /// `session cut`.
    Cut,
    /// A reload brings an access rule that refuses the client.
    Rule,
}

const CHANGES: [Change; 13] = [
    Change::Lock,
    Change::Password,
    Change::Delete,
    Change::Recreate,
    Change::Device,
    Change::Grant,
    Change::OtherProcess,
    Change::Expiry,
    Change::Set,
    Change::Network,
    Change::Client,
    Change::Cut,
    Change::Rule,
];

/// How mail is sent, and by what right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Submission, SMTP AUTH with the password.
    Password,
    /// Submission, SMTP AUTH with a device's secret.
    Device,
    /// SMTP, by a POP login.
    Pop,
    /// SMTP, by a relay network.
    Network,
    /// SMTP, by the client map.
    Client,
    /// Policy delegation, a login that the mail server checked.
    PolicyLogin,
    /// Policy delegation, by a POP login.
    PolicyPop,
    /// milter, a login that the mail server checked.
    MilterLogin,
    /// milter, by a POP login.
    MilterPop,
    /// socketmap, by a POP login.
    MapsPop,
}

/// When the change comes. (A seventh, mail that is queued already, has a test of its own.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Moment {
    BeforeGreeting,
    InExchange,
    AfterLogin,
    AfterMail,
    AfterRcpt,
    InData,
}

const MOMENTS: [Moment; 6] = [
    Moment::BeforeGreeting,
    Moment::InExchange,
    Moment::AfterLogin,
    Moment::AfterMail,
    Moment::AfterRcpt,
    Moment::InData,
];

impl Way {
    fn is_session(self) -> bool {
        matches!(self, Self::Password | Self::Device | Self::Pop | Self::Network | Self::Client)
    }

    fn logs_in_here(self) -> bool {
        matches!(self, Self::Password | Self::Device)
    }

    fn by_configuration(self) -> bool {
        matches!(self, Self::Network | Self::Client)
    }

    fn by_pop(self) -> bool {
        matches!(self, Self::Pop | Self::PolicyPop | Self::MilterPop | Self::MapsPop)
    }
}

/// Why there is no such cell.
fn impossible(change: Change, way: Way, moment: Moment) -> Option<&'static str> {
    let of_account = matches!(
        change,
        Change::Lock
            | Change::Password
            | Change::Delete
            | Change::Recreate
            | Change::OtherProcess
            | Change::Expiry
            | Change::Set
    );
    match (change, way) {
        _ if of_account && way.by_configuration() => return Some("no account is in play"),
        (Change::Password, Way::Device) => return Some("a device has a secret of its own"),
        (Change::Device, way) if way != Way::Device => return Some("no device is in play"),
        (Change::Grant, way) if !way.by_pop() => return Some("no POP login is in play"),
        (Change::Network, way) if way != Way::Network => return Some("the right is another"),
        (Change::Client, way) if way != Way::Client => return Some("the right is another"),
        (Change::Cut, way) if !way.is_session() => return Some("the session is the mail server's"),
        (Change::Cut, _) if moment == Moment::BeforeGreeting => return Some("who comes again begins anew"),
        (Change::Rule, way) if way.logs_in_here() || matches!(way, Way::PolicyLogin | Way::MilterLogin) => {
            return Some("who logged in is not judged by his address");
        }
        (Change::Password, Way::PolicyLogin) => {
            return Some(
                "each message is told of anew, and the login is still one: what the mail server checked is its to end",
            );
        }
        (Change::Recreate, Way::PolicyLogin) if moment <= Moment::AfterMail => {
            return Some("told for the first time after the change, it is a login like any");
        }
        (Change::Password | Change::Recreate, Way::MilterLogin) if moment <= Moment::AfterLogin => {
            return Some("told for the first time after the change, it is a login like any");
        }
        _ => {}
    }
    match (way, moment) {
        (way, Moment::InExchange) if !way.logs_in_here() => Some("nobody logs in there"),
        (Way::PolicyLogin | Way::PolicyPop, Moment::InData) => Some("rights are not asked about after RCPT"),
        (Way::MapsPop, moment) if moment > Moment::AfterMail => Some("one question is all there is"),
        _ => None,
    }
}

/// One cell, with what is its own.
struct Cell<'d> {
    demo: &'d Demo,
    way: Way,
    login: String,
    password: String,
    device: Option<(String, String)>,
    client: String,
    to: String,
}

/// A conversation that stands somewhere.
enum Stand {
    Smtp(Dialogue),
    Policy(Policy),
    Milter(Milter),
    Maps(Maps),
}

fn sekisho(demo: &Demo, arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let config = demo.facts["config"].as_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.arg("-c").arg(config).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// As another process does it: by its own connection to the database.
fn in_the_database(demo: &Demo, set: &str, login: &str) {
    let script = "import sqlite3,sys; d=sqlite3.connect(sys.argv[1],timeout=10); \
                  d.execute('update account set '+sys.argv[2]+' where login=?',(sys.argv[3],)); d.commit()";
    let file = demo.dir().join("directory.sqlite");
    run(Command::new("python3").args(["-c", script, file.to_str().unwrap(), set, login]));
}

impl<'d> Cell<'d> {
    fn new(demo: &'d Demo, way: Way, number: usize) -> Self {
        let login = format!("cell{number}@example.test");
        let password = format!("umbrella of {number}");
        let client = format!("198.18.{}.{}", number / 250, number % 250 + 1);
        let mut cell =
            Self { demo, way, login, password, device: None, client, to: format!("cell{number}@outside.example") };
        if !way.by_configuration() {
            // Hashing a password costs most of the time here, and few cells need one.
            let (arguments, password) = match way {
                Way::Password => (&["user", "add"][..], format!("{}\n", cell.password)),
                _ => (&["user", "add", "--no-password"][..], String::new()),
            };
            sekisho(demo, &[arguments, &[&cell.login]].concat(), &password);
        }
        if way == Way::Device {
            let made = sekisho(demo, &["user", "device", "add", &cell.login, "plc", "--anywhere", "--json"], "");
            let made: serde_json::Value = serde_json::from_str(&made).unwrap();
            let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
            cell.device = Some((text("login"), text("secret")));
        }
        if way.by_pop() {
            sekisho(demo, &["grant", "add", &cell.client, &cell.login], "");
        }
        cell
    }

    /// Connected, as far as nobody has said anything of himself.
    fn connect(&self) -> Stand {
        match self.way {
            Way::Password | Way::Device => Stand::Smtp(self.demo.under_tls("submission")),
            Way::Pop | Way::Network | Way::Client => Stand::Smtp(self.demo.dial("smtp").greeted()),
            Way::PolicyLogin | Way::PolicyPop => Stand::Policy(Policy::connect(self.demo)),
            Way::MilterLogin | Way::MilterPop => Stand::Milter(Milter::connect(self.demo, &self.client)),
            Way::MapsPop => Stand::Maps(Maps::connect(self.demo)),
        }
    }

    /// An exchange is under way.
    fn begin_exchange(&self, stand: &mut Stand) {
        if let (Stand::Smtp(smtp), true) = (stand, self.way.logs_in_here()) {
            let login = self.device.as_ref().map_or(&self.login, |(login, _)| login);
            smtp.say("AUTH LOGIN");
            smtp.say(&base64(login));
        }
    }

    fn log_in(&self, stand: &mut Stand) {
        let Stand::Smtp(smtp) = stand else { return };
        if self.way.logs_in_here() {
            let secret = self.device.as_ref().map_or(&self.password, |(_, secret)| secret);
            smtp.say(&base64(secret));
        } else {
            smtp.say(&format!("XCLIENT ADDR={}", self.client));
            smtp.say("EHLO client.example");
        }
    }

    fn from(&self) -> &str {
        if self.way.by_configuration() { "somebody@elsewhere.example" } else { &self.login }
    }

    fn told_login(&self) -> Option<&str> {
        matches!(self.way, Way::PolicyLogin | Way::MilterLogin).then_some(&self.login)
    }

    /// Whether the next step may follow: a mail server asks no more about what was refused.
    fn mail(&self, stand: &mut Stand) -> bool {
        match stand {
            Stand::Smtp(smtp) => drop(smtp.say(&format!("MAIL FROM:<{}>", self.from()))),
            Stand::Milter(milter) => return milter.from(self.told_login(), self.from()) == "continue",
            Stand::Policy(_) | Stand::Maps(_) => {}
        }
        true
    }

    fn rcpt(&self, stand: &mut Stand) -> String {
        match stand {
            Stand::Smtp(smtp) => smtp.say(&format!("RCPT TO:<{}>", self.to)),
            Stand::Milter(milter) => milter.to(&self.to),
            Stand::Policy(policy) => {
                let told = [("client_address", &*self.client), ("sasl_username", self.told_login().unwrap_or(""))];
                let asked = [("sender", self.from()), ("recipient", &self.to), ("instance", &self.to)];
                policy.ask("RCPT", &[&told[..], &asked[..]].concat())
            }
            Stand::Maps(maps) => maps.ask(&format!("relay {}<{}><{}>", self.client, self.from(), self.to)),
        }
    }

    /// The rest of it from a moment on; whether the mail is taken for the outside.
    fn go_on(&self, mut stand: Stand, after: Option<Moment>) -> bool {
        let is_due = |moment: Moment| after.is_none_or(|after| after < moment);
        if is_due(Moment::InExchange) {
            self.begin_exchange(&mut stand);
        }
        if is_due(Moment::AfterLogin) {
            self.log_in(&mut stand);
        }
        if is_due(Moment::AfterMail) && !self.mail(&mut stand) {
            return false;
        }
        let mut answer = String::new();
        // Postfix asks about the same recipient once more in a later list.
        let again = matches!(stand, Stand::Policy(_));
        if is_due(Moment::AfterRcpt) || again {
            answer = self.rcpt(&mut stand);
        }
        if matches!(stand, Stand::Milter(_)) && is_due(Moment::AfterRcpt) && answer != "continue" {
            return false;
        }
        match &mut stand {
            Stand::Smtp(smtp) => {
                if is_due(Moment::InData) {
                    smtp.say("DATA");
                    smtp.send("Subject: x\r\n\r\n");
                }
                smtp.say(".").starts_with("250")
            }
            Stand::Milter(milter) => milter.end() == "continue",
            Stand::Policy(_) => answer == "OK",
            Stand::Maps(_) => answer.starts_with("OK OK"),
        }
    }

    /// Up to a moment.
    fn stand_at(&self, moment: Moment) -> Stand {
        let mut stand = self.connect();
        if moment >= Moment::InExchange {
            self.begin_exchange(&mut stand);
        }
        if moment >= Moment::AfterLogin {
            self.log_in(&mut stand);
        }
        if moment >= Moment::AfterMail {
            self.mail(&mut stand);
        }
        if moment >= Moment::AfterRcpt {
            self.rcpt(&mut stand);
        }
        if let (Stand::Smtp(smtp), Moment::InData) = (&mut stand, moment) {
            smtp.say("DATA");
            smtp.send("Subject: x\r\n\r\n");
        }
        stand
    }

    fn change(&self, change: Change) {
        let (demo, login) = (self.demo, self.login.as_str());
        match change {
            Change::Lock => drop(sekisho(demo, &["user", "lock", login], "")),
            Change::Password => drop(sekisho(demo, &["user", "passwd", login], "another umbrella\n")),
            Change::Delete => drop(sekisho(demo, &["user", "delete", login], "")),
            Change::Recreate => {
                sekisho(demo, &["user", "delete", login], "");
                sekisho(demo, &["user", "add", "--no-password", login], "");
            }
            Change::Device => {
                let device = &self.device.as_ref().unwrap().0;
                sekisho(demo, &["user", "device", "revoke", device], "");
            }
            Change::Grant => drop(sekisho(demo, &["grant", "revoke", "--login", login], "")),
            Change::OtherProcess => self.seen_within_a_second("locked = 1"),
            Change::Set => drop(sekisho(demo, &["user", "set", login, "--expires", "2001-01-01"], "")),
            Change::Expiry => self.seen_within_a_second("expires_at = 1"),
            Change::Network | Change::Client => self.reload(|text| {
                text.replace(&format!("{}\"", self.client), &format!("{}\"", self.client.replace("198.18", "198.19")))
            }),
            Change::Rule => {
                let map = demo.dir().join("refused");
                let mut lines = std::fs::read_to_string(&map).unwrap();
                let _ = writeln!(lines, "{} REJECT", self.client);
                std::fs::write(&map, lines).unwrap();
                self.reload(str::to_owned);
            }
            Change::Cut => drop(sekisho(demo, &["session", "cut", "--client", self.seen_from()], "")),
        }
    }

    /// The address that the session has in the list.
    fn seen_from(&self) -> &str {
        if self.way.logs_in_here() { "127.0.0.1" } else { &self.client }
    }

    /// What another process writes is seen a moment later: an SMTP session of a witness tells when.
    fn seen_within_a_second(&self, set: &str) {
        in_the_database(self.demo, set, self.login.as_str());
        std::thread::sleep(std::time::Duration::from_secs(1));
    }

    fn reload(&self, rewrite: impl Fn(&str) -> String) {
        let config = self.demo.facts["config"].as_str().unwrap();
        let text = std::fs::read_to_string(config).unwrap();
        std::fs::write(config, rewrite(&text)).unwrap();
        sekisho(self.demo, &["reload"], "");
    }
}

/// All cells of some ways in one demo.
#[expect(clippy::too_many_lines, reason = "one demo, and what becomes of each cell")]
fn table(ways: &[Way]) {
    let demo = Demo::start_with(&[
        "listener.smtp.xclient_from=['127.0.0.1']",
        "listener.submission.connections_per_client_max=10000",
        "auth.argon2_memory_kib=8192",
        "auth.failures_per_client=1000",
    ]);
    std::fs::write(demo.dir().join("refused"), "").unwrap();
    let cells: Vec<(Option<Change>, Way, Moment)> = ways
        .iter()
        .flat_map(|way| MOMENTS.map(|moment| (*way, moment)))
        .flat_map(|(way, moment)| {
            let there = CHANGES.into_iter().filter(move |change| impossible(*change, way, moment).is_none());
            there.map(move |change| (Some(change), way, moment)).chain([(None, way, moment)])
        })
        .filter(|(change, way, moment)| {
            change.is_some() || impossible(Change::Lock, *way, *moment).is_none_or(|why| why == "no account is in play")
        })
        .collect();
    let address = |number: usize| format!("198.18.{}.{}", number / 250, number % 250 + 1);
    let list = |wanted: Way| {
        let of_way = cells.iter().enumerate().filter(|(_, (_, way, _))| *way == wanted);
        of_way.map(|(number, _)| format!("\"{}\"", address(number))).collect::<Vec<_>>()
    };
    let config = demo.facts["config"].as_str().unwrap();
    let text = std::fs::read_to_string(config).unwrap();
    let clients: Vec<String> = list(Way::Client).iter().map(|address| format!("{{ ip = {address} }}")).collect();
    let relay = format!(
        "[relay]\nnetworks = [{}]\nclients = [{}]\n\n[relay.pop]",
        list(Way::Network).join(", "),
        clients.join(", ")
    );
    let rules = format!(
        "{}\n[[access]]\nmap = \"access:{}\"\nat = \"client\"\n",
        text.replace("[relay.pop]", &relay),
        demo.dir().join("refused").display()
    );
    std::fs::write(config, rules).unwrap();
    sekisho(&demo, &["reload"], "");
    let mut wrong = Vec::new();
    for (number, (change, way, moment)) in cells.iter().enumerate() {
        let cell = Cell::new(&demo, *way, number);
        let stand = cell.stand_at(*moment);
        if let Some(change) = change {
            cell.change(*change);
        }
        let goes = cell.go_on(stand, (*moment != Moment::BeforeGreeting).then_some(*moment));
        if goes != change.is_none() {
            wrong.push(format!(
                "{change:?} {way:?} {moment:?}: {}",
                if goes { "relays" } else { "is refused without a change" }
            ));
        }
    }
    let outside = demo.outside();
    for (number, _) in cells.iter().enumerate().filter(|(_, (change, way, _))| change.is_some() && way.is_session()) {
        let to = format!("<cell{number}@outside.example>");
        if outside.iter().any(|mail| mail.contains(&to)) {
            wrong.push(format!("{:?} went out", cells[number]));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
}

#[test]
fn t46_no_login_outlives_its_end() {
    table(&[Way::Password, Way::Device]);
}

#[test]
fn t46_no_pop_login_outlives_its_end() {
    table(&[Way::Pop, Way::PolicyPop, Way::MilterPop, Way::MapsPop]);
}

#[test]
fn t46_no_right_of_the_configuration_outlives_it() {
    table(&[Way::Network, Way::Client]);
}

#[test]
fn t46_no_login_that_a_mail_server_checked_outlives_its_end() {
    table(&[Way::PolicyLogin, Way::MilterLogin]);
}

/// A POP3 session under TLS, logged in.
fn pop(demo: &Demo, account: &Account) -> Dialogue {
    let mut clear = demo.dial("pop3");
    assert!(clear.reply().starts_with("+OK"));
    assert!(clear.say("STLS").starts_with("+OK"));
    let mut pop = clear.start_tls(demo.certificate());
    assert!(pop.say(&format!("USER {}", account.login)).starts_with("+OK"));
    assert!(pop.say(&format!("PASS {}", account.password)).starts_with("+OK"));
    pop
}

/// SMTP is told 421 at its next read, POP3 deletes nothing, and both are gone though nobody said a word.
#[test]
fn t46_sessions_of_an_ended_login_are_cut_by_themselves() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let mut smtp = demo.submission(&alice);
    let mut local = demo.dial("smtp").greeted();
    assert!(local.mail("a@elsewhere.example", &alice.address, "Subject: kept\r\n\r\nx\r\n").starts_with("250"));
    demo.until_drained();
    let mut pops = pop(&demo, &alice);
    assert!(pops.say("DELE 1").starts_with("+OK"));
    let listed = demo.ruled(&["session", "list"]);
    assert_eq!(listed.matches(&alice.login).count(), 2, "{listed}");
    demo.ruled(&["user", "lock", &alice.login]);
    assert!(smtp.reply().starts_with("421 4.7.0"));
    assert!(pops.reply().starts_with("-ERR [SYS/TEMP]"));
    assert_eq!((smtp.rest(), pops.rest()), (String::new(), String::new()));
    assert_eq!(demo.mailbox("alice").len(), 1, "nothing was deleted");
    demo.logged(&["cut", "cause=locked", "listener=submission"]);
    assert!(!demo.sekisho(&["session", "cut", "--login", "alice"]).status.success(), "nobody is left");
}

/// An operator ends a session by hand, by its id or its login.
#[test]
fn an_operator_cuts_sessions() {
    let demo = Demo::start();
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let (mut first, mut second) = (demo.submission(&alice), demo.submission(&bob));
    let listed = demo.ruled(&["session", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let of_bob = listed.as_array().unwrap().iter().find(|one| one["login"] == bob.login.as_str()).unwrap();
    assert_eq!(demo.ruled(&["session", "cut", of_bob["session"].as_str().unwrap()]), "1 cut.\n");
    assert!(second.reply().starts_with("421 4.7.0"));
    assert!(first.say("NOOP").starts_with("250"), "the other goes on");
    assert_eq!(demo.ruled(&["session", "cut", "--login", "alice"]), "1 cut.\n");
    assert!(first.reply().starts_with("421 4.7.0"));
    demo.submission(&alice);
}

/// A change that was made while no server ran ends what was granted before it.
#[test]
fn t47_a_change_made_while_the_server_was_down_counts() {
    let mut demo = Demo::start_with(&["listener.smtp.xclient_from=['127.0.0.1']"]);
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    for (account, client) in [(&alice, "198.18.0.1"), (&bob, "198.18.0.2")] {
        demo.ruled(&["grant", "add", client, &account.login]);
    }
    assert!(demo.stop());
    let config = demo.dir().join("sekisho.toml");
    assert!(config.exists(), "the demo's configuration stands there");
    sekisho(&demo, &["user", "passwd", &alice.login], "another umbrella\n");
    demo.restart();
    let sends = |account: &Account, client: &str| {
        let mut smtp = Dialogue::connect(Ipv4Addr::LOCALHOST, demo.port("smtp")).greeted();
        smtp.say(&format!("XCLIENT ADDR={client}"));
        smtp.say("EHLO client.example");
        smtp.rcpt(&account.address, "friend@outside.example")
    };
    assert!(sends(&alice, "198.18.0.1").starts_with("550"), "her password is another one since");
    assert!(sends(&bob, "198.18.0.2").starts_with("250"));
}

/// A proof that was begun before a change is not finished after it: SCRAM at its last message.
#[test]
fn t47_an_exchange_begun_before_a_change_does_not_end_well() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    for (number, change) in [["user", "lock"], ["user", "delete"]].into_iter().enumerate() {
        let account = if number == 0 { alice.clone() } else { demo.account("bob") };
        let mut smtp = demo.under_tls("submission");
        let nonce = "an+exchange+of+ours";
        let first = format!("n={},r={nonce}", account.login);
        let challenge = smtp.say(&format!("AUTH SCRAM-SHA-256 {}", base64(&format!("n,,{first}"))));
        assert!(challenge.starts_with("334 "), "{challenge}");
        demo.ruled(&[change[0], change[1], &account.login]);
        let script = "import sys,base64,hashlib,hmac; p,first,ch=sys.argv[1:4]; s=base64.b64decode(ch).decode(); \
             a=dict(x.split('=',1) for x in s.split(',')); k=hashlib.pbkdf2_hmac('sha256',p.encode(),base64.b64decode(a['s']),int(a['i'])); \
             c=hmac.new(k,b'Client Key','sha256').digest(); st=hashlib.sha256(c).digest(); bare='c=biws,r='+a['r']; \
             m=first+','+s+','+bare; g=hmac.new(st,m.encode(),'sha256').digest(); \
             pr=bytes(x^y for x,y in zip(c,g)); print(base64.b64encode((bare+',p='+base64.b64encode(pr).decode()).encode()).decode())";
        let proof = run(Command::new("python3").args(["-c", script, &account.password, &first, &challenge[4..]]));
        let answer = smtp.say(proof.trim());
        assert!(!answer.starts_with("235") && !answer.starts_with("334"), "{change:?}: {answer}");
    }
    // The same proof without a change is taken.
    let carol = demo.account("carol");
    demo.submission(&carol);
}
