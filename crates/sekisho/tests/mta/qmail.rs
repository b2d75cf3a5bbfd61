//! qmail-like servers beside a demo: tcpserver with mailfront, qpsmtpd. Each file of `docs/examples/qmail/` as it stands.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::demo::{Account, Demo, Dialogue, free_ports, message};
use crate::exim::guard::{Guard, NO_ANSWERS};
use crate::guides::{Promise, Site};
use crate::support::{CLIENT, Folder, Mail, OUTSIDE, Outside, Process, STRANGER, Server, example, expiry, pop_login};
use crate::support::{story, unpacked};

/// A qmail-queue that keeps the message and its envelope as one file.
const QUEUE: &str = "#!/bin/sh\nset -e\nfile=$(mktemp \"$SEKISHO_TEST_QUEUE/.XXXXXX\")\ncat > \"$file\"\n\
                     tr '\\0' '\\n' <&1 >> \"$file\"\nmv \"$file\" \"$SEKISHO_TEST_QUEUE/mail$$\"\n";

/// tcpserver with mailfront: SMTP, and POP3 beside it.
struct Tcpserver {
    smtp: Process,
    _pop3: Process,
    folder: Folder,
    smtp_port: u16,
    pop3_port: u16,
}

impl Tcpserver {
    fn start(demo: &Demo) -> Self {
        Self::start_at(demo.port("socketmap"), demo.port("dovecot_auth"))
    }

    fn start_at(socketmap: u16, dovecot_auth: u16) -> Self {
        let (folder, smtp_port) = (Folder::new(), free_ports());
        let pop3_port = smtp_port + 1;
        for name in ["control", "queue"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        folder.write("control/rcpthosts", "example.test\n");
        let queue = executable(&folder, "qmail-queue", QUEUE);
        let places = [("127.0.0.1:10034", format!("127.0.0.1:{dovecot_auth}"))];
        let places: Vec<_> = places.iter().map(|(documented, here)| (*documented, here.as_str())).collect();
        let cvm = executable(&folder, "cvm-sekisho", &example("qmail/cvm-sekisho", &places));
        let mailfront = unpacked("mailfront", &["mailfront", "cvm"]).join("usr");
        let sbin = format!("{}/sbin/", mailfront.display());
        let start = |file: &str, port: u16, places: &[(&str, &str)]| {
            let listens = if file == "smtp-run" { "0.0.0.0 25" } else { "0.0.0.0 110" };
            let here = format!("127.0.0.1 {port}");
            let places = [&[("/usr/sbin/", sbin.as_str()), (listens, &here)], places].concat();
            let script = folder.write(file, &example(&format!("qmail/{file}"), &places));
            let mut command = Command::new("sh");
            command.arg(script).env("PATH", path()).env("MODULE_PATH", mailfront.join("lib/mailfront"));
            command.env("QMAILHOME", folder.path()).env("QMAILQUEUE", &queue);
            // Whoever starts it may have left this behind.
            command.env("SEKISHO_TEST_QUEUE", folder.join("queue")).env("RELAYCLIENT", "");
            Process::start(&mut command, &folder.join(&format!("{file}.log"))).listening(port)
        };
        let smtp = start("smtp-run", smtp_port, &[("127.0.0.1:10032", &format!("127.0.0.1:{socketmap}"))]);
        let pop3 = start("pop3-run", pop3_port, &[("/usr/local/bin/cvm-sekisho", &cvm.display().to_string())]);
        Self { smtp, _pop3: pop3, folder, smtp_port, pop3_port }
    }

    /// What went into the queue.
    fn queued(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.join("queue")).unwrap().flatten();
        let whole = files.filter(|file| file.file_name().to_string_lossy().starts_with("mail"));
        whole.filter_map(|file| fs::read_to_string(file.path()).ok()).collect()
    }

    fn tell(&self, login: &dyn Fn(&Demo, &Account), story: impl FnOnce(&Server<'_>)) {
        let (arrived, log) = (|| self.queued(), || self.smtp.said());
        story(&Server { port: self.smtp_port, refusal: "accept that recipient", arrived: &arrived, log: &log, login });
    }

    /// A conversation with the POP server after USER and PASS, and the answer to those.
    fn log_in(&self, login: &str, password: &str) -> (Dialogue, String) {
        let mut pop3 = Dialogue::connect(CLIENT, self.pop3_port);
        assert!(pop3.reply().starts_with("+OK"));
        assert!(pop3.say(&format!("USER {login}")).starts_with("+OK"));
        let answer = pop3.say(&format!("PASS {password}"));
        (pop3, answer)
    }
}

/// The program under test is found first.
fn path() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_sekisho")).parent().unwrap();
    format!("{}:{}", program.display(), std::env::var("PATH").unwrap())
}

