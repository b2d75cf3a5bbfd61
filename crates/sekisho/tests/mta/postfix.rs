//! Postfix beside a demo: each file of `docs/examples/postfix/` in a real `main.cf`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sasl::Mechanism;
use sasl::client::{ChannelBinding, Credentials, Exchange};

use crate::demo::{Account, Demo, Dialogue, base64, free_ports, run};
use crate::guides::{Promise, Site};
use crate::support::{CLIENT, Folder, Mail, OUTSIDE, Outside, Process, STRANGER, Server, example, expiry, file_text};
use crate::support::{pop_login, story, until};

/// What Debian's own `main.cf` would say, for a Postfix in a folder that relays everything to one host.
const MASTER: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
local unix - n n - - local
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
";

/// Whoever is on this machine may relay by Postfix's own restrictions, as in Debian's `main.cf`.
const PERMITTING: &str = "mynetworks = 127.0.0.0/8\n";

/// A Postfix of our own on loopback: it answers for nothing itself, hands the demo's domain to the demo and all else
/// to the outside.
pub(crate) struct Postfix {
    process: Process,
    folder: Folder,
    outside: Outside,
    port: u16,
    submission: u16,
}

impl Postfix {
    /// One with these lines in its `main.cf`, after what any has.
    pub(crate) fn start(demo: &Demo, lines: &str) -> Self {
        let inside =
            format!("relay_domains = example.test\nrelay_transport = relay:[127.0.0.1]:{}\n", demo.port("smtp"));
        Self::start_for(&format!("mydestination =\n{inside}"), lines)
    }

    /// One that answers for what `own` says.
    pub(crate) fn start_for(own: &str, lines: &str) -> Self {
        let (folder, outside, port) = (Folder::new(), Outside::start(), free_ports());
        let submission = port + 1;
        folder.folder_of("data", "postfix");
        fs::create_dir(folder.join("queue")).unwrap();
        let at = folder.text();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {at}/queue\ndata_directory = {at}/data\n\
             maillog_file = {at}/log\nmaillog_file_prefixes = {at}\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             myhostname = mail.example.test\nalias_maps =\nmynetworks =\n\
             smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n\
             disable_dns_lookups = yes\nsmtpd_peername_lookup = no\n\
             relayhost = [127.0.0.1]:{}\n{own}\n{lines}\n",
            outside.port()
        );
        folder.write("main.cf", &main);
        let login = example("postfix/master-submission.cf", &[("submission inet", &format!("{submission} inet"))]);
        // Without `sasl.cf` there is nobody to ask for logins, and the service would not start.
        let login = if lines.contains("smtpd_sasl_path") { &login } else { "" };
        folder.write("master.cf", &format!("{port} inet n - n - - smtpd\n{login}{MASTER}"));
        // It makes the folders of the queue, with their owners.
        run(Command::new("postfix").arg("-c").arg(folder.path()).arg("check"));
        let mut master = Command::new("/usr/lib/postfix/sbin/master");
        // Its end ends its process group, which must not be ours.
        master.args(["-d", "-c"]).arg(folder.path()).process_group(0);
        let process = Process::start(&mut master, &folder.join("said")).listening(port);
        Self { process, folder, outside, port, submission }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn outside(&self) -> &Outside {
        &self.outside
    }

    pub(crate) fn log(&self) -> String {
        self.process.said() + &file_text(&self.folder.join("log"))
    }

