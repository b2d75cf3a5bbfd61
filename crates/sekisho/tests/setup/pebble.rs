//! An authority: pebble, with a DNS of its own that leads every name to 127.0.0.1.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{free_ports, root, until};

/// The authority.
pub(crate) struct Pebble {
    dir: tempfile::TempDir,
    running: Vec<Child>,
    api: u16,
    management: u16,
    dns: u16,
    /// Where its DNS is told what to say.
    pub(crate) dns_management: u16,
    /// Where it asks for `http-01`.
    pub(crate) http: u16,
    /// Where it asks for `tls-alpn-01`.
    pub(crate) tls: u16,
}

impl Pebble {
    /// Not started yet. Its certificates hold for so long.
    pub(crate) fn new(validity_secs: u32) -> Self {
        let [api, management, dns, dns_management, http, tls] = free_ports();
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(dir.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let config = serde_json::json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{api}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": dir.path().join("cert.pem"),
            "privateKey": dir.path().join("key.pem"),
            "httpPort": http,
            "tlsPort": tls,
            "certificateValidityPeriod": validity_secs,
        }});
        fs::write(dir.path().join("pebble.json"), config.to_string()).unwrap();
        Self { dir, running: Vec::new(), api, management, dns, dns_management, http, tls }
    }

    /// With what it knew before forgotten, as it always is.
    pub(crate) fn start(mut self) -> Self {
        self.restart();
        self
    }

    /// The same.
    pub(crate) fn restart(&mut self) {
        self.end();
        let programs = programs();
        let dns = format!("127.0.0.1:{}", self.dns);
        let mut names = Command::new(programs.join("pebble-challtestsrv"));
        names.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "", "-dns01", &dns]);
        names.args(["-management", &format!("127.0.0.1:{}", self.dns_management)]);
        self.run(&mut names);
        let mut pebble = Command::new(programs.join("pebble"));
        pebble.args(["-dnsserver", &dns, "-strict", "-config"]).arg(self.dir.path().join("pebble.json"));
        pebble.env("PEBBLE_VA_NOSLEEP", "1");
        self.run(&mut pebble);
        for port in [self.api, self.management, self.dns_management] {
            until("pebble", &|| self.said(), || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        }
    }

    fn run(&mut self, command: &mut Command) {
        let said = File::options().create(true).append(true).open(self.dir.path().join("said")).unwrap();
        let started = command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said).spawn();
        self.running.push(started.unwrap_or_else(|e| panic!("{command:?}: {e} (scripts/install-peers unpacks it)")));
    }

    /// Its directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.api)
    }

    /// Whom to trust, as `SSL_CERT_FILE`, to reach it.
    pub(crate) fn trust(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    /// What it has said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.dir.path().join("said")).unwrap_or_default()
    }

    fn end(&mut self) {
        for mut child in self.running.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.end();
    }
}

/// Unpacked once for all tests.
pub(crate) fn programs() -> PathBuf {
    let unpacked = Command::new(root().join("scripts/install-peers")).args(["--unpack", "pebble", "pebble"]).status();
    assert!(unpacked.unwrap().success());
    root().join(Path::new("target/peers/pebble/usr/bin"))
}
