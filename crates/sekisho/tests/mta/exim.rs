//! Exim beside a demo: `docs/examples/exim/exim.conf` as it stands, in a real Exim.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;

use crate::demo::{Demo, Dialogue, base64, free_ports, run};
use crate::guides::{Promise, Site};
use crate::support::{CLIENT, Folder, Mail, Namespace, Network, NoNames, OUTSIDE, Outside, Process, STRANGER, Server};
use crate::support::{example, expiry, file_text, pop_login, story, unpacked, until};

#[path = "exim_guard.rs"]
pub(crate) mod guard;

use guard::Guard;

/// The user that Debian's package makes.
const USER: (&str, u32) = ("Debian-exim", 47_101);

/// A user of the machine, whose mail Exim keeps.
const OWN: (&str, u32) = ("erika", 47_102);

/// An Exim of our own on loopback, in a mount namespace that has a user for it.
struct Exim {
    process: Process,
    folder: Folder,
    outside: Outside,
    port: u16,
    _namespace: Namespace,
}

/// Where Exim finds what it asks and hands mail to.
struct Places {
    socketmap: u16,
    dovecot_auth: u16,
    mailboxes: u16,
}

impl Places {
    fn of(demo: &Demo) -> Self {
        let port = |name| demo.port(name);
        Self { socketmap: port("socketmap"), dovecot_auth: port("dovecot_auth"), mailboxes: port("smtp") }
    }

    /// A guard that knows no logins and has no mailboxes.
    fn at(guard: &Guard) -> Self {
        Self { socketmap: guard.port(), dovecot_auth: guard.port(), mailboxes: guard.port() }
    }
}

impl Exim {
    /// One beside this demo.
    fn start(demo: &Demo) -> Self {
        Self::start_with(&Places::of(demo), &[])
    }

    /// The same with more of the configuration changed.
    fn start_with(places: &Places, changes: &[(&str, &str)]) -> Self {
        let (folder, outside, port) = (Folder::new(), Outside::start(), free_ports());
        let program = unpacked("exim", &["exim4-daemon-heavy"]).join("usr/sbin/exim4");
        let namespace = Namespace::new(Network::Shared);
        namespace.resolver(&folder, &NoNames::start());
        namespace.users(&folder, &[USER, OWN]);
        for name in ["spool", "log", "mail"] {
            owned(&folder, name);
        }
        certificate(&folder);
        let at = |name: &str| folder.join(name).display().to_string();
        let text = example(
            "exim/exim.conf",
            &[
                ("/var/spool/exim4", &at("spool")),
                ("/var/log/exim4", &at("log")),
                ("/var/mail", &at("mail")),
                ("/usr/sbin/exim4", &program.display().to_string()),
                ("/etc/exim4/exim.crt", &at("exim.crt")),
                ("/etc/exim4/exim.key", &at("exim.key")),
                ("smarthost.example.test::25", &format!("127.0.0.1::{}", outside.port())),
                ("127.0.0.1::2525", &format!("127.0.0.1::{}", places.mailboxes)),
                ("127.0.0.1:10032", &format!("127.0.0.1:{}", places.socketmap)),
                ("127.0.0.1 10034", &format!("127.0.0.1 {}", places.dovecot_auth)),
            ],
        );
        let text = changes.iter().fold(text, |text, (documented, here)| {
            assert!(text.contains(documented), "no {documented}");
            text.replace(documented, here)
        });
        let configuration = folder.write("exim.conf", &text);
        let mut command = namespace.command(&program);
        command.arg("-bdf").arg("-C").arg(configuration).args(["-oX", &format!("127.0.0.1.{port}")]);
        let process = Process::start(&mut command, &folder.join("said")).listening(port);
        Self { process, folder, outside, port, _namespace: namespace }
    }

    fn log(&self) -> String {
        let logs = ["mainlog", "rejectlog", "paniclog"].map(|name| file_text(&self.folder.join("log").join(name)));
        self.process.said() + &logs.concat()
    }

