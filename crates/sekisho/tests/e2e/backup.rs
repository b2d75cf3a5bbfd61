//! A backup of a running server under load, restored elsewhere: nothing is lost, nothing goes out twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use crate::support::{Account, Demo, Dialogue, PATIENCE, base64};

/// Connections that send at the same time.
const SENDERS: usize = 4;

/// A next hop that puts off all mail until it is opened, and notes whom it took mail for.
struct Hop {
    address: String,
    open: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Hop {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (open, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (is_open, got) = (Arc::clone(&open), Arc::clone(&taken));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (is_open, got) = (Arc::clone(&is_open), Arc::clone(&got));
                std::thread::spawn(move || {
                    let _ = stream.write_all(b"220 hop\r\n");
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                    let mut rcpts = Vec::new();
                    while let Some(line) = lines.next() {
                        let reply: &[u8] = match line.get(..4) {
                            Some("MAIL") if !is_open.load(Ordering::SeqCst) => b"451 4.3.2 later\r\n",
                            Some("MAIL") => {
                                rcpts.clear();
                                b"250 ok\r\n"
                            }
                            Some("RCPT") => {
                                rcpts.push(line.split(['<', '>']).nth(1).unwrap().to_owned());
                                b"250 ok\r\n"
                            }
                            Some("DATA") => {
                                let _ = stream.write_all(b"354 go on\r\n");
                                lines.by_ref().find(|line| line == ".");
                                got.lock().unwrap().append(&mut rcpts);
                                b"250 taken\r\n"
                            }
                            _ => b"250 ok\r\n",
                        };
                        let _ = stream.write_all(reply);
                    }
                });
            }
        });
        Self { address, open, taken }
    }

    fn relay(&self) -> String {
        format!("domains.relay=[{{domain='inside.test',next_hop='{}',verify='no'}}]", self.address)
    }

    /// How often it took mail for each.
    fn counts(&self) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for rcpt in self.taken.lock().unwrap().iter() {
            *counts.entry(rcpt.clone()).or_insert(0) += 1;
        }
        counts
    }
}

/// A server that was restored.
struct Restored {
    child: Child,
    arguments: Vec<String>,
    dir: PathBuf,
}

impl Restored {
    fn start(said: &Value, dir: &Path, more: &[String]) -> Self {
        let line = said["start"].as_str().unwrap().split(' ').skip(1);
        let mut arguments: Vec<String> = line.map(str::to_owned).filter(|word| word != "serve").collect();
        arguments.extend(more.iter().flat_map(|set| ["--set".to_owned(), set.clone()]));
        let log = fs::File::create(dir.join("test-output.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sekisho"))
            .args(&arguments)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let restored = Self { child, arguments, dir: dir.to_owned() };
        restored.until("an answer", || restored.sekisho(&["queue", "stats"]).status.success().then_some(()));
        restored
    }