fn executable(folder: &Folder, name: &str, text: &str) -> PathBuf {
    let path = folder.write(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The story of a server that asks for the address alone: who may relay from there may do so in any name.
fn story_of_addresses(demo: &mut Demo, server: &Server<'_>) {
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let mail = |subject| Mail { from: &alice.address, to: OUTSIDE, subject };
    server.refuses(CLIENT, mail("before the login"));
    (server.login)(demo, &alice);
    server.relays(CLIENT, mail("after the login"));
    server.relays(CLIENT, Mail { from: &bob.address, ..mail("in another name") });
    server.refuses(STRANGER, mail("from elsewhere"));
    server.relays(STRANGER, Mail { from: "x@outside.example", to: &alice.address, subject: "to a domain of ours" });
    demo.ruled(&["grant", "revoke", "--address", "127.0.0.1"]);
    server.refuses(CLIENT, mail("after it was taken back"));
    (server.login)(demo, &alice);
    server.relays(CLIENT, mail("after the second login"));
    assert!(demo.stop(), "the guard ends well");
    server.defers(CLIENT, mail("without the guard"));
    server.defers(STRANGER, mail("a stranger without the guard"));
    demo.restart();
    server.relays(CLIENT, mail("with the guard again"));
    server.refuses(STRANGER, mail("a stranger again"));
    let relayed = ["after the login", "in another name", "to a domain of ours", "after the second login"];
    server.has_relayed(&[&relayed[..], &["with the guard again"]].concat());
}

/// The guide from nothing, with both servers: accounts for POP3 in Sekisho, everybody else of the domain unknown to it.
#[test]
fn t59_the_guide_from_an_empty_configuration() {
    let site = Site::start("qmail", &["qmail/sekisho.toml"]);
    let (login, password) = ("alice@example.test", "a long password");
    site.ruled(&["user", "add", login, "--new-domain"], &format!("{password}\n"));
    let (socketmap, dovecot_auth) = (site.port(10032), site.port(10034));
    let (tcpserver, smtpd) = (Tcpserver::start_at(socketmap, dovecot_auth), Qpsmtpd::start(socketmap));
    let enter = || {
        let (mut pop3, answer) = tcpserver.log_in(login, password);
        assert!(answer.starts_with("+OK"), "{answer}\n{}", site.log());
        assert!(pop3.say("QUIT").starts_with("+OK"));
    };
    let promise = |inside| Promise {
        own: "erika@example.test",
        nobody: None,
        inside,
        client: CLIENT,
        login: &enter,
        other: None,
    };
    let queued = || tcpserver.queued().concat();
    tcpserver.tell(&|_, _| (), |server| promise(&queued).is_kept_by(server));
    site.ruled(&["grant", "revoke", "--all"], "");
    let forwarded = || smtpd.outside.mails().concat();
    let by_sender = Promise { other: Some("bob@example.test"), ..promise(&forwarded) };
    smtpd.tell(|server| by_sender.is_kept_by(server));
}

#[test]
fn the_story_by_tcpserver() {
    let mut demo = Demo::start();
    Tcpserver::start(&demo).tell(&pop_login, |server| story_of_addresses(&mut demo, server));
}

#[test]
fn the_story_by_tcpserver_with_logins_at_mailfront() {
    let mut demo = Demo::start();
    let server = Tcpserver::start(&demo);
    let login = |_: &Demo, account: &Account| {
        let (mut pop3, answer) = server.log_in(&account.login, &account.password);
        assert!(answer.starts_with("+OK"), "{answer}");
        assert!(pop3.say("QUIT").starts_with("+OK"));
    };
    server.tell(&login, |server| story_of_addresses(&mut demo, server));
}

#[test]
fn a_right_by_tcpserver_ends_with_its_time() {
    let demo = Demo::start_with(&["relay.pop.minutes=1"]);
    Tcpserver::start(&demo).tell(&pop_login, |server| expiry(&demo, server));
}

/// mailfront serves the mailbox that Sekisho delivers to, to whom Sekisho knows.
#[test]
fn a_mailbox_is_read_through_mailfront() {
    let mut demo = Demo::start();
    let alice = demo.account("alice");
    let server = Tcpserver::start(&demo);
    let text = message("x@outside.example", &alice.address, "to Alice");
    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.mail("x@outside.example", &alice.address, text).starts_with("250"));
    demo.until("the mail", || (demo.mailbox("alice").len() == 1).then_some(()));
    let (_, wrong) = server.log_in(&alice.login, "wrong");
    assert!(wrong.starts_with("-ERR"), "{wrong}");
    assert!(demo.ruled(&["grant", "list", "--json"]).trim().ends_with("[]"), "a wrong login is no right");
    let (mut pop3, right) = server.log_in(&alice.login, &alice.password);
    assert!(right.starts_with("+OK"), "{right}\n{}", demo.log());
    let listed = pop3.say("STAT");
    assert!(listed.starts_with("+OK 1 "), "{listed}");
    assert!(pop3.say("RETR 1").starts_with("+OK"));
    pop3.send("QUIT\r\n");
    assert!(pop3.rest().contains("Subject: to Alice"));
    let grants = demo.ruled(&["grant", "list", "--json"]);
    assert!(grants.contains("127.0.0.1") && grants.contains(&alice.login), "{grants}");
    assert!(demo.stop());
    let (_, away) = server.log_in(&alice.login, &alice.password);
    assert!(away.starts_with("-ERR"), "{away}");
}

/// Runs `sekisho checkpassword` with `octets`, as `printf` takes them, on descriptor 3; its exit code and what it said.
fn checkpassword(dovecot_auth: u16, octets: &str, program: &str) -> (Option<i32>, String) {
    let script = "octets=$1 place=$2; shift 2; printf \"$octets\" | \
                  sekisho checkpassword --dovecot-auth \"$place\" -- \"$@\" 3<&0 </dev/null";
    let place = format!("127.0.0.1:{dovecot_auth}");
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", octets, &place, "sh", "-c", program]).env("PATH", path());
    let output = command.env("TCPREMOTEIP", "192.0.2.7").output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Exit codes and environment are the interface's.
#[test]
fn checkpassword_speaks_its_interface() {
    let mut demo = Demo::start();
    let (alice, port) = (demo.account("alice"), demo.port("dovecot_auth"));
    let octets = format!("{}\\000{}\\000Y123\\000", alice.login, alice.password);
    let home = demo.maildir_of("alice").canonicalize().unwrap().display().to_string();
    let shown = "echo \"$USER\"; pwd -P; cd \"$HOME\"; pwd -P; [ -e /dev/fd/3 ] && echo open; exit 7";
    assert_eq!(checkpassword(port, &octets, shown), (Some(7), format!("{}\n{home}\n{home}\n", alice.login)));
    let grants = demo.ruled(&["grant", "list", "--json"]);
    assert!(grants.contains("192.0.2.7") && grants.contains(&alice.login), "{grants}");
    let wrong = format!("{}\\000wrong\\000Y123\\000", alice.login);
    assert_eq!(checkpassword(port, &wrong, "echo ran").0, Some(1));
    assert_eq!(checkpassword(port, &format!("{}\\000\\000\\000", alice.login), "echo ran").0, Some(1), "T13");
    assert_eq!(checkpassword(port, "alice", "echo ran"), (Some(2), String::new()));
    assert!(demo.stop());
    assert_eq!(checkpassword(port, &octets, "echo ran"), (Some(111), String::new()));
}

/// Only `OK`, whole and in time, sets `RELAYCLIENT`; else the program does not even start.
#[test]
fn t39_ucspi_without_an_answer_says_421() {
    let ucspi = |socketmap: u16| {
        let place = format!("127.0.0.1:{socketmap}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.args(["ucspi", "--socketmap", &place, "--", "sh", "-c", "echo \"ran ${RELAYCLIENT-without}\""]);
        let output = command.env("TCPREMOTEIP", "192.0.2.7").env("RELAYCLIENT", "inherited").output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let away = "421 4.3.0 The guard does not answer, try again later\r\n";
    for answer in NO_ANSWERS {
        assert_eq!(ucspi(Guard::start(answer).port()), (Some(111), away.to_owned()), "{answer}");
    }
    let nobody = free_ports();
    assert_eq!(ucspi(nobody), (Some(111), away.to_owned()));
    assert_eq!(ucspi(Guard::start("3:OK ,").port()), (Some(0), "ran \n".to_owned()));
    assert_eq!(ucspi(Guard::start("9:NOTFOUND ,").port()), (Some(0), "ran without\n".to_owned()));
    let refused = ucspi(Guard::start_refusing("REJECT no thanks").port());
    assert_eq!(refused, (Some(0), "554 5.7.1 no thanks\r\n".to_owned()));
    let put_off = ucspi(Guard::start_refusing("DEFER 4.7.0 not so fast").port());
    assert_eq!(put_off, (Some(0), "421 4.7.0 not so fast\r\n".to_owned()));
}

/// qpsmtpd with our plugin; what it takes goes to the outside.
struct Qpsmtpd {
    process: Process,
    outside: Outside,
    port: u16,
    _folder: Folder,
}

impl Qpsmtpd {
    fn start(socketmap: u16) -> Self {
        let (folder, outside, port) = (Folder::new(), Outside::start(), free_ports());
        let package = unpacked("qpsmtpd", &["qpsmtpd"]);
        for name in ["config", "plugins", "spool"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        fs::set_permissions(folder.join("spool"), fs::Permissions::from_mode(0o700)).unwrap();
        let places = [("10032", socketmap.to_string()), ("127.0.0.1 25", format!("127.0.0.1 {}", outside.port()))];
        let places: Vec<_> = places.iter().map(|(documented, here)| (*documented, here.as_str())).collect();
        folder.write("config/plugins", &example("qmail/qpsmtpd/plugins", &places));
        folder.write("plugins/sekisho", &example("qmail/qpsmtpd/sekisho", &[]));
        let theirs = package.join("usr/share/qpsmtpd/plugins");
        folder.write("config/plugin_dirs", &format!("{0}/plugins\n{1}\n", folder.text(), theirs.display()));
        folder.write("config/rcpthosts", "example.test\n");
        folder.write("config/me", "mail.example.test\n");
        folder.write("config/spool_dir", &format!("{}/spool\n", folder.text()));
        folder.write("config/logging", "logging/warn 6\n");
        let mut perl = Command::new("perl");
        perl.arg("-T").arg("-I").arg(package.join("usr/share/perl5")).arg(package.join("usr/bin/qpsmtpd-forkserver"));
        perl.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-u", "root", "-H", "-m", "50"]);
        perl.current_dir(folder.path()).env("QPSMTPD_CONFIG", folder.join("config"));
        let process = Process::start(&mut perl, &folder.join("said")).listening(port);
        Self { process, outside, port, _folder: folder }
    }

    fn tell(&self, story: impl FnOnce(&Server<'_>)) {
        let (arrived, log) = (|| self.outside.mails(), || self.process.said());
        story(&Server { port: self.port, refusal: "Relaying denied", arrived: &arrived, log: &log, login: &pop_login });
    }
}

#[test]
fn the_story_by_qpsmtpd() {
    let mut demo = Demo::start();
    Qpsmtpd::start(demo.port("socketmap")).tell(|server| story(&mut demo, server));
}

/// Only `OK`, whole and in time, is a right; mail for our own domains waits too, as nobody knows what it would be told.
#[test]
fn t39_qpsmtpd_without_an_answer_lets_nobody_relay() {
    let mail = |subject| Mail { from: "alice@example.test", to: OUTSIDE, subject };
    for answer in NO_ANSWERS {
        Qpsmtpd::start(Guard::start(answer).port()).tell(|server| server.defers(CLIENT, mail(answer)));
    }
    let guard = Guard::start("3:OK ,");
    let qpsmtpd = Qpsmtpd::start(guard.port());
    qpsmtpd.tell(|server| server.relays(CLIENT, mail("by the guard's word")));
    assert_eq!(guard.asked().last().unwrap(), "relay 127.0.0.1 <alice@example.test> <friend@outside.example>");
    let without = Qpsmtpd::start(Guard::start("9:NOTFOUND ,").port());
    without.tell(|server| {
        server.refuses(CLIENT, mail("without a right"));
        server.relays(STRANGER, Mail { to: "alice@example.test", ..mail("to a domain of ours") });
    });
    let refusing = Qpsmtpd::start(Guard::start_refusing("REJECT no thanks").port());
    let greeting = Dialogue::connect(CLIENT, refusing.port).reply();
    assert!(greeting.starts_with("550 no thanks"), "{greeting}");
}