    /// Tells `story` with this Exim and logins at the demo.
    fn tell(&self, refusal: &str, story: impl FnOnce(&Server<'_>)) {
        let (arrived, log) = (|| self.outside.mails(), || self.log());
        story(&Server { port: self.port, refusal, arrived: &arrived, log: &log, login: &pop_login });
    }

    fn dial(&self) -> Dialogue {
        Dialogue::connect(CLIENT, self.port).greeted()
    }

    /// A conversation under TLS, and what Exim offers in it.
    fn dial_tls(&self) -> (Dialogue, String) {
        let mut smtp = self.dial();
        let answer = smtp.say("STARTTLS");
        assert!(answer.starts_with("220"), "{answer}\n{}", self.log());
        let mut smtp = smtp.start_tls(&self.folder.join("exim.crt"));
        let offered = smtp.say("EHLO client.example");
        (smtp, offered)
    }
}

/// A folder of Exim's user.
fn owned(folder: &Folder, name: &str) {
    fs::create_dir(folder.join(name)).unwrap();
    chown(folder.join(name), Some(USER.1), Some(USER.1)).unwrap();
    // Mail is put there by whoever gets it.
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o777)).unwrap();
}

/// A certificate for `localhost` whose key only Exim's user reads.
fn certificate(folder: &Folder) {
    let (key, certificate) = (folder.join("exim.key"), folder.join("exim.crt"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext"]);
    run(openssl.arg("basicConstraints=critical,CA:FALSE").arg("-keyout").arg(&key).arg("-out").arg(&certificate));
    chown(&key, Some(USER.1), Some(USER.1)).unwrap();
    fs::set_permissions(&certificate, fs::Permissions::from_mode(0o644)).unwrap();
}

/// The guide from nothing, with a user of the machine's own.
#[test]
fn t59_the_guide_from_an_empty_configuration() {
    let site = Site::start("exim", &["exim/sekisho.toml", "dovecot/sekisho.toml"]);
    let places = Places { socketmap: site.port(10032), dovecot_auth: site.port(10034), mailboxes: 9 };
    // An Exim with a configuration of its own (`-C`) may not become the user whose mail it is.
    let as_exim = ("  group = mail\n", format!("  user = {0}\n  group = {0}\n", USER.1));
    let exim = Exim::start_with(&places, &[(as_exim.0, &as_exim.1)]);
    exim.tell("", |server| {
        let promise = Promise {
            own: "erika@example.test",
            nobody: Some("nobody-here@example.test"),
            inside: &|| file_text(&exim.folder.join("mail").join(OWN.0)),
            client: CLIENT,
            login: &|| site.hears_of_a_login(CLIENT),
            other: Some("bob@example.test"),
        };
        promise.is_kept_by(server);
    });
}

#[test]
fn the_story_by_readsocket() {
    let mut demo = Demo::start();
    Exim::start(&demo).tell("we do not relay", |server| story(&mut demo, server));
}

#[test]
fn a_right_by_readsocket_ends_with_its_time() {
    let demo = Demo::start_with(&["relay.pop.minutes=1"]);
    Exim::start(&demo).tell("we do not relay", |server| expiry(&demo, server));
}

#[test]
fn a_stranger_writes_to_mailboxes_that_exist() {
    let demo = Demo::start();
    let exim = Exim::start(&demo);
    let mut smtp = Dialogue::connect(STRANGER, exim.port).greeted();
    let nobody = smtp.rcpt("x@outside.example", "nobody@example.test");
    assert!(nobody.starts_with("550 5.1.1"), "{nobody}\n{}", exim.log());
    let route = smtp.rcpt("x@outside.example", "alice%example.test@example.test");
    assert!(route.starts_with("550"), "{route}\n{}", exim.log());
    let taken = smtp.mail("x@outside.example", "alice@example.test", "Subject: to Alice\r\n\r\nhello\r\n");
    assert!(taken.starts_with("250"), "{taken}\n{}", exim.log());
    demo.until("the mail", || demo.mailbox("alice").iter().any(|mail| mail.contains("to Alice")).then_some(()));
}

/// Grants are for a sender: the empty one and a quoted one are told as they are.
#[test]
fn what_exim_asks() {
    let guard = Guard::start("9:NOTFOUND ,");
    let exim = Exim::start_with(&Places::at(&guard), &[]);
    let mut smtp = exim.dial();
    let asked = [
        ("alice@example.test", OUTSIDE, "relay 127.0.0.1 <alice@example.test> <friend@outside.example>"),
        ("", OUTSIDE, "relay 127.0.0.1 <> <friend@outside.example>"),
        ("\"a l\"@example.test", "\"b <c\"@x.example", "relay 127.0.0.1 <\"a l\"@example.test> <\"b <c\"@x.example>"),
        ("a@example.test", "@r.example:b@x.example", "relay 127.0.0.1 <a@example.test> <b@x.example>"),
        ("a@example.test", "b@EXAMPLE.TEST", "mailbox b@example.test"),
        ("a@example.test", "postmaster", "mailbox postmaster@example.test"),
    ];
    for (from, to, question) in asked {
        let answer = smtp.rcpt(from, to);
        assert!(answer.starts_with("550"), "{to}: {answer}\n{}", exim.log());
        assert_eq!(guard.asked().last().map(String::as_str), Some(question), "{}", exim.log());
    }
    assert_eq!(guard.asked()[1], "connect 127.0.0.1", "the first is of the test that it listens");
}

/// Only `OK`, whole and in time, is a right.
#[test]
fn t39_whatever_is_no_answer_lets_nobody_relay() {
    let mail = |subject| Mail { from: "alice@example.test", to: OUTSIDE, subject };
    for answer in guard::NO_ANSWERS {
        let guard = Guard::start(answer);
        let exim = Exim::start_with(&Places::at(&guard), &[]);
        exim.tell("", |server| server.defers(CLIENT, mail(answer)));
    }
    let guard = Guard::start("3:OK ,");
    let exim = Exim::start_with(&Places::at(&guard), &[]);
    exim.tell("", |server| {
        server.relays(CLIENT, mail("by the guard's word"));
        server.has_relayed(&["by the guard's word"]);
    });
}

/// The same when the guard stops in the middle of all.
#[test]
fn t39_a_guard_that_hangs_is_not_waited_for() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let mail = |subject| Mail { from: &alice.address, to: OUTSIDE, subject };
    let exim = Exim::start(&demo);
    pop_login(&demo, &alice);
    exim.tell("", |server| {
        let signal = |name: &str| run(Command::new("kill").args([name, &demo.pid().to_string()]));
        signal("-STOP");
        server.defers(CLIENT, mail("while it hangs"));
        signal("-CONT");
        server.relays(CLIENT, mail("while it answers"));
        server.has_relayed(&["while it answers"]);
    });
}

/// What the guard will not talk to.
#[test]
fn clients_that_the_guard_refuses() {
    let table =
        [("REJECT no thanks", "550 no thanks"), ("DEFER 4.7.0 not so fast", "451 4.7.0 not so fast"), ("", "451")];
    for (words, greeting) in table {
        let guard = Guard::start_refusing(words);
        let exim = Exim::start_with(&Places::at(&guard), &[]);
        let said = Dialogue::connect(CLIENT, exim.port).reply();
        assert!(said.starts_with(greeting), "{said}\n{}", exim.log());
    }
}

#[test]
fn a_login_at_exim_is_checked_by_sekisho() {
    let mut demo = Demo::start();
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let exim = Exim::start(&demo);
    let clear = exim.dial().say("EHLO client.example");
    assert!(!clear.contains("PLAIN") && !clear.contains("LOGIN"), "no password in clear: {clear}");
    let plain = |password: &str| format!("AUTH PLAIN {}", base64(&format!("\0{}\0{password}", alice.login)));
    let (mut smtp, offered) = exim.dial_tls();
    assert!(offered.contains("PLAIN") && offered.contains("LOGIN"), "{offered}\n{}", exim.log());
    assert!(clear.contains("CRAM-MD5") && !offered.contains("CRAM-MD5"), "{clear}\n{offered}");
    let wrong = smtp.say(&plain("wrong"));
    assert!(wrong.starts_with("535"), "{wrong}\n{}", exim.log());
    assert!(smtp.rcpt(&alice.address, OUTSIDE).starts_with("550"), "{}", exim.log());
    smtp.say("RSET");
    let right = smtp.say(&plain(&alice.password));
    assert!(right.starts_with("235"), "{right}\n{}", exim.log());
    let other = smtp.rcpt(&bob.address, OUTSIDE);
    assert!(other.starts_with("550"), "{other}\n{}", exim.log());
    let taken = smtp.mail(&alice.address, OUTSIDE, "Subject: with a login\r\n\r\nhello\r\n");
    assert!(taken.starts_with("250"), "{taken}\n{}", exim.log());
    let (mut smtp, _) = exim.dial_tls();
    assert!(smtp.say(&format!("AUTH LOGIN {}", base64(&alice.login))).starts_with("334"), "{}", exim.log());
    let right = smtp.say(&base64(&alice.password));
    assert!(right.starts_with("235"), "{right}\n{}", exim.log());
    until("the mail", &|| exim.log(), || (exim.outside.mails().len() == 1).then_some(()));
    let (mut smtp, _) = exim.dial_tls();
    assert!(demo.stop());
    let away = smtp.say(&plain(&alice.password));
    assert!(away.starts_with("435"), "{away}\n{}", exim.log());
    let away = smtp.rcpt(&alice.address, OUTSIDE);
    assert!(away.starts_with("451"), "{away}\n{}", exim.log());
}

/// A device has no TLS; CRAM-MD5 keeps its secret off the wire.
#[test]
fn a_device_logs_in_by_cram_md5() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let exim = Exim::start(&demo);
    let mut swaks = Command::new("swaks");
    swaks.args(["--server", "127.0.0.1", "--port", &exim.port.to_string(), "--auth", "CRAM-MD5"]);
    swaks.args(["--auth-user", &alice.device_login, "--auth-password", &alice.device_secret]);
    swaks.args(["--from", &alice.address, "--to", OUTSIDE, "--header", "Subject: by a device"]);
    let output = swaks.output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), exim.log());
    let arrived = || exim.outside.mails().iter().any(|mail| mail.contains("by a device"));
    until("the mail", &|| exim.log(), || arrived().then_some(()));
}

