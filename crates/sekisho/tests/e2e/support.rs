//! A running `sekisho demo` and the small conversations that the tests hold with it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

/// How long anything may take before a test gives it up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The twelve ports of a demo, from `--port-base` on.
const PORTS: u16 = 12;

/// One running demo; it is ended with this value.
pub(crate) struct Demo {
    child: Child,
    /// What `demo.json` says.
    pub(crate) facts: Value,
    dir: tempfile::TempDir,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

/// One of the demo's accounts.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) login: String,
    pub(crate) address: String,
    pub(crate) password: String,
    pub(crate) device_login: String,
    pub(crate) device_secret: String,
}

impl Demo {
    /// A demo as it comes.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A demo with `--set` for each of `settings`.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        Self::start_in(settings, &[])
    }

    /// The same, with more of an environment.
    pub(crate) fn start_in(settings: &[&str], environment: &[(&'static str, &str)]) -> Self {
        Self::start_over(tempfile::tempdir().unwrap(), settings, environment)
    }

    /// The same in a folder in which something may lie already.
    pub(crate) fn start_over(dir: tempfile::TempDir, settings: &[&str], environment: &[(&'static str, &str)]) -> Self {
        let mut arguments = vec!["demo".to_owned(), "--dir".to_owned(), dir.path().display().to_string()];
        arguments.extend(["--port-base".to_owned(), free_ports().to_string()]);
        for setting in settings {
            arguments.extend(["--set".to_owned(), (*setting).to_owned()]);
        }
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let child = spawn(&arguments, &environment, dir.path());
        let mut demo = Self { child, facts: Value::Null, dir, arguments, environment };
        demo.wait_until_ready();
        demo
    }

    fn wait_until_ready(&mut self) {
        let file = self.dir.path().join("demo.json");
        let started = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(&file)
                && let Ok(facts) = serde_json::from_str(&text)
            {
                self.facts = facts;
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("demo ended with {status}:\n{}", self.log());
            }
            assert!(started.elapsed() < PATIENCE, "demo is not ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it as a power cut would, without a chance to clean up.
    pub(crate) fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let _ = fs::remove_file(self.dir.path().join("demo.json"));
    }

    /// Starts it again on the same directory and ports.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.arguments, &self.environment, self.dir.path());
        self.wait_until_ready();
    }

    /// Ends it with SIGTERM and waits; returns the exit status' success.
    pub(crate) fn stop(&mut self) -> bool {
        let pid = self.child.id().to_string();
        run(Command::new("kill").args(["-TERM", &pid]));
        let ended = self.child.wait().unwrap().success();
        let _ = fs::remove_file(self.dir.path().join("demo.json"));
        ended
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn sink(&self) -> PathBuf {
        PathBuf::from(self.facts["sink"].as_str().unwrap())
    }

    /// Everything the program printed and logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("test-output.log")).unwrap_or_default()
    }

    pub(crate) fn port(&self, name: &str) -> u16 {
        u16::try_from(self.facts["ports"][name].as_u64().unwrap_or_else(|| panic!("no port {name}"))).unwrap()
    }

    pub(crate) fn account(&self, login: &str) -> Account {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let accounts = self.facts["accounts"].as_array().unwrap();
        let found = accounts.iter().find(|a| text(&a["login"]).split('@').next() == Some(login)).unwrap();
        Account {
            login: text(&found["login"]),
            address: text(&found["address"]),
            password: text(&found["password"]),
            device_login: text(&found["device"]["login"]),
            device_secret: text(&found["device"]["secret"]),
        }
    }

    /// Runs `sekisho` with the demo's configuration.
    pub(crate) fn sekisho(&self, arguments: &[&str]) -> Output {
        let config = self.facts["config"].as_str().unwrap();
        Command::new(env!("CARGO_BIN_EXE_sekisho")).arg("-c").arg(config).args(arguments).output().unwrap()
    }

    /// Where the account's mail lies: below `delivery.maildir_root`, by its default.
    pub(crate) fn maildir_of(&self, login: &str) -> PathBuf {
        let account = self.account(login);
        let listed = self.sekisho(&["user", "show", &account.login, "--json"]);
        let shown: Value = serde_json::from_slice(&listed.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&listed.stderr)));
        self.dir().join("mail").join(shown["maildir"].as_str().unwrap())
    }

    /// Messages in the account's Maildir, each whole.
    pub(crate) fn mailbox(&self, login: &str) -> Vec<String> {
        maildir(&self.maildir_of(login))
    }

    /// Messages for the outside, each whole.
    pub(crate) fn outside(&self) -> Vec<String> {
        maildir(&self.sink())
    }

    /// Runs `sekisho` with the demo's configuration; it must succeed. Gives what it printed.
    pub(crate) fn ruled(&self, arguments: &[&str]) -> String {
        let output = self.sekisho(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits for a line of the log that has all of `words`, and gives it.
    pub(crate) fn logged(&self, words: &[&str]) -> String {
        let found = || self.log().lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned);
        self.until(&format!("{words:?} in the log"), found)
    }

    /// The certificate of the demo.
    pub(crate) fn certificate(&self) -> &Path {
        Path::new(self.facts["certificate"].as_str().unwrap())
    }

    /// A conversation with `submission` in which the account has logged in under TLS and said EHLO.
    pub(crate) fn submission(&self, account: &Account) -> Dialogue {
        let mut dialogue = self.under_tls("submission");
        let proof = format!("\0{}\0{}", account.login, account.password);
        let answer = dialogue.say(&format!("AUTH PLAIN {}", base64(&proof)));
        assert!(answer.starts_with("235"), "{answer}");
        dialogue
    }

    /// A conversation after STARTTLS and EHLO.
    pub(crate) fn under_tls(&self, port: &str) -> Dialogue {
        let mut dialogue = self.dial(port).greeted();
        assert!(dialogue.say("STARTTLS").starts_with("220"));
        let mut dialogue = dialogue.start_tls(self.certificate());
        assert!(dialogue.say("EHLO client.example").starts_with("250"));
        dialogue
    }

    /// Waits until the queue is empty.
    pub(crate) fn until_drained(&self) {
        self.until("an empty queue", || {
            let stats = self.sekisho(&["queue", "stats", "--json"]);
            let stats: Value = serde_json::from_slice(&stats.stdout).ok()?;
            (stats["messages"] == 0).then_some(())
        });
    }

    /// Waits until `condition` gives something.
    pub(crate) fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(value) = condition() {
                return value;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain for {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A session that speaks for a client somewhere else, as a listed proxy does (`listener.smtp.xclient_from`).
    pub(crate) fn speaks_for(&self, client: &str, helo: &str) -> Dialogue {
        let mut smtp = self.dial("smtp").greeted();
        assert!(smtp.say(&format!("XCLIENT ADDR={client}")).starts_with("220"));
        assert!(smtp.say(&format!("EHLO {helo}")).starts_with("250"));
        smtp
    }

    /// A conversation in clear text with the service on `port`.
    pub(crate) fn dial(&self, port: &str) -> Dialogue {
        Dialogue::connect(Ipv4Addr::LOCALHOST, self.port(port))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- log of the demo\n{}", self.log());
        }
    }
}

fn spawn(arguments: &[String], environment: &[(&'static str, String)], dir: &Path) -> Child {
    let output = fs::OpenOptions::new().create(true).append(true).open(dir.join("test-output.log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_sekisho"))
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap()
}

/// A base such that it and the next ports are free, and stay this process's own: tests run side by side, each in its
/// process, and a port that is free now may be somebody else's when the server binds it.
pub(crate) fn free_ports() -> u16 {
    let seed = u16::try_from(std::process::id() % 1500).unwrap();
    (0..1500u16)
        .map(|n| 10_000 + ((seed + n) % 1500) * (PORTS + 2))
        .find(|base| claim(*base) && (0..PORTS).all(|n| TcpListener::bind((Ipv4Addr::LOCALHOST, base + n)).is_ok()))
        .expect("some ports are free")
}

/// Takes a base for as long as this process lives.
fn claim(base: u16) -> bool {
    let claims = std::env::temp_dir().join("sekisho-test-ports");
    fs::create_dir_all(&claims).unwrap();
    let file = fs::File::create(claims.join(base.to_string())).unwrap();
    // The lock goes with the process; a file that is closed would give it back at once.
    file.try_lock().is_ok() && std::mem::ManuallyDrop::new(file).metadata().is_ok()
}

/// Runs a command to its end; a failure shows what it said.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e} (scripts/install-peers installs it)"));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
    said
}

/// Runs a command that must fail, and gives what it said.
pub(crate) fn run_failing(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e} (scripts/install-peers installs it)"));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{command:?} was to fail and did not:\n{said}");
    said
}

/// The messages of a Maildir.
pub(crate) fn maildir(path: &Path) -> Vec<String> {
    maildir_octets(path).iter().map(|octets| String::from_utf8_lossy(octets).into_owned()).collect()
}

/// The same as they are.
pub(crate) fn maildir_octets(path: &Path) -> Vec<Vec<u8>> {
    ["new", "cur"]
        .iter()
        .flat_map(|sub| fs::read_dir(path.join(sub)).into_iter().flatten().flatten())
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| fs::read(entry.path()).ok())
        .collect()
}

/// The bytes of a conversation, in clear or under TLS.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// A line-by-line conversation.
pub(crate) struct Dialogue {
    reader: BufReader<Wire>,
}

impl Dialogue {
    pub(crate) fn connect(from: Ipv4Addr, port: u16) -> Self {
        Self::try_connect(from, port).unwrap()
    }

    /// The same with a server that may be gone.
    pub(crate) fn try_connect(from: Ipv4Addr, port: u16) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(Wire::Plain(stream)) })
    }

    /// Makes the TLS handshake; the certificate must be the one in the file.
    pub(crate) fn start_tls(self, certificate: &Path) -> Self {
        assert!(self.reader.buffer().is_empty(), "the server sent something before the handshake");
        let Wire::Plain(tcp) = self.reader.into_inner() else { panic!("TLS is up already") };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        Self { reader: BufReader::new(Wire::Tls(Box::new(StreamOwned::new(connection, tcp)))) }
    }

    /// How long `reply` waits before it gives an empty one.
    pub(crate) fn patience(&self, wait: Duration) {
        let tcp = match self.reader.get_ref() {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => &tls.sock,
        };
        tcp.set_read_timeout(Some(wait)).unwrap();
    }

    /// One reply, multi-line ones joined; empty when the peer closed.
    pub(crate) fn reply(&mut self) -> String {
        let mut whole = String::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap_or(0) == 0 {
                return whole;
            }
            let more =
                line.len() > 3 && line.as_bytes()[3] == b'-' && line.as_bytes()[..3].iter().all(u8::is_ascii_digit);
            whole.push_str(&line);
            if !more {
                return whole;
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A peer that has closed shows in the next reply, which is then empty.
        let _ = self.reader.get_mut().write_all(bytes.as_ref());
        let _ = self.reader.get_mut().flush();
    }

    /// Takes the greeting and says EHLO.
    pub(crate) fn greeted(mut self) -> Self {
        let greeting = self.reply();
        assert!(greeting.starts_with("220"), "{greeting}");
        let answer = self.say("EHLO client.example");
        assert!(answer.starts_with("250"), "{answer}");
        self
    }

    /// Begins a transaction anew; the answer to RCPT, or to MAIL if that was refused. Paths without brackets.
    pub(crate) fn rcpt(&mut self, from: &str, to: &str) -> String {
        self.say("RSET");
        let answer = self.say(&format!("MAIL FROM:<{from}>"));
        if answer.starts_with("250") { self.say(&format!("RCPT TO:<{to}>")) } else { answer }
    }

    /// Sends a whole message, dots already stuffed, its last line end included; the last answer.
    pub(crate) fn mail(&mut self, from: &str, to: &str, text: impl AsRef<[u8]>) -> String {
        let answer = self.rcpt(from, to);
        if answer.starts_with("250") { self.data(text) } else { answer }
    }

    /// The message, once its recipients are taken.
    pub(crate) fn data(&mut self, text: impl AsRef<[u8]>) -> String {
        let answer = self.say("DATA");
        if !answer.starts_with("354") {
            return answer;
        }
        self.send([text.as_ref(), b".\r\n"].concat());
        self.reply()
    }

    /// Sends a line and gives the reply.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.reply()
    }

    /// Everything until the peer closes.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// Base64 (RFC 4648 §4).
pub(crate) fn base64(text: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for piece in text.as_bytes().chunks(3) {
        let word = piece.iter().fold(0u32, |word, octet| (word << 8) | u32::from(*octet)) << (8 * (3 - piece.len()));
        for n in 0..4 {
            let sextet = usize::try_from((word >> (18 - 6 * n)) & 63).unwrap();
            out.push(if n <= piece.len() { char::from(alphabet[sextet]) } else { '=' });
        }
    }
    out
}

/// A small message in the form that SMTP wants.
pub(crate) fn message(from: &str, to: &str, subject: &str) -> String {
    format!("From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n\r\nbody of {subject}\r\n")
}