    /// Tells `story` with this Postfix and logins at the demo.
    fn tell(&self, refusal: &str, story: impl FnOnce(&Server<'_>)) {
        self.tell_with(refusal, &pop_login, story);
    }

    /// The same with logins elsewhere.
    pub(crate) fn tell_with(&self, refusal: &str, login: &dyn Fn(&Demo, &Account), story: impl FnOnce(&Server<'_>)) {
        let (arrived, log) = (|| self.outside.mails(), || self.log());
        story(&Server { port: self.port, refusal, arrived: &arrived, log: &log, login });
    }

    fn dial(&self) -> Dialogue {
        Dialogue::connect(CLIENT, self.port).greeted()
    }
}

/// A file of `docs/examples/postfix/`, asking this demo.
pub(crate) fn snippet(demo: &Demo, file: &str) -> String {
    let (documented, service) = match file {
        "policy.cf" | "restrict.cf" => ("127.0.0.1:10031", "policy"),
        "socketmap.cf" => ("127.0.0.1:10032", "socketmap"),
        "milter.cf" => ("127.0.0.1:10033", "milter"),
        "sasl.cf" => ("127.0.0.1:10034", "dovecot_auth"),
        _ => panic!("{file} asks nobody"),
    };
    example(&format!("postfix/{file}"), &[(documented, &format!("127.0.0.1:{}", demo.port(service)))])
}

fn to_outside<'a>(account: &'a Account, subject: &'a str) -> Mail<'a> {
    Mail { from: &account.address, to: OUTSIDE, subject }
}

/// The guide from nothing: the policy service and the milter at once, and Postfix with users of its own.
#[test]
fn t59_the_guide_from_an_empty_configuration() {
    let site = Site::start("postfix", &["postfix/sekisho.toml", "dovecot/sekisho.toml"]);
    let mail = Folder::new();
    fs::set_permissions(mail.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let own = format!(
        "mydestination = example.test\nmyorigin = example.test\nmail_spool_directory = {}\nrelay_domains = branch.example\n",
        mail.text()
    );
    let asks = |file, port: u16| {
        let documented = format!("127.0.0.1:{port}");
        example(file, &[(&documented, &format!("127.0.0.1:{}", site.port(port)))])
    };
    let lines = asks("postfix/policy.cf", 10031) + &asks("postfix/milter.cf", 10033);
    let postfix = Postfix::start_for(&own, &lines);
    postfix.tell_with("", &|_, _| (), |server| {
        let promise = Promise {
            own: "backup@example.test",
            nobody: Some("nobody-here@example.test"),
            inside: &|| file_text(&mail.join("backup")),
            client: CLIENT,
            login: &|| site.hears_of_a_login(CLIENT),
            other: Some("bob@example.test"),
        };
        promise.is_kept_by(server);
        // A user's name alone is an address of Postfix's.
        let own = Mail { from: "root", to: "backup", subject: "without a domain" };
        let taken = server.attempt(STRANGER, own);
        assert!(taken.starts_with("250"), "{taken}\n{}", postfix.log());
        // What Postfix only hands on is not known to the milter as Postfix's; the log says what to do.
        let onward = Mail { from: "x@outside.example", to: "x@branch.example", subject: "to a branch" };
        server.refuses(STRANGER, onward);
        until("the advice", &|| site.log(), || {
            let said = site.log();
            said.lines().any(|line| line.contains("x@branch.example") && line.contains("domains.relay")).then_some(())
        });
    });
}

#[test]
fn the_story_by_policy_delegation() {
    let mut demo = Demo::start();
    let postfix = Postfix::start(&demo, &snippet(&demo, "policy.cf"));
    postfix.tell("we do not relay", |server| story(&mut demo, server));
}

#[test]
fn a_right_by_policy_delegation_ends_with_its_time() {
    let demo = Demo::start_with(&["relay.pop.minutes=1"]);
    let postfix = Postfix::start(&demo, &snippet(&demo, "policy.cf"));
    postfix.tell("we do not relay", |server| expiry(&demo, server));
}

/// Who may not relay may still write to us; who does not exist here is told at RCPT.
#[test]
fn a_stranger_writes_to_the_domains_that_sekisho_knows() {
    let demo = Demo::start();
    let postfix = Postfix::start(&demo, &snippet(&demo, "policy.cf"));
    let mut smtp = postfix.dial();
    let nobody = smtp.rcpt("x@outside.example", "nobody@example.test");
    assert!(nobody.starts_with("550"), "{nobody}\n{}", postfix.log());
    let taken = smtp.mail("x@outside.example", "alice@example.test", "Subject: to Alice\r\n\r\nhello\r\n");
    assert!(taken.starts_with("250"), "{taken}\n{}", postfix.log());
    demo.until("the mail", || demo.mailbox("alice").iter().any(|mail| mail.contains("to Alice")).then_some(()));
}

/// Postfix keeps a connection to the guard and meets a dead one after the guard's restart: it asks again.
#[test]
fn t39_a_guard_that_comes_back_is_asked_again_in_the_same_session() {
    let mut demo = Demo::start();
    let postfix = Postfix::start(&demo, &snippet(&demo, "policy.cf"));
    let alice = demo.account("alice");
    pop_login(&demo, &alice);
    let mut smtp = postfix.dial();
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("250"));
    assert!(demo.stop());
    let away = smtp.rcpt(&alice.address, OUTSIDE);
    assert!(away.starts_with("451 4.3.0"), "{away}\n{}", postfix.log());
    demo.restart();
    let back = smtp.rcpt(&alice.address, OUTSIDE);
    assert!(back.starts_with("250"), "{back}\n{}", postfix.log());
    demo.kill_9();
    demo.restart();
    // No request failed in between: the connection is dead and Postfix does not know it yet.
    let again = smtp.rcpt(&alice.address, OUTSIDE);
    assert!(again.starts_with("250"), "{again}\n{}", postfix.log());
}

/// A guard that is there and says nothing is no guard: Postfix does not wait long, and relays nothing.
#[test]
fn t39_a_guard_that_hangs_lets_nothing_through() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let by_policy = snippet(&demo, "policy.cf") + "smtpd_policy_service_timeout = 1s\n";
    let by_milter = PERMITTING.to_owned() + &snippet(&demo, "milter.cf") + "milter_command_timeout = 1s\n";
    for lines in [by_policy, by_milter] {
        let postfix = Postfix::start(&demo, &lines);
        pop_login(&demo, &alice);
        postfix.tell("", |server| {
            let signal = |name: &str| run(Command::new("kill").args([name, &demo.pid().to_string()]));
            signal("-STOP");
            server.defers(CLIENT, to_outside(&alice, "while it hangs"));
            signal("-CONT");
            server.relays(CLIENT, to_outside(&alice, "while it answers"));
            server.has_relayed(&["while it answers"]);
        });
    }
}

/// With `relay = "restrict"` Postfix's own permits stand, and the guard only takes away from them.
#[test]
fn restricted_the_guard_takes_away_and_never_permits() {
    let mut demo = Demo::start_with(&["listener.policy.relay=restrict"]);
    let alice = demo.account("alice");
    let own = format!("mynetworks = {STRANGER}/32\n{}", snippet(&demo, "restrict.cf"));
    let postfix = Postfix::start(&demo, &own);
    pop_login(&demo, &alice);
    postfix.tell("", |server| {
        server.relays(STRANGER, to_outside(&alice, "by Postfix's own right"));
        server.refuses(CLIENT, to_outside(&alice, "a login is no right here"));
        server.refuses(STRANGER, Mail { to: "nobody@example.test", ..to_outside(&alice, "to nobody") });
        assert!(demo.stop());
        server.defers(STRANGER, to_outside(&alice, "without the guard"));
        demo.restart();
        server.relays(STRANGER, to_outside(&alice, "with the guard again"));
        server.has_relayed(&["by Postfix's own right", "with the guard again"]);
    });
}

/// The map knows the address alone.
#[test]
fn addresses_that_may_relay_by_socketmap() {
    let mut demo = Demo::start();
    let alice = demo.account("alice");
    let postfix = Postfix::start(&demo, &snippet(&demo, "socketmap.cf"));
    postfix.tell("", |server| {
        server.refuses(CLIENT, to_outside(&alice, "before the login"));
        pop_login(&demo, &alice);
        server.relays(CLIENT, to_outside(&alice, "after the login"));
        server.refuses(STRANGER, to_outside(&alice, "from elsewhere"));
        server.refuses(STRANGER, Mail { to: "nobody@example.test", ..to_outside(&alice, "to nobody") });
        let taken = server.attempt(STRANGER, Mail { to: "bob@example.test", ..to_outside(&alice, "to Bob") });
        assert!(taken.starts_with("250"), "{taken}\n{}", postfix.log());
        assert!(demo.stop());
        server.defers(CLIENT, to_outside(&alice, "without the guard"));
        server.defers(STRANGER, to_outside(&alice, "a stranger without the guard"));
        demo.restart();
        demo.ruled(&["grant", "revoke", "--address", "127.0.0.1"]);
        server.refuses(CLIENT, to_outside(&alice, "after it was taken back"));
        server.has_relayed(&["after the login"]);
    });
}

/// The map says which address, the milter in whose name.
#[test]
fn the_story_by_socketmap_and_milter() {
    let mut demo = Demo::start();
    let postfix = Postfix::start(&demo, &(snippet(&demo, "socketmap.cf") + &snippet(&demo, "milter.cf")));
    postfix.tell("", |server| story(&mut demo, server));
}

/// The milter alone gives nobody a right, and without it nothing passes.
#[test]
fn a_milter_takes_away_what_postfix_permits() {
    let mut demo = Demo::start();
    let alice = demo.account("alice");
    let postfix = Postfix::start(&demo, &(PERMITTING.to_owned() + &snippet(&demo, "milter.cf")));
    postfix.tell("we do not relay", |server| story(&mut demo, server));
    let closed = Postfix::start(&demo, &snippet(&demo, "milter.cf"));
    closed.tell("Relay access denied", |server| server.refuses(CLIENT, to_outside(&alice, "by the milter alone")));
}

/// A certificate for Postfix, the demo's.
fn tls(demo: &Demo) -> String {
    let certificate = demo.certificate();
    let key = certificate.with_file_name("key.pem");
    format!(
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\n",
        certificate.display(),
        key.display()
    )
}

/// A conversation with port 587 under TLS, and what it offers there.
fn under_tls(demo: &Demo, postfix: &Postfix) -> (Dialogue, String) {
    let mut smtp = Dialogue::connect(CLIENT, postfix.submission).greeted();
    assert!(smtp.say("STARTTLS").starts_with("220"), "{}", postfix.log());
    let mut smtp = smtp.start_tls(demo.certificate());
    let offered = smtp.say("EHLO client.example");
    (smtp, offered)
}

fn plain(account: &Account, password: &str) -> String {
    format!("AUTH PLAIN {}", base64(&format!("\0{}\0{password}", account.login)))
}

#[test]
fn a_login_at_postfix_is_checked_by_sekisho() {
    let mut demo = Demo::start();
    let alice = demo.account("alice");
    let postfix = Postfix::start(&demo, &(tls(&demo) + &snippet(&demo, "sasl.cf")));
    let clear = Dialogue::connect(CLIENT, postfix.submission).greeted().say("EHLO client.example");
    assert!(clear.contains("STARTTLS") && !clear.contains("AUTH"), "no login in clear: {clear}");
    let (mut smtp, offered) = under_tls(&demo, &postfix);
    assert!(offered.contains("AUTH") && offered.contains("PLAIN"), "{offered}\n{}", postfix.log());
    // Devices have a secret for it, people have none: a client that chooses it first would fail each time.
    assert!(offered.contains("SCRAM-SHA-256") && !offered.contains("CRAM-MD5"), "{offered}");
    let wrong = smtp.say(&plain(&alice, "wrong"));
    assert!(wrong.starts_with("535"), "{wrong}");
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("554"));
    smtp.say("RSET");
    let right = smtp.say(&plain(&alice, &alice.password));
    assert!(right.starts_with("235"), "{right}\n{}", postfix.log());
    let taken = smtp.mail(&alice.address, OUTSIDE, "Subject: with a login\r\n\r\nhello\r\n");
    assert!(taken.starts_with("250"), "{taken}");
    until("the mail", &|| postfix.log(), || (postfix.outside.mails().len() == 1).then_some(()));
    let (mut smtp, _) = under_tls(&demo, &postfix);
    assert!(demo.stop());
    let away = smtp.say(&plain(&alice, &alice.password));
    assert!(away.starts_with("454"), "{away}\n{}", postfix.log());
    let away = smtp.rcpt(&alice.address, OUTSIDE);
    assert!(away.starts_with("554"), "{away}");
    // Port 25 asks for no login, so it is there without the guard.
    assert!(postfix.dial().say("NOOP").starts_with("250"));
}

