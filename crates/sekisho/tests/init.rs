//! From nothing to a server that runs: `sekisho init`, `config check`, `serve`, a first TLS conversation, SIGTERM.
//! And the user's own way to a new password on it.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

const PATIENCE: Duration = Duration::from_mins(1);
const LISTENERS: [&str; 5] = ["mx", "submission", "submissions", "pop3", "pop3s"];

/// What `init` made, and the ports that take the place of the privileged ones.
struct Made {
    dir: tempfile::TempDir,
    ports: [u16; 5],
}

impl Made {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_str().unwrap();
        let args = ["init", "--hostname", "mail.example.test", "--domain", "example.test", "--dir", folder];
        let made = sekisho(&[&args[..], &["--user", "alice"]].concat(), "first secret\n");
        let told = String::from_utf8(made.stdout).unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for record in
            ["mail.example.test.", "AAAA", "PTR", "10 mail.example.test.", "v=spf1 mx -all", "_submissions._tcp"]
        {
            assert!(told.contains(record), "{record} is not told: {told}");
        }
        // All at once, so that none is given twice.
        let sockets = LISTENERS.map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let ports = sockets.map(|socket| socket.local_addr().unwrap().port());
        Self { dir, ports }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self) -> String {
        self.file("sekisho.toml").to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str], input: &str) -> Output {
        sekisho(&[args, &["-c", &self.config()]].concat(), input)
    }

    fn serve(&self) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.args(["serve", "-c", &self.config()]).stderr(Stdio::null());
        for (name, port) in LISTENERS.iter().zip(self.ports) {
            command.args(["--set", &format!("listener.{name}.bind=['127.0.0.1:{port}']")]);
        }
        Server(command.args(["--set", "metrics.bind=[]", "--set", "spool.free_octets_min=1048576"]).spawn().unwrap())
    }

    /// A connection under TLS from the first octet that trusts the certificate `init` made.
    fn tls(&self, port: u16) -> BufReader<StreamOwned<ClientConnection, TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file("certificate.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let connection = ClientConnection::new(Arc::new(config), "mail.example.test".try_into().unwrap()).unwrap();
        BufReader::new(StreamOwned::new(connection, connect(port)))
    }
}

/// A running server; it does not outlive its test.
struct Server(Child);

impl Server {
    fn stop(mut self) -> Option<i32> {
        let killed = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(killed.success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sekisho(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    let piped = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // One that has already ended does not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// To a server that may just be starting.
fn connect(port: u16) -> TcpStream {
    let begun = Instant::now();
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            Err(error) => assert!(begun.elapsed() < PATIENCE, "nobody listens at {port}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says a line, if there is one, and gives the reply's last line.
fn says(stream: &mut BufReader<impl Read + Write>, line: &str) -> String {
    if !line.is_empty() {
        stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }
    loop {
        let mut reply = String::new();
        stream.read_line(&mut reply).unwrap();
        if reply.as_bytes().get(3) != Some(&b'-') {
            return reply;
        }
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn reads_mail(made: &Made, password: &str) -> bool {
    let mut mail = made.tls(made.ports[4]);
    assert!(says(&mut mail, "").starts_with("+OK"));
    assert!(says(&mut mail, "USER alice").starts_with("+OK"));
    says(&mut mail, &format!("PASS {password}")).starts_with("+OK")
}

#[test]
fn what_init_makes_is_a_server() {
    let made = Made::new();
    let checked = made.run(&["config", "check"], "");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(mode(&made.file("key.pem")), 0o600);
    let server = made.serve();
    let mut mx = BufReader::new(connect(made.ports[0]));
    assert!(says(&mut mx, "").starts_with("220 mail.example.test"));
    assert!(says(&mut mx, "EHLO c.example.test").starts_with("250"));
    assert!(says(&mut mx, "MAIL FROM:<x@outside.example>").starts_with("250"));
    assert!(says(&mut mx, "RCPT TO:<postmaster@example.test>").starts_with("250"), "somebody reads it");
    assert!(says(&mut mx, "RCPT TO:<x@outside.example>").starts_with("550 5.7.1"));
    assert!(says(&mut made.tls(made.ports[2]), "").starts_with("220"));
    assert!(says(&mut mx, "RSET").starts_with("250"));
    assert!(says(&mut mx, "STARTTLS").starts_with("220"));
    drop(mx);
    assert!(reads_mail(&made, "first secret"));
    let again = ["init", "--hostname", "m.example.test", "--domain", "d.test", "--dir"];
    assert_eq!(sekisho(&[&again[..], &[made.dir.path().to_str().unwrap()]].concat(), "x\n").status.code(), Some(1));
    assert_eq!(server.stop(), Some(0));
}

/// `user passwd --old`: the old password must be right, on a running server and without one, and guessing is throttled.
#[test]
fn a_user_changes_the_own_password() {
    let made = Made::new();
    let passwd = |input: &str| made.run(&["user", "passwd", "--old", "alice"], input);
    assert_eq!(passwd("wrong\nsecond secret\n").status.code(), Some(1), "without a server");
    assert!(passwd("first secret\nsecond secret\n").status.success());
    let server = made.serve();
    assert!(reads_mail(&made, "second secret"));
    assert_eq!(passwd("first secret\nthird secret\n").status.code(), Some(1));
    assert!(passwd("second secret\nthird secret\n").status.success());
    assert!(reads_mail(&made, "third secret") && !reads_mail(&made, "second secret"));
    assert_eq!(server.stop(), Some(0));
}
