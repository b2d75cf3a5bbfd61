//! Clients that others wrote: swaks, curl, msmtp, mpop, fetchmail, Python's smtplib and poplib.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Account, Demo, maildir, message, run, run_failing};

const OUTSIDE: &str = "friend@outside.example";

/// A file that only its owner may read, as msmtp, mpop and fetchmail demand.
pub(crate) fn private_file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn swaks(demo: &Demo, port: &str, from: &Account, to: &str) -> Command {
    let mut command = Command::new("swaks");
    command.args(["--server", "127.0.0.1", "--port", &demo.port(port).to_string(), "--helo", "client.example"]);
    command.args(["--from", &from.address, "--to", to, "--hide-all", "--timeout", "20"]);
    command
}

fn arrived(demo: &Demo, subject: &str) {
    demo.until(subject, || maildir(&demo.sink()).iter().any(|m| m.contains(subject)).then_some(()));
}

#[test]
fn swaks_delivers_to_a_mailbox_and_curl_fetches_it() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let stranger = Account { address: "someone@outside.example".to_owned(), ..alice.clone() };
    run(swaks(&demo, "smtp", &stranger, &alice.address).args(["--header", "Subject: from swaks"]));
    let mail = demo.until("the mail", || demo.mailbox("alice").pop());
    assert!(mail.starts_with("Return-Path: <someone@outside.example>"), "{mail}");
    assert!(mail.contains("Received: from client.example"), "{mail}");
    let url = format!("pop3://127.0.0.1:{}/1", demo.port("pop3"));
    let certificate = demo.certificate().to_str().unwrap();
    let fetched = run(Command::new("curl")
        .args(["-sS", "--ssl-reqd", "--cacert", certificate, "-u"])
        .args([format!("{}:{}", alice.login, alice.password), url.replace("127.0.0.1", "localhost")]));
    assert!(fetched.contains("Subject: from swaks"), "{fetched}");
}

#[test]
fn swaks_authenticates_by_every_mechanism_and_relays() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    for (port, tls, mechanism, login, secret) in [
        ("submission", &["--tls"][..], "PLAIN", &alice.login, &alice.password),
        ("submission", &["--tls"], "LOGIN", &alice.login, &alice.password),
        ("submission", &[], "CRAM-MD5", &alice.device_login, &alice.device_secret),
        ("submissions", &["--tls-on-connect"], "PLAIN", &alice.login, &alice.password),
    ] {
        let subject = format!("by {mechanism} on {port} {}", tls.len());
        run(swaks(&demo, port, &alice, OUTSIDE).args(tls).args(["--auth", mechanism, "--auth-user", login]).args([
            "--auth-password",
            secret,
            "--header",
            &format!("Subject: {subject}"),
        ]));
        arrived(&demo, &subject);
    }
}

#[test]
fn swaks_is_refused_what_it_has_no_right_to() {
    let demo = Demo::start();
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let tls_auth = ["--tls", "--auth", "PLAIN", "--auth-user", &alice.login, "--auth-password", &alice.password];
    run_failing(&mut swaks(&demo, "smtp", &alice, OUTSIDE));
    demo.logged(&["reply=\"550 5.7.1", "we do not relay"]);
    run_failing(&mut swaks(&demo, "submission", &alice, OUTSIDE));
    run_failing(swaks(&demo, "submission", &alice, OUTSIDE).args([
        "--tls",
        "--auth",
        "PLAIN",
        "--auth-user",
        &alice.login,
        "--auth-password",
        "wrong",
    ]));
    // In clear the password is not even asked for.
    run_failing(swaks(&demo, "submission", &alice, OUTSIDE).args(&tls_auth[1..]));
    // Alice may not write in Bob's name.
    run_failing(swaks(&demo, "submission", &bob, OUTSIDE).args(tls_auth));
    assert_eq!(maildir(&demo.sink()), Vec::<String>::new());
    demo.logged(&["reply=\"553 5.7.1"]);
}

#[test]
fn curl_sends_with_auth() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let file = private_file(demo.dir(), "mail.txt", &message(&alice.address, OUTSIDE, "from curl"));
    let certificate = demo.certificate().to_str().unwrap();
    for (scheme, port) in [("smtp", "submission"), ("smtps", "submissions")] {
        let url = format!("{scheme}://localhost:{}/client.example", demo.port(port));
        run(Command::new("curl").args(["-sS", "--ssl-reqd", "--cacert", certificate, "--url", &url, "-u"]).args([
            &format!("{}:{}", alice.login, alice.password),
            "--mail-from",
            &alice.address,
            "--mail-rcpt",
            OUTSIDE,
            "-T",
            file.to_str().unwrap(),
        ]));
    }
    demo.until("two mails", || (maildir(&demo.sink()).len() == 2).then_some(()));
}