/// Mechanisms with challenges pass through Postfix as they are; a device is its account there, too.
#[test]
fn scram_and_a_devices_cram_md5_pass_through_postfix() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let for_devices = snippet(&demo, "sasl.cf").replace(", nodictionary", "");
    let postfix = Postfix::start(&demo, &(tls(&demo) + &for_devices));
    let ways = [
        (Mechanism::ScramSha256, &alice.login, &alice.password),
        (Mechanism::CramMd5, &alice.device_login, &alice.device_secret),
        (Mechanism::Login, &alice.device_login, &alice.device_secret),
    ];
    for (mechanism, login, secret) in ways {
        let (mut smtp, offered) = under_tls(&demo, &postfix);
        assert!(offered.contains(mechanism.name()), "{offered}");
        for (secret, expected) in [("wrong", "535"), (secret.as_str(), "235")] {
            let answer = by_challenges(&mut smtp, mechanism, (login, secret));
            assert!(answer.starts_with(expected), "{mechanism:?}: {answer}\n{}", postfix.log());
        }
        assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("250"), "{mechanism:?}");
    }
    until("Postfix's word on who it was", &|| postfix.log(), || {
        postfix.log().contains(&format!("sasl_username={}", alice.login)).then_some(())
    });
}

fn by_challenges(smtp: &mut Dialogue, mechanism: Mechanism, (login, secret): (&str, &str)) -> String {
    let credentials = Credentials::new(login, secret.as_bytes()).unwrap();
    let mut client = Exchange::new(mechanism, credentials, ChannelBinding::Unsupported, [b'n'; 24]);
    let initial = client.initial().unwrap().map(|octets| format!(" {}", STANDARD.encode(octets))).unwrap_or_default();
    let mut answer = smtp.say(&format!("AUTH {}{initial}", mechanism.name()));
    while let Some(challenge) = answer.strip_prefix("334 ") {
        let challenge = STANDARD.decode(challenge.trim_end()).unwrap();
        let response = if challenge.starts_with(b"v=") {
            client.succeeded(Some(&challenge)).expect("Sekisho proves itself through Postfix");
            Vec::new()
        } else {
            client.respond(&challenge).unwrap()
        };
        answer = smtp.say(&STANDARD.encode(response));
    }
    answer
}