    fn sekisho(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_sekisho")).args(&self.arguments).args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.sekisho(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(value) = condition() {
                return value;
            }
            let log = fs::read_to_string(self.dir.join("test-output.log")).unwrap_or_default();
            assert!(started.elapsed() < PATIENCE, "waited in vain for {what}\n{log}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// What the server says to a login over submission.
    fn logs_in(&self, port: u16, login: &str, secret: &str) -> bool {
        let mut dialogue = Dialogue::connect(Ipv4Addr::LOCALHOST, port).greeted();
        assert!(dialogue.say("STARTTLS").starts_with("220"));
        let mut dialogue = dialogue.start_tls(&self.dir.join("certificate.pem"));
        assert!(dialogue.say("EHLO client.example").starts_with("250"));
        dialogue.say(&format!("AUTH PLAIN {}", base64(&format!("\0{login}\0{secret}")))).starts_with("235")
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the configuration of a demo names, and a backup leaves to the operator.
fn bring_named_files(demo: &Demo, dir: &Path) {
    for entry in fs::read_dir(demo.dir()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|it| it == "pem") || name.contains("secret") {
            fs::copy(&path, dir.join(name)).unwrap();
        }
    }
}

fn passphrase(dir: &Path) -> String {
    let path = dir.join("passphrase");
    fs::write(&path, "correct horse battery staple\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

fn restored(arguments: &[&str]) -> Value {
    let output =
        Command::new(env!("CARGO_BIN_EXE_sekisho")).arg("restore").args(arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command that fails says, and its exit code.
fn refused(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sekisho")).args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Sends to `inside.test` and to alice in turn; notes each that was acknowledged.
fn send(port: u16, next: &AtomicU64, acknowledged: &Mutex<BTreeSet<u64>>, stop: &AtomicBool) {
    let mut smtp = Dialogue::connect(Ipv4Addr::LOCALHOST, port).greeted();
    while !stop.load(Ordering::SeqCst) {
        let number = next.fetch_add(1, Ordering::SeqCst);
        let to =
            if number.is_multiple_of(2) { format!("n{number}@inside.test") } else { "alice@example.test".to_owned() };
        // Some are larger than what goes into a segment.
        let lines = if number % 10 < 2 { 2_000 } else { 20 };
        let text = format!("Subject: number {number} end\r\n\r\n{}", format!("{}\r\n", "x".repeat(70)).repeat(lines));
        let answer = smtp.mail("load@load.example", &to, text);
        assert!(answer.starts_with("250"), "{answer}");
        acknowledged.lock().unwrap().insert(number);
    }
}

fn numbers_of(mails: &[String]) -> Vec<u64> {
    let number = |mail: &String| mail.split("Subject: number ").nth(1)?.split(" end").next()?.parse().ok();
    mails.iter().filter_map(number).collect()
}

/// Senders at work.
struct Load {
    acknowledged: Arc<Mutex<BTreeSet<u64>>>,
    stop: Arc<AtomicBool>,
    senders: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(port: u16) -> Self {
        let (next, acknowledged) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(BTreeSet::new())));
        let stop = Arc::new(AtomicBool::new(false));
        let sender = |_| {
            let (next, acknowledged, stop) = (Arc::clone(&next), Arc::clone(&acknowledged), Arc::clone(&stop));
            std::thread::spawn(move || send(port, &next, &acknowledged, &stop))
        };
        let senders = (0..SENDERS).map(sender).collect();
        Self { acknowledged, stop, senders }
    }

    /// Waits until so many more are acknowledged; all of them.
    fn after(&self, demo: &Demo, more: usize) -> BTreeSet<u64> {
        let count = || self.acknowledged.lock().unwrap().len();
        let wanted = count() + more;
        demo.until("some load", || (count() >= wanted).then_some(()));
        self.acknowledged.lock().unwrap().clone()
    }

    fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.senders.into_iter().for_each(|sender| sender.join().unwrap());
    }
}

/// What is in the restored queue: whom it is for.
fn queued(server: &Restored) -> Vec<String> {
    let listed = server.json(&["queue", "list", "--limit", "100000"]);
    let listed = listed.as_array().unwrap();
    assert!(listed.iter().all(|it| it["hold"] == "restored"), "{listed:?}");
    listed.iter().map(|it| it["recipients"][0]["forward_path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_round_trip_under_load_loses_nothing_and_sends_nothing_twice() {
    let (hop, place) = (Hop::start(), tempfile::tempdir().unwrap());
    let mut demo = Demo::start_with(&[&hop.relay(), "spool.segment_octets=1048576"]);
    let alice = demo.account("alice");
    let mail_of_alice = relative(&demo, &alice);
    let port = demo.port("smtp");
    let load = Load::start(port);
    let before = load.after(&demo, 60);
    let (to, passphrase) = (place.path().join("backup.tar.gz").display().to_string(), passphrase(place.path()));
    let said = demo.ruled(&["backup", &to, "--mail", "--passphrase-file", &passphrase]);
    assert!(said.contains("sealed with the passphrase") && said.contains("the configuration names it"), "{said}");
    load.after(&demo, 20);
    load.stop();
    assert!(demo.ruled(&["log", "admin"]).contains("backup"), "it is recorded who made it");
    assert!(demo.stop() && hop.counts().is_empty());

    let dir = place.path().join("restored");
    let told = restored(&[&to, "--into", &dir.display().to_string(), "--passphrase-file", &passphrase]);
    bring_named_files(&demo, &dir);
    hop.open.store(true, Ordering::SeqCst);
    let server = Restored::start(&told, &dir, &[hop.relay()]);

    // All that was acknowledged before is in the queue, or was delivered.
    let queued = queued(&server);
    let mailbox = || -> BTreeSet<u64> {
        numbers_of(&crate::support::maildir(&dir.join("mail").join(&mail_of_alice))).into_iter().collect()
    };
    let lost = before.iter().filter(|it| it.is_multiple_of(2) && !queued.contains(&format!("n{it}@inside.test")));
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&u64>::new());
    let (found, for_alice) = (mailbox(), queued.iter().filter(|to| to.starts_with("alice")).count());
    let elsewhere = before.iter().filter(|it| !it.is_multiple_of(2) && !found.contains(it)).count();
    assert!(elsewhere <= for_alice, "{elsewhere} are not in the mailbox, {for_alice} in the queue");

    // New mail goes its way; nothing of the restored queue does.
    let mut smtp = Dialogue::connect(Ipv4Addr::LOCALHOST, port).greeted();
    assert!(smtp.mail("load@load.example", "new@inside.test", "Subject: new\r\n\r\nnew\r\n").starts_with("250"));
    server.until("the new mail", || hop.counts().contains_key("new@inside.test").then_some(()));
    assert_eq!(hop.counts().len(), 1, "{:?}", hop.counts());
    all_is_released(&server, &hop, &queued);
    let found = mailbox();
    let lost = before.iter().filter(|it| !it.is_multiple_of(2) && !found.contains(it));
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&u64>::new());

    // With the key every device logs in.
    for (login, secret) in [(&alice.device_login, &alice.device_secret), (&alice.login, &alice.password)] {
        assert!(server.logs_in(demo.port("submission"), login, secret), "{login}");
    }
}

/// Each goes out, once.
fn all_is_released(server: &Restored, hop: &Hop, queued: &[String]) {
    let released = server.json(&["restore", "--release-queue"]);
    assert_eq!(released["count"].as_u64(), Some(queued.len() as u64));
    server.until("an empty queue", || (server.json(&["queue", "stats"])["messages"] == 0).then_some(()));
    let counts = hop.counts();
    let sent: BTreeSet<&String> = queued.iter().filter(|to| to.ends_with("@inside.test")).collect();
    assert!(sent.iter().all(|to| counts.get(*to) == Some(&1)), "{counts:?}");
    assert_eq!(counts.len(), sent.len() + 1);
}

/// Where an account's mail lies below the mail's folder.
fn relative(demo: &Demo, account: &Account) -> PathBuf {
    let shown: Value = serde_json::from_str(&demo.ruled(&["user", "show", &account.login, "--json"])).unwrap();
    shown["maildir"].as_str().unwrap().into()
}

#[test]
fn without_its_key_a_backup_names_the_devices() {
    let place = tempfile::tempdir().unwrap();
    let mut demo = Demo::start();
    let alice = demo.account("alice");
    let to = place.path().join("backup").display().to_string();
    let said = demo.ruled(&["backup", &to]);
    assert!(said.contains("server.key: without it no device logs in"), "{said}");
    // One that is there is kept, and a folder that is none is never touched.
    let config = demo.facts["config"].as_str().unwrap().to_owned();
    assert!(refused(&["-c", &config, "backup", &to]).1.contains("is there already"));
    demo.ruled(&["backup", &to, "--replace"]);
    let foreign = place.path().display().to_string();
    assert!(refused(&["-c", &config, "backup", &foreign, "--replace"]).1.contains("is no backup"));
    // Nothing is restored under a running server.
    let (code, why) = refused(&["-c", &config, "restore", &to, "--replace"]);
    assert!(code == 75 && why.contains("is running"), "{code} {why}");
    assert!(demo.stop());

    let dir = place.path().join("restored");
    let into = dir.display().to_string();
    let (code, why) = refused(&["restore", &to, "--into", &into]);
    assert!(code == 2 && why.contains("--without-key"), "{code} {why}");
    // A file that was changed is named, and nothing is restored.
    let segment = Path::new(&to).join("accounts/directory.sqlite");
    let good = fs::read(&segment).unwrap();
    let mut bad = good.clone();
    bad[4_000] ^= 1;
    fs::write(&segment, bad).unwrap();
    let (code, why) = refused(&["restore", &to, "--into", &into, "--without-key"]);
    assert!(code == 2 && why.contains("accounts/directory.sqlite: its checksum"), "{code} {why}");
    fs::write(&segment, good).unwrap();

    let told = restored(&[&to, "--into", &into, "--without-key"]);
    let revoked: Vec<&str> = told["revoked"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(revoked.contains(&&*alice.device_login), "{told}");
    bring_named_files(&demo, &dir);
    let server = Restored::start(&told, &dir, &[]);
    let port = demo.port("submission");
    assert!(!server.logs_in(port, &alice.device_login, &alice.device_secret));
    assert!(server.logs_in(port, &alice.login, &alice.password));
    let devices = String::from_utf8(server.sekisho(&["user", "device", "list"]).stdout).unwrap();
    assert!(devices.contains("revoked") || devices.to_lowercase().contains("revoked"), "{devices}");
}

#[test]
fn a_stopped_server_is_backed_up_from_its_files_and_comes_back_in_its_place() {
    let place = tempfile::tempdir().unwrap();
    let mut demo = Demo::start();
    let sent =
        demo.dial("smtp").greeted().mail("a@load.example", "alice@example.test", "Subject: kept\r\n\r\nkept\r\n");
    assert!(sent.starts_with("250"), "{sent}");
    demo.until_drained();
    demo.kill_9();
    let to = place.path().join("backup.tar").display().to_string();
    demo.ruled(&["backup", &to]);
    let config = demo.facts["config"].as_str().unwrap().to_owned();
    let (code, why) = refused(&["-c", &config, "restore", &to]);
    assert!(code == 2 && why.contains("--replace"), "{code} {why}");
    let said = demo.ruled(&["restore", &to, "--replace"]);
    assert!(said.contains("is the same as in the backup") && said.contains("before-restore-"), "{said}");
    demo.restart();
    assert_eq!(demo.mailbox("alice").len(), 1, "mail that is in no backup stays");
    let alice = demo.account("alice");
    assert!(demo.submission(&alice).say("NOOP").starts_with("250"));
}
