//! What the tests beside real mail servers share: folders, processes, namespaces, unpacked packages, an outside that
//! takes every mail, and the story that each server must tell.
#![allow(dead_code, reason = "every server needs another part of it")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::demo::{Account, Demo, Dialogue, PATIENCE, message, run};

/// Where a client comes from that nobody knows.
pub(crate) const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
/// Where Alice sits: the address that the demo's own clients have.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// A recipient that only a relay reaches.
pub(crate) const OUTSIDE: &str = "friend@outside.example";

/// The workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Waits until `condition` gives something; `told` says what is known when it never does.
pub(crate) fn until<T>(what: &str, told: &dyn Fn() -> String, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}\n{}", told());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A configuration of `docs/examples/` as it stands there, with the addresses and paths of this test in the place of the
/// documented ones: `("127.0.0.1:10031", "127.0.0.1:23456")`. Each must stand in it.
pub(crate) fn example(path: &str, places: &[(&str, &str)]) -> String {
    let file = root().join("docs/examples").join(path);
    let mut text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    for (documented, here) in places {
        assert!(text.contains(documented), "{path} has no {documented}");
        text = text.replace(documented, here);
    }
    text
}

/// A folder that every user may enter: mail servers run under several.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The same for a configuration file.
    pub(crate) fn text(&self) -> String {
        self.dir.path().display().to_string()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, readable for all.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// Makes a folder that belongs to `user`, by the system's name for it.
    pub(crate) fn folder_of(&self, name: &str, user: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).unwrap();
        chown(&path, Some(user_id(user)), Some(group_id(user))).unwrap();
        path
    }
}

/// The number of a user of this system.
pub(crate) fn user_id(user: &str) -> u32 {
    run(Command::new("id").args(["-u", user])).trim().parse().unwrap()
}

/// The number of its first group.
pub(crate) fn group_id(user: &str) -> u32 {
    run(Command::new("id").args(["-g", user])).trim().parse().unwrap()
}

/// A process that the test started; it is ended with this value, by its own number.
pub(crate) struct Process {
    child: Option<Child>,
    said: PathBuf,
}

impl Process {
    /// Starts it in the foreground; what it says goes to the file `said`.
    pub(crate) fn start(command: &mut Command, said: &Path) -> Self {
        let output = fs::OpenOptions::new().create(true).append(true).open(said).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e} (scripts/install-peers installs it)"));
        Self { child: Some(child), said: said.to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// What it has said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// Waits until it listens.
    pub(crate) fn listening(self, port: u16) -> Self {
        until(&format!("a listener on {port}"), &|| self.said(), || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        self
    }

    /// Ends it as an administrator would, and waits; gives whether it ended well.
    pub(crate) fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return true };
        let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        let started = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) if started.elapsed() < Duration::from_secs(20) => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => break,
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("---- {}\n{}", self.said.display(), self.said());
        }
    }
}

/// Whether a namespace shares the machine's loopback, with the demo on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Shared,
    /// One of its own: every port and address is free, and nothing of the outside is there.
    Own,
}

/// A mount and host name space of a server's own: other files in `/etc`, without touching the machine's.
pub(crate) struct Namespace {
    holder: Child,
    network: Network,
}

impl Namespace {
    pub(crate) fn new(network: Network) -> Self {
        let mut command = Command::new("unshare");
        command.args(["-m", "-u", "--propagation", "private"]);
        if network == Network::Own {
            command.arg("-n");
        }
        // It lives as long as its standard input, so a test that is killed leaves nothing behind.
        command.args(["sh", "-c", "hostname mail.example.test && echo ready && exec cat"]);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "a namespace needs root");
        let namespace = Self { holder, network };
        if network == Network::Own {
            run(namespace.command("ip").args(["link", "set", "lo", "up"]));
        }
        namespace
    }

    /// A command to run inside; its process is the program itself.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-m", "-u"]);
        if self.network == Network::Own {
            command.arg("-n");
        }
        command.arg("--").arg(program);
        command
    }

    /// Puts `file` (or a folder) in the place of `over`.
    pub(crate) fn bind(&self, file: &Path, over: &str) {
        run(self.command("mount").arg("--bind").arg(file).arg(over));
    }

    /// An empty folder in the place of `over`.
    pub(crate) fn tmpfs(&self, over: &str) {
        run(self.command("mount").args(["-t", "tmpfs", "tmpfs", over]));
    }

    /// The system's `/etc/passwd` and `/etc/group` with more users, each with a group of its name and number.
    pub(crate) fn users(&self, folder: &Folder, users: &[(&str, u32)]) {
        let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
        let mut group = fs::read_to_string("/etc/group").unwrap();
        for (name, number) in users {
            let _ = writeln!(passwd, "{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin");
            let _ = writeln!(group, "{name}:x:{number}:");
        }
        self.bind(&folder.write("passwd", &passwd), "/etc/passwd");
        self.bind(&folder.write("group", &group), "/etc/group");
    }

    /// Its look-ups go to `names`, and `/etc/hosts` knows the machine's own name only.
    pub(crate) fn resolver(&self, folder: &Folder, names: &NoNames) {
        let text = format!("nameserver {}\noptions timeout:1 attempts:1\n", names.address);
        self.bind(&folder.write("resolv.conf", &text), "/etc/resolv.conf");
        let hosts = folder.write("hosts", "127.0.0.1 localhost\n127.0.0.1 mail.example.test mail\n");
        self.bind(&hosts, "/etc/hosts");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// A name server on the machine's loopback that denies every name, so that no peer waits for one that is not there.
pub(crate) struct NoNames {
    address: Ipv4Addr,
}

impl NoNames {
    pub(crate) fn start() -> Self {
        let first = std::process::id();
        let (address, socket) = (0..1000)
            .find_map(|n| {
                let [_, high, middle, low] = (first.wrapping_add(n) & 0x00ff_ffff).to_be_bytes();
                let address = Ipv4Addr::new(127, high | 1, middle, low.clamp(1, 254));
                UdpSocket::bind((address, 53)).ok().map(|socket| (address, socket))
            })
            .expect("a free address for port 53");
        std::thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                let _ = socket.send_to(&denial(&query[..length]), from);
            }
        });
        Self { address }
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }
}

