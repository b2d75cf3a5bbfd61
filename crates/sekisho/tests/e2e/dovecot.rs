//! Dovecot reads the Maildir that we wrote, and we the one that it wrote, with the same unique-ids.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{Demo, Dialogue, PATIENCE, run};

/// A Dovecot of our own on loopback: one user "u" with password "p" whose mail is the given Maildir.
struct Dovecot {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Dovecot {
    fn start(maildir: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display().to_string();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        // Dovecot drops root for mail: the Maildir is its user's for the while.
        let uid: u32 = run(Command::new("id").args(["-u", "nobody"])).trim().parse().unwrap();
        let gid: u32 = run(Command::new("id").args(["-g", "nobody"])).trim().parse().unwrap();
        own(maildir, uid, gid);
        fs::write(dir.path().join("passwd"), format!("u:{{PLAIN}}p:{uid}:{gid}::{at}/home::\n")).unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        own(&dir.path().join("home"), uid, gid);
        let config = format!(
            "base_dir = {at}/run\nstate_dir = {at}/run\nlog_path = {at}/log\nprotocols = pop3\nlisten = 127.0.0.1\nssl = no\n\
             disable_plaintext_auth = no\nmail_location = maildir:{}\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n\
             default_internal_user = nobody\ndefault_internal_group = nogroup\ndefault_login_user = nobody\n\
             passdb {{\n driver = passwd-file\n args = {at}/passwd\n}}\nuserdb {{\n driver = passwd-file\n args = {at}/passwd\n}}\n\
             service pop3-login {{\n chroot =\n inet_listener pop3 {{\n port = {port}\n }}\n inet_listener pop3s {{\n port = 0\n }}\n}}\n\
             service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n",
            maildir.display()
        );
        fs::write(dir.path().join("dovecot.conf"), config).unwrap();
        let child = Command::new("/usr/sbin/dovecot")
            .args(["-F", "-c"])
            .arg(dir.path().join("dovecot.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("dovecot is installed (scripts/install-peers)");
        // Its processes must reach the socket directory and the Maildir, which lie below a private directory.
        for path in maildir.ancestors().skip(1).take_while(|p| p.starts_with(std::env::temp_dir())) {
            open_to_all(path);
        }
        open_to_all(dir.path());
        Self { child, port, _dir: dir }
    }

    fn unique_ids(&self) -> Vec<String> {
        let started = std::time::Instant::now();
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "Dovecot does not listen");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        unique_ids(self.port, "u", "p")
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // SIGTERM lets the master end its children.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn own(path: &Path, uid: u32, gid: u32) {
    chown(path, Some(uid), Some(gid)).unwrap();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() {
            own(&entry.path(), uid, gid);
        } else {
            chown(entry.path(), Some(uid), Some(gid)).unwrap();
        }
    }
}

fn unique_ids(port: u16, user: &str, password: &str) -> Vec<String> {
    let mut pop = Dialogue::connect(Ipv4Addr::LOCALHOST, port);
    assert!(pop.reply().starts_with("+OK"));
    pop.say(&format!("USER {user}"));
    let answer = pop.say(&format!("PASS {password}"));
    assert!(answer.starts_with("+OK"), "{answer}");
    let mut listed = Vec::new();
    assert!(pop.say("UIDL").starts_with("+OK"));
    loop {
        let line = pop.reply();
        assert!(!line.is_empty(), "the list ended early");
        if line == ".\r\n" {
            break;
        }
        listed.push(line.trim().to_owned());
    }
    pop.say("QUIT");
    listed
}

fn send(demo: &Demo, count: usize) {
    let mut smtp = demo.dial("smtp");
    smtp.reply();
    smtp.say("EHLO x.example");
    for n in 0..count {
        smtp.say("MAIL FROM:<x@x.example>");
        assert!(smtp.say("RCPT TO:<alice@example.test>").starts_with("250"));
        smtp.say("DATA");
        assert!(smtp.say(&format!("Subject: {n}\r\n\r\n..\r\n...dot\r\nx\r\n.")).starts_with("250"));
    }
}

#[test]
fn dovecot_gives_the_same_unique_ids() {
    let demo = Demo::start_with(&["listener.pop3.auth=always"]);
    let alice = demo.account("alice");
    let maildir = demo.maildir_of("alice");
    send(&demo, 5);
    demo.until("five mails", || (demo.mailbox("alice").len() == 5).then_some(()));
    let ours = unique_ids(demo.port("pop3"), &alice.device_login, &alice.device_secret);
    assert_eq!(ours.len(), 5);
    let dovecot = Dovecot::start(&maildir);
    assert_eq!(dovecot.unique_ids(), ours, "Dovecot reads what we wrote");
    // The reverse: new mail is numbered by Dovecot first.
    send(&demo, 4);
    demo.until("nine mails", || (demo.mailbox("alice").len() == 9).then_some(()));
    let theirs = dovecot.unique_ids();
    assert_eq!(theirs.len(), 9);
    drop(dovecot);
    let ours = unique_ids(demo.port("pop3"), &alice.device_login, &alice.device_secret);
    assert_eq!(ours, theirs, "we read what Dovecot wrote");
}