#[test]
fn msmtp_sends_by_scram_and_by_cram() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let certificate = demo.certificate().to_str().unwrap();
    for (auth, tls, login, secret) in [
        ("scram-sha-256", "on", &alice.login, &alice.password),
        ("plain", "on", &alice.login, &alice.password),
        ("cram-md5", "off", &alice.device_login, &alice.device_secret),
    ] {
        let config = format!(
            "account default\nhost localhost\nport {}\nfrom {}\nauth {auth}\nuser {login}\npassword {secret}\ntls {tls}\n\
             tls_starttls on\n{}\nlogfile -\n",
            demo.port("submission"),
            alice.address,
            if tls == "on" { format!("tls_trust_file {certificate}") } else { String::new() },
        );
        let config = private_file(demo.dir(), &format!("msmtprc-{auth}"), &config);
        let mail = private_file(demo.dir(), "m.txt", &message(&alice.address, OUTSIDE, &format!("msmtp {auth}")));
        run(Command::new("msmtp").arg("-C").arg(config).arg(OUTSIDE).stdin(fs::File::open(mail).unwrap()));
        arrived(&demo, &format!("msmtp {auth}"));
    }
}

#[test]
fn mpop_and_fetchmail_fetch() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let certificate = demo.certificate().to_str().unwrap();
    for n in 0..3 {
        run(swaks(&demo, "smtp", &alice, &alice.address).args(["--header", &format!("Subject: number {n}")]));
    }
    demo.until("three mails", || (demo.mailbox("alice").len() == 3).then_some(()));
    for (auth, tls, login, secret) in [
        ("user", "on", &alice.login, &alice.password),
        ("scram-sha-256", "on", &alice.login, &alice.password),
        ("apop", "off", &alice.device_login, &alice.device_secret),
        ("cram-md5", "off", &alice.device_login, &alice.device_secret),
    ] {
        let target = demo.dir().join(format!("mpop-{auth}"));
        for sub in ["cur", "new", "tmp"] {
            fs::create_dir_all(target.join(sub)).unwrap();
        }
        let config = format!(
            "account default\nhost localhost\nport {}\nauth {auth}\nuser {login}\npassword {secret}\ntls {tls}\n\
             tls_starttls on\n{}\nkeep on\ndelivery maildir {}\nuidls_file {}\n",
            demo.port("pop3"),
            if tls == "on" { format!("tls_trust_file {certificate}") } else { String::new() },
            target.display(),
            demo.dir().join(format!("uidls-{auth}")).display(),
        );
        let config = private_file(demo.dir(), &format!("mpoprc-{auth}"), &config);
        run(Command::new("mpop").arg("-C").arg(config));
        assert_eq!(maildir(&target).len(), 3, "mpop by {auth}");
    }
    let fetched = fetchmail(&demo, &alice, "pop3s");
    assert_eq!(fetched, 3);
}

/// Lets fetchmail take everything into a file; returns how many it took.
fn fetchmail(demo: &Demo, account: &Account, port: &str) -> usize {
    let out = demo.dir().join("fetched.mbox");
    let certificate = demo.certificate().to_str().unwrap();
    let config = format!(
        "poll localhost protocol pop3 port {} auth password user \"{}\" password \"{}\" ssl sslcertck sslcertfile \"{certificate}\" \
         fetchall mda \"cat >> {}\"\n",
        demo.port(port),
        account.login,
        account.password,
        out.display()
    );
    let config = private_file(demo.dir(), "fetchmailrc", &config);
    run(Command::new("fetchmail").env("FETCHMAILHOME", demo.dir()).args(["--nosyslog", "-f"]).arg(config));
    fs::read_to_string(out).unwrap().matches("Subject: number").count()
}

#[test]
fn python_sends_and_fetches() {
    let demo = Demo::start();
    let alice = demo.account("alice");
    let script = r#"
import json, poplib, smtplib, ssl, sys, time
facts = json.load(open(sys.argv[1])); alice = facts["accounts"][0]; ports = facts["ports"]
context = ssl.create_default_context(cafile=facts["certificate"])
mail = "From: {0}\r\nTo: {0}\r\nSubject: from python\r\n\r\n.dot at the start\r\n..two\r\nend\r\n".format(alice["address"])
s = smtplib.SMTP("localhost", ports["submission"]); s.starttls(context=context)
s.login(alice["login"], alice["password"])
s.sendmail(alice["address"], [alice["address"], "friend@outside.example"], mail); s.quit()
c = smtplib.SMTP("localhost", ports["submission"]); c.ehlo()
c.user, c.password = alice["device"]["login"], alice["device"]["secret"]
c.auth("CRAM-MD5", c.auth_cram_md5)
c.sendmail(alice["address"], [alice["address"]], mail); c.quit()
for n in range(200):
    p = poplib.POP3("localhost", ports["pop3"]); p.apop(alice["device"]["login"], alice["device"]["secret"])
    if p.stat()[0] == 2: break
    p.quit(); time.sleep(0.05)
lines = p.retr(1)[1]
assert b".dot at the start" in lines and b"..two" in lines and lines[-1] == b"end", lines
assert any(l.startswith(b"Message-ID:") for l in lines) and any(l.startswith(b"Date:") for l in lines), lines
assert len(p.uidl()[1]) == 2 and p.top(1, 0)[0].startswith(b"+OK")
p.dele(1); p.quit()
p = poplib.POP3_SSL("localhost", ports["pop3s"], context=context)
p.utf8(); p.user(alice["login"]); p.pass_(alice["password"])
assert p.stat()[0] == 1, p.stat()
p.dele(1); p.rset(); p.quit()
print("ok")
"#;
    let file = private_file(demo.dir(), "client.py", script);
    let said = run(Command::new("python3").arg(file).arg(demo.dir().join("demo.json")));
    assert!(said.contains("ok"), "{said}");
    let _ = alice;
}
