//! A real Dovecot and we read the same Maildir in turns, and tell the same unique-ids and sizes.
//!
//! Runs where `dovecot` is installed (with its POP3 part) and the test may change a file's owner; else it says that it
//! was skipped.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use maildir::{Attempt, Delivery, DeliveryKey, Maildrop, Order, Quota};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `nobody`, whom Dovecot lets read mail; it refuses to do so as root.
const MAIL_USER: u32 = 65534;

struct Dovecot {
    process: Child,
    port: u16,
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

impl Dovecot {
    fn start(dir: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "base_dir = {0}/run\nstate_dir = {0}/state\nlog_path = {0}/log\nprotocols = pop3\nlisten = 127.0.0.1\nssl = no\n\
             disable_plaintext_auth = no\nmail_location = maildir:{0}/mail\n\
             service pop3-login {{\n chroot =\n inet_listener pop3 {{\n  port = {port}\n }}\n inet_listener pop3s {{\n  port = 0\n }}\n}}\n\
             passdb {{\n driver = static\n args = password=x\n}}\n\
             userdb {{\n driver = static\n args = uid={MAIL_USER} gid={MAIL_USER} home={0}/home\n}}\n\
             first_valid_uid = 1\n",
            dir.display()
        );
        fs::write(dir.join("dovecot.conf"), config).unwrap();
        let process = Command::new("dovecot")
            .args(["-F", "-c"])
            .arg(dir.join("dovecot.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, port }
    }

    fn connect(&self) -> TcpStream {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => return stream,
                Err(error) => assert!(Instant::now() < until, "Dovecot does not listen: {error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// (octets, unique-id) of each message, as it tells them.
    fn list(&self, last_command: &str) -> Vec<(u64, String)> {
        let mut stream = BufReader::new(self.connect());
        line(&mut stream);
        for command in ["USER alice", "PASS x"] {
            say(&mut stream, command);
        }
        let octets = multi_line(&mut stream, "LIST");
        let unique_ids = multi_line(&mut stream, "UIDL");
        if !last_command.is_empty() {
            say(&mut stream, last_command);
        }
        say(&mut stream, "QUIT");
        octets.into_iter().map(|text| text.parse().unwrap()).zip(unique_ids).collect()
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut text = String::new();
    stream.read_line(&mut text).unwrap();
    text.trim_end().to_owned()
}

fn say(stream: &mut BufReader<TcpStream>, command: &str) {
    stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
    let answer = line(stream);
    assert!(answer.starts_with("+OK"), "{command}: {answer}");
}

fn multi_line(stream: &mut BufReader<TcpStream>, command: &str) -> Vec<String> {
    say(stream, command);
    let mut lines = Vec::new();
    loop {
        match line(stream).as_str() {
            "." => return lines,
            text => lines.push(text.split_once(' ').unwrap().1.to_owned()),
        }
    }
}

fn deliver(maildir: &Path, queue_id: &str) {
    let delivery = Delivery::new("mx.example.test");
    let key = DeliveryKey { queue_id, recipient: 0, arrived_at_unix_micros: 1_700_000_000_000_000 };
    let order = Order { maildir, key, attempt: Attempt::First, quota: Quota::NONE, head: b"Return-Path: <>\r\n" };
    let text = format!("Subject: {queue_id}\r\n\r\n{}", "line\r\n".repeat(queue_id.len()));
    let tmp = delivery.write(&order, &mut text.as_bytes()).unwrap();
    assert!(delivery.commit(vec![tmp]).pop().unwrap().is_ok());
    hand_over(maildir);
}

/// Everything to the user that Dovecot reads as.
fn hand_over(path: &Path) {
    chown(path, Some(MAIL_USER), Some(MAIL_USER)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            hand_over(&entry.unwrap().path());
        }
    }
}

fn list(maildir: &Path) -> Vec<(u64, String)> {
    let drop = Maildrop::open(maildir).unwrap();
    let told = drop.entries().iter().map(|entry| (entry.octets, drop.unique_id(entry))).collect();
    hand_over(maildir);
    told
}

fn can_run(dir: &Path) -> bool {
    let installed = Command::new("dovecot").arg("--version").stdout(Stdio::null()).status().is_ok();
    let has_pop3 = Path::new("/usr/lib/dovecot/pop3").exists() || Path::new("/usr/libexec/dovecot/pop3").exists();
    let is_root = fs::metadata(dir).is_ok_and(|data| data.uid() == 0);
    installed && has_pop3 && is_root
}

#[test]
fn unique_ids_and_sizes_are_dovecots() {
    let dir = tempfile::tempdir().unwrap();
    if !can_run(dir.path()) {
        eprintln!("skipped: needs root, dovecot and its pop3 service");
        return;
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (ours_first, home) = (dir.path().join("mail"), dir.path().join("home"));
    fs::create_dir(&home).unwrap();
    hand_over(&home);
    maildir::create(&ours_first).unwrap();
    let dovecot = Dovecot::start(dir.path());

    // We first.
    for queue_id in ["one", "three", "two"] {
        deliver(&ours_first, queue_id);
    }
    let told = list(&ours_first);
    assert_eq!((told.len(), dovecot.list("")), (3, told.clone()));

    // Then it: new mail gets its UID from Dovecot, one without sizes in its name among it.
    deliver(&ours_first, "fourth");
    fs::write(ours_first.join("new/1700000001.M1.other"), "Subject: no sizes\n\nin the name\n").unwrap();
    hand_over(&ours_first);
    let of_dovecot = dovecot.list("");
    assert_eq!((of_dovecot.len(), list(&ours_first)), (5, of_dovecot.clone()));
    assert_eq!(&of_dovecot[..3], told);

    // It deletes, we deliver and list; we delete, it lists.
    dovecot.list("DELE 1");
    deliver(&ours_first, "seventh");
    let told = list(&ours_first);
    assert_eq!((told.len(), dovecot.list("")), (5, told.clone()));
    Maildrop::open(&ours_first).unwrap().commit(&[0, 4]).unwrap();
    hand_over(&ours_first);
    deliver(&ours_first, "eighth-and-last");
    let of_dovecot = dovecot.list("");
    assert_eq!((of_dovecot.len(), list(&ours_first)), (4, of_dovecot.clone()));
    assert_eq!(&of_dovecot[..3], &told[1..4]);
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(!log.contains("Error") && !log.contains("Warning"), "{log}");
}