/// Logged in as Alice, nobody writes as Bob, where the guard is asked at RCPT as well.
#[test]
fn a_login_at_postfix_sends_in_its_own_name() {
    let demo = Demo::start_with(&["listener.policy.relay=restrict"]);
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let lines = tls(&demo) + &snippet(&demo, "sasl.cf") + &snippet(&demo, "restrict.cf");
    let postfix = Postfix::start(&demo, &lines);
    let (mut smtp, _) = under_tls(&demo, &postfix);
    assert!(smtp.say(&plain(&alice, &alice.password)).starts_with("235"), "{}", postfix.log());
    let forged = smtp.rcpt(&bob.address, OUTSIDE);
    assert!(forged.starts_with('5'), "{forged}\n{}", postfix.log());
    let own = smtp.rcpt(&alice.address, OUTSIDE);
    assert!(own.starts_with("250"), "{own}\n{}", postfix.log());
}

/// A file cannot say that nobody keeps it: so the guard empties it at its end.
#[test]
fn addresses_that_may_relay_by_an_exported_database() {
    for kind in ["btree", "hash"] {
        let folder = Folder::new();
        let exported = folder.join("relay.db");
        let mut demo = Demo::start_with(&[&format!("relay.export={kind}:{}", exported.display())]);
        let alice = demo.account("alice");
        let table = format!("{kind}:{}", exported.with_extension("").display());
        let lines = example("postfix/database.cf", &[("btree:/var/lib/sekisho/relay", &table)]);
        let postfix = Postfix::start(&demo, &lines);
        postfix.tell("Relay access denied", |server| {
            server.refuses(CLIENT, to_outside(&alice, "before the login"));
            pop_login(&demo, &alice);
            until_listed(&table, true);
            server.relays(CLIENT, to_outside(&alice, "after the login"));
            server.refuses(STRANGER, to_outside(&alice, "from elsewhere"));
            demo.ruled(&["grant", "revoke", "--address", "127.0.0.1"]);
            until_listed(&table, false);
            server.refuses(CLIENT, to_outside(&alice, "after it was taken back"));
            pop_login(&demo, &alice);
            until_listed(&table, true);
            assert!(demo.stop());
            server.refuses(CLIENT, to_outside(&alice, "without the guard"));
            server.has_relayed(&["after the login"]);
        });
    }
}

/// Waits until Postfix's own reader finds the client in the table, or not any more.
fn until_listed(table: &str, listed: bool) {
    let query = || Command::new("postmap").args(["-q", "127.0.0.1", table]).output().unwrap();
    until("the exported database", &|| String::from_utf8_lossy(&query().stderr).into_owned(), || {
        (query().status.success() == listed).then_some(())
    });
}