/// The weakest way: a file cannot say that nobody keeps it, so the guard empties it at its end.
#[test]
fn addresses_that_may_relay_by_an_exported_database() {
    let asked = "  warn    set acl_m_question = relay $sender_host_address <$sender_address> \
                 <${quote_local_part:$local_part}@$domain>\n          acl = ask_guard\n  \
                 accept  condition = ${if eq{$acl_m_status}{OK}}\n  \
                 deny    condition = ${if eq{$acl_m_status}{NOTFOUND}}\n";
    for kind in ["btree", "hash"] {
        let folder = Folder::new();
        let exported = folder.join("relay.db").display().to_string();
        let mut demo = Demo::start_with(&[&format!("relay.export={kind}:{exported}")]);
        let alice = demo.account("alice");
        let mail = |subject| Mail { from: &alice.address, to: OUTSIDE, subject };
        let lines = example("exim/database.conf", &[("/var/lib/sekisho/relay.db", &exported)]);
        let connect = ("acl_smtp_connect = acl_check_connect\n", "");
        let exim = Exim::start_with(&Places::of(&demo), &[connect, (asked, &format!("{lines}  deny\n"))]);
        exim.tell("we do not relay", |server| {
            let listed = |listed: bool, subject: &'static str| {
                until(subject, &|| exim.log(), || {
                    let taken = Dialogue::connect(CLIENT, exim.port).greeted().rcpt(&alice.address, OUTSIDE);
                    (taken.starts_with("250") == listed).then_some(())
                });
            };
            server.refuses(CLIENT, mail("before the login"));
            pop_login(&demo, &alice);
            listed(true, "the address in the file");
            server.relays(CLIENT, mail("after the login"));
            server.refuses(STRANGER, mail("from elsewhere"));
            demo.ruled(&["grant", "revoke", "--address", &Ipv4Addr::LOCALHOST.to_string()]);
            listed(false, "the address out of the file");
            pop_login(&demo, &alice);
            listed(true, "the address in the file again");
            assert!(demo.stop());
            server.refuses(CLIENT, mail("without the guard"));
            fs::remove_file(&exported).unwrap();
            server.defers(CLIENT, mail("without the file"));
            server.has_relayed(&["after the login"]);
        });
    }
}