/// NXDOMAIN to the first question (RFC 1035 §4.1.1).
fn denial(query: &[u8]) -> Vec<u8> {
    let end = 12 + query.iter().skip(12).position(|octet| *octet == 0).map_or(0, |name| name + 5);
    let mut answer = query[..end.min(query.len())].to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
    answer
}

/// Debian packages unpacked together below `target/peers/NAME`, once for all tests; none of their scripts runs.
/// `scripts/install-peers` has done it before where it ran.
pub(crate) fn unpacked(name: &str, packages: &[&str]) -> PathBuf {
    run(Command::new(root().join("scripts/install-peers")).arg("--unpack").arg(name).args(packages));
    root().join("target/peers").join(name)
}

/// The outside: an SMTP server that takes every mail and keeps it in memory, and in a Maildir.
pub(crate) struct Outside {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    maildir: Arc<Folder>,
}

impl Outside {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let maildir = Arc::new(Folder::new());
        for name in ["new", "cur", "tmp"] {
            fs::create_dir(maildir.join(name)).unwrap();
        }
        let (kept, written) = (Arc::clone(&mails), Arc::clone(&maildir));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, written) = (Arc::clone(&kept), Arc::clone(&written));
                std::thread::spawn(move || take_mails(&stream, &kept, &written));
            }
        });
        Self { port, mails, maildir }
    }

    /// Where every mail lies that came.
    pub(crate) fn maildir(&self) -> &Path {
        self.maildir.path()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Every mail that came so far: its envelope's commands, then its text.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

/// One session of the outside.
fn take_mails(stream: &TcpStream, kept: &Mutex<Vec<String>>, maildir: &Folder) -> Option<()> {
    let mut writer = stream;
    let mut reader = BufReader::new(stream);
    let mut say = |line: &str| writer.write_all(format!("{line}\r\n").as_bytes()).ok();
    say("220 outside.example ESMTP")?;
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let command = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match command.as_str() {
            "MAIL" => {
                mail.clone_from(&line);
                say("250 ok")?;
            }
            "RCPT" => {
                mail += &line;
                say("250 ok")?;
            }
            "DATA" => {
                say("354 go on")?;
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") && reader.read_line(&mut text).ok()? > 0 {}
                let number = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(mail.clone() + &text);
                    kept.len()
                };
                let written = maildir.join(&format!("tmp/{number}"));
                fs::write(&written, &text).unwrap();
                fs::rename(written, maildir.join(&format!("new/{number}"))).unwrap();
                say("250 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 outside.example")?,
        }
    }
}

/// The answer that decides a mail's fate: the first that is no success, or the one to its end. A server that refuses
/// at the greeting, or is not there at all, has decided too.
pub(crate) fn attempt(from: Ipv4Addr, port: u16, mail: &Mail<'_>) -> String {
    let Ok(mut smtp) = Dialogue::try_connect(from, port) else { return "no connection".to_owned() };
    let greeting = smtp.reply();
    if !greeting.starts_with("220") {
        return greeting;
    }
    let hello = smtp.say("EHLO client.example");
    if !hello.starts_with("250") {
        return hello;
    }
    let text = message(mail.from, mail.to, mail.subject);
    let answer = smtp.mail(mail.from, mail.to, text);
    smtp.say("QUIT");
    answer
}

/// A mail to try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mail<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) subject: &'a str,
}

/// A POP login at the demo from [`CLIENT`], by APOP with the account's device; the address may then relay.
pub(crate) fn pop_login(demo: &Demo, account: &Account) {
    pop_login_from(CLIENT, demo, account);
}

/// The same from another address of the loopback.
pub(crate) fn pop_login_from(client: Ipv4Addr, demo: &Demo, account: &Account) {
    let login = format!("{}:{}", account.device_login, account.device_secret);
    let url = format!("pop3://127.0.0.1:{}/", demo.port("pop3"));
    run(Command::new("curl").args([
        "-sS",
        "--interface",
        &client.to_string(),
        "--login-options",
        "AUTH=+APOP",
        "-u",
        &login,
        &url,
    ]));
}

