//! A server that `sekisho init` made, running with ports of its own, and what is said to it.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
const LISTENERS: [&str; 5] = ["mx", "submission", "submissions", "pop3", "pop3s"];

/// What `init` made, and the ports that take the place of the privileged ones.
pub(crate) struct Made {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) ports: [u16; 5],
}

impl Made {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With more options of `init`.
    pub(crate) fn with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_str().unwrap();
        let args = ["init", "--hostname", "mail.example.test", "--domain", "example.test", "--dir", folder];
        let made = sekisho(&[&args[..], &["--user", "alice"], options].concat(), "first secret\nsecond secret\n");
        let told = String::from_utf8(made.stdout).unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for record in
            ["mail.example.test.", "AAAA", "PTR", "10 mail.example.test.", "v=spf1 mx -all", "_submissions._tcp"]
        {
            assert!(told.contains(record), "{record} is not told: {told}");
        }
        Self { dir, ports: free_ports() }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn config(&self) -> String {
        self.file("sekisho.toml").to_str().unwrap().to_owned()
    }

    pub(crate) fn run(&self, args: &[&str], input: &str) -> Output {
        sekisho(&[args, &["-c", &self.config()]].concat(), input)
    }

    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[], &[])
    }

    /// With `--set` for each of `sets`, and more of an environment.
    pub(crate) fn serve_with(&self, sets: &[String], environment: &[(&str, &str)]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        let log = OpenOptions::new().create(true).append(true).open(self.file("log")).unwrap();
        command.args(["serve", "-c", &self.config()]).stderr(log).envs(environment.iter().copied());
        for set in sets {
            command.args(["--set", set]);
        }
        for (name, port) in LISTENERS.iter().zip(self.ports) {
            command.args(["--set", &format!("listener.{name}.bind=['127.0.0.1:{port}']")]);
        }
        Server(command.args(["--set", "metrics.bind=[]", "--set", "spool.free_octets_min=1048576"]).spawn().unwrap())
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// A connection under TLS from the first octet that trusts the certificate `init` made.
    pub(crate) fn tls(&self, port: u16) -> BufReader<StreamOwned<ClientConnection, TcpStream>> {
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

/// The workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// So many ports that nobody has.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    // All at once, so that none is given twice.
    let sockets = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

/// Waits until `condition` gives something; `told` says what is known when it never does.
pub(crate) fn until<T>(what: &str, told: &dyn Fn() -> String, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}\n{}", told());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A running server; it does not outlive its test.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn stop(mut self) -> Option<i32> {
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

pub(crate) fn sekisho(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    let piped = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // One that has already ended does not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// To a server that may just be starting.
pub(crate) fn connect(port: u16) -> TcpStream {
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
pub(crate) fn says(stream: &mut BufReader<impl Read + Write>, line: &str) -> String {
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

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