/// A mail server beside the demo, as the story sees it.
pub(crate) struct Server<'a> {
    /// Where it speaks SMTP on 127.0.0.1.
    pub(crate) port: u16,
    /// Words of its refusal to relay; `""` for any.
    pub(crate) refusal: &'a str,
    /// What arrived outside, each mail whole.
    pub(crate) arrived: &'a dyn Fn() -> Vec<String>,
    /// What it logged, for a test that fails.
    pub(crate) log: &'a dyn Fn() -> String,
    /// Makes a login from [`CLIENT`] in the account's name: at the demo, or at a POP server beside it.
    pub(crate) login: &'a dyn Fn(&Demo, &Account),
}

impl Server<'_> {
    /// Tries a mail from `from` and gives the deciding answer.
    pub(crate) fn attempt(&self, from: Ipv4Addr, mail: Mail<'_>) -> String {
        attempt(from, self.port, &mail)
    }

    /// It must be refused for good.
    pub(crate) fn refuses(&self, from: Ipv4Addr, mail: Mail<'_>) {
        let answer = self.attempt(from, mail);
        assert!(answer.starts_with('5') && answer.contains(self.refusal), "{mail:?}: {answer}\n{}", (self.log)());
    }

    /// It must be put off: the guard cannot be asked.
    pub(crate) fn defers(&self, from: Ipv4Addr, mail: Mail<'_>) {
        let answer = self.attempt(from, mail);
        assert!(answer.starts_with('4'), "{mail:?}: {answer}\n{}", (self.log)());
    }

    /// It must be taken, and arrive outside.
    pub(crate) fn relays(&self, from: Ipv4Addr, mail: Mail<'_>) {
        let answer = self.attempt(from, mail);
        assert!(answer.starts_with("250"), "{mail:?}: {answer}\n{}", (self.log)());
        until(mail.subject, self.log, || (self.arrived)().iter().any(|m| m.contains(mail.subject)).then_some(()));
    }

    /// The subjects of what arrived outside must be these.
    pub(crate) fn has_relayed(&self, subjects: &[&str]) {
        let arrived = (self.arrived)();
        let known = |mail: &&String| subjects.iter().any(|subject| mail.contains(&format!("Subject: {subject}")));
        let strange: Vec<_> = arrived.iter().filter(|mail| !known(mail)).collect();
        assert!(strange.is_empty() && arrived.len() == subjects.len(), "{arrived:?}");
    }
}

/// The whole story: stranger refused, login, accepted, taken back, refused; guard away: put off, never relayed; guard
/// back: accepted again.
pub(crate) fn story(demo: &mut Demo, server: &Server<'_>) {
    story_from(CLIENT, demo, server);
}

/// The same for a server that trusts [`CLIENT`] whatever it is told; its `login` comes from `client` then.
pub(crate) fn story_from(client: Ipv4Addr, demo: &mut Demo, server: &Server<'_>) {
    let (alice, bob) = (demo.account("alice"), demo.account("bob"));
    let mail = |subject| Mail { from: &alice.address, to: OUTSIDE, subject };
    server.refuses(client, mail("before the login"));
    (server.login)(demo, &alice);
    server.relays(client, mail("after the login"));
    server.refuses(STRANGER, mail("from elsewhere"));
    server.refuses(client, Mail { from: &bob.address, to: OUTSIDE, subject: "in another name" });
    demo.ruled(&["grant", "revoke", "--address", &client.to_string()]);
    server.refuses(client, mail("after it was taken back"));
    (server.login)(demo, &alice);
    server.relays(client, mail("after the second login"));
    assert!(demo.stop(), "the guard ends well");
    server.defers(client, mail("without the guard"));
    server.defers(STRANGER, mail("a stranger without the guard"));
    demo.restart();
    server.relays(client, mail("with the guard again"));
    server.refuses(STRANGER, mail("a stranger again"));
    server.has_relayed(&["after the login", "after the second login", "with the guard again"]);
}

/// A right ends by itself when its time is over; the demo has `relay.pop.minutes=1`.
pub(crate) fn expiry(demo: &Demo, server: &Server<'_>) {
    expiry_from(CLIENT, demo, server);
}

/// The same from another address.
pub(crate) fn expiry_from(client: Ipv4Addr, demo: &Demo, server: &Server<'_>) {
    let alice = demo.account("alice");
    let mail = |subject| Mail { from: &alice.address, to: OUTSIDE, subject };
    (server.login)(demo, &alice);
    let logged_in = Instant::now();
    server.relays(client, mail("in time"));
    // Nothing but time ends it.
    std::thread::sleep(Duration::from_secs(61).saturating_sub(logged_in.elapsed()));
    server.refuses(client, mail("too late"));
    server.has_relayed(&["in time"]);
}

/// Everything that a file's reader would see, without waiting; for logs that may not be there yet.
pub(crate) fn file_text(path: &Path) -> String {
    let mut octets = Vec::new();
    let _ = fs::File::open(path).and_then(|mut file| file.read_to_end(&mut octets));
    String::from_utf8_lossy(&octets).into_owned()
}
