//! Our own `sekisho.toml`: what a start would refuse, who may relay without a login, what goes over the net in the clear, and who
//! else may ask or read.

use super::Findings;
use crate::import::{ImportError, Spot, read_text};
use config::section::access::Mode;
use config::{
    AuthOffer, ConfigError, Listener, Permissions, Protocol, RelayMode, Remote, Settings, Smarthost, SmarthostTls,
    TlsOffer,
};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What it is called in a folder.
pub(super) const FILE: &str = "sekisho.toml";

struct Own<'a> {
    file: String,
    text: String,
    settings: Arc<Settings>,
    findings: &'a mut Findings,
}

pub(super) fn examine(path: &Path, findings: &mut Findings) -> Result<(), ImportError> {
    let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
    let (file, text) = (path.display().to_string(), read_text(&path)?);
    match config::read(&path, &[]) {
        Err(ConfigError::Unreadable { path, error }) => Err(ImportError::Unreadable { path, error }),
        Err(ConfigError::Mistaken(report)) => {
            for (place, mistake) in report.mistakes() {
                let todo = mistake.hint.as_deref().unwrap_or("sekisho config check shows the line");
                findings.danger(&Spot::new(&file, place.line), mistake.message.clone(), todo);
            }
            Ok(())
        }
        Ok(loaded) => {
            Own { file, text, settings: Arc::new(loaded.settings), findings }.all();
            Ok(())
        }
    }
}

impl Own<'_> {
    fn all(&mut self) {
        self.start();
        let settings = Arc::clone(&self.settings);
        for listener in &settings.listeners {
            let at = self.listener_at(&listener.name);
            if listener.protocol.is_interface() {
                self.interface(listener, &at);
            } else {
                self.in_the_clear(listener, &at);
            }
        }
        self.relay();
        self.files();
        self.onward();
    }

    /// The first line that has all of these words; 1 if it is not written.
    fn at(&self, words: &[&str]) -> Spot {
        let has = |line: &str| !line.trim_start().starts_with('#') && words.iter().all(|word| line.contains(word));
        let line = (1..).zip(self.text.lines()).find(|(_, line)| has(line)).map_or(1, |(number, _)| number);
        Spot::new(&self.file, line)
    }

    fn listener_at(&self, name: &str) -> Spot {
        self.at(&["name", &format!("\"{name}\"")])
    }

    fn start(&mut self) {
        let checked = crate::check::check(&self.settings);
        let at = Spot::new(&self.file, 1);
        for refusal in checked.refusals {
            self.findings.danger(&at, refusal, "the server does not start so: sekisho config check");
        }
        for warning in checked.warnings {
            self.findings.warning(&at, warning, "see sekisho config check");
        }
    }

    /// Our own sessions, of mail and of mailboxes.
    fn in_the_clear(&mut self, listener: &Listener, at: &Spot) {
        let Listener { name, protocol, tls, auth, .. } = listener;
        if protocol.implicit_tls() || is_only_local(listener) {
            return;
        }
        let no_tls = *tls == TlsOffer::Off;
        if *auth == AuthOffer::Always {
            let what = format!("listener {name} takes passwords without TLS");
            let todo = "auth = \"tls\"; devices without TLS log in by CRAM-MD5 or APOP with a password of their own";
            if no_tls {
                self.findings.danger(at, what, todo);
            } else {
                self.findings.warning(at, what, todo);
            }
        } else if no_tls && *protocol == Protocol::Smtp {
            let what = format!("listener {name} has no TLS: mail from other servers comes in the clear");
            self.findings.warning(at, what, "give [tls] a certificate; tls = \"offered\" is the default then");
        } else if no_tls {
            let what =
                format!("listener {name} has no TLS: hardly a program can log in, and what it sends is read by others");
            self.findings.warning(at, what, "give [tls] a certificate");
        }
        if *protocol == Protocol::Smtp && *auth != AuthOffer::Never {
            let what = format!("listener {name} offers logins where other mail servers come: guesses come there, too");
            self.findings.note(at, what, "a listener with protocol = \"submission\" for your users");
        }
    }

    /// What other mail servers ask, and are believed in.
    fn interface(&mut self, listener: &Listener, at: &Spot) {
        let Listener { name, protocol, bind, peers, .. } = listener;
        let has_secret = listener.secret_file.is_some();
        let local: Vec<_> = bind.iter().filter(|place| place.ip().is_loopback()).collect();
        if let Some(place) = local.first().filter(|_| !has_secret && *protocol != Protocol::Dracd) {
            let what = format!("listener {name} at {place}: every user and program of this host may ask there");
            self.findings.warning(at, what, "bind = [\"unix:PATH\"], which lets in only those that socket_mode admits");
        }
        let is_far = bind.iter().any(|place| !place.ip().is_loopback());
        let far_peers = peers.iter().any(|net| !net.addr().is_loopback());
        if is_far && far_peers {
            let what = format!("listener {name} believes what hosts of its `peers` tell of clients");
            let todo = "only mail servers of yours may be in `peers`, and nobody between them and here";
            if *protocol == Protocol::Dracd {
                self.findings.note(at, what, todo);
            } else {
                self.findings.warning(at, what, todo);
            }
        }
        let asks = matches!(protocol, Protocol::Policy | Protocol::Milter | Protocol::Socketmap);
        if asks && listener.relay == RelayMode::Restrict {
            let what = format!("listener {name} only takes away: a grant gives nobody the right to relay there");
            self.findings.note(at, what, "relay = \"permit\" if Sekisho is to decide who relays");
        }
        let knows_domains = !self.settings.domains.relay.is_empty() || !self.settings.domains.maps.is_empty();
        if *protocol == Protocol::Milter && listener.relay == RelayMode::Permit && !knows_domains {
            let what = format!(
                "listener {name} refuses recipients without a grant, also in domains that the mail server only hands on"
            );
            self.findings.note(at, what, "name those in domains.relay or domains.maps, or write relay = \"restrict\"");
        }
        if listener.unix.iter().any(|_| listener.socket_mode & 0o002 != 0) {
            let what = format!("listener {name}: everybody on this host may ask at its socket");
            self.findings.warning(at, what, "socket_mode = \"0660\", and the mail server's group");
        }
    }

    /// Who relays without a login.
    fn relay(&mut self) {
        let settings = Arc::clone(&self.settings);
        let relay = &settings.relay;
        for network in &relay.networks {
            let at = Spot::new(&self.file, network.place.line);
            let hosts = network.net.max_prefix_len() - network.net.prefix_len();
            if hosts > 0 {
                let what = format!("every host of {} relays without a login, with any sender", network.net);
                self.findings.note(&at, what, "name single hosts, or let devices log in: sekisho user device add");
            }
        }
        let drac = &relay.drac;
        if drac.udp_from_others {
            let at = self.at(&["udp_from_others"]);
            let what = "adds by UDP are believed from other hosts, and whoever forges a source address makes grants";
            self.findings.warning(&at, what, "TCP, or a network between them that nobody else reaches");
        }
        if drac.loopback {
            let at = self.at(&["loopback"]);
            let what =
                "127.0.0.1 may get a grant: whatever runs on this host or comes through a proxy here relays by it";
            self.findings.warning(&at, what, "loopback = false, but for trying out");
        }
        if relay.export.is_some() {
            let at = self.at(&["export"]);
            let what = "a file of grants cannot fail closed: what is in it relays even when nobody keeps it";
            self.findings.warning(&at, what, "policy, socketmap or milter, where the mail server has one of them");
        }
        for access in settings.access.iter().filter(|access| access.mode == Mode::Observe) {
            let at = Spot::new(&self.file, access.map.place.line);
            let what = format!("the map {} refuses nobody: it is only told in the log", access.map.path.display());
            self.findings.note(&at, what, "mode = \"enforce\" when the log shows nobody who must pass");
        }
    }

    /// Who may read secrets, or rule the server.
    fn files(&mut self) {
        let settings = Arc::clone(&self.settings);
        let mut open: Vec<(&str, &PathBuf)> = Vec::new();
        let is_any = |permissions| permissions == Permissions::Any;
        open.extend(settings.tls.iter().filter(|it| is_any(it.permissions)).map(|it| ("tls.key", &it.key)));
        if is_any(settings.directory.permissions) {
            open.push(("directory.key", &settings.directory.key));
        }
        for listener in settings.listeners.iter().filter(|it| is_any(it.permissions)) {
            open.extend(listener.secret_file.iter().map(|file| ("secret_file", file)));
        }
        let at = self.at(&["permissions", "any"]);
        for (key, file) in open {
            let what = format!("others than its owner may read {key} {}", file.display());
            self.findings.warning(&at, what, "mode 0600, and permissions = \"owner\"");
        }
        if settings.admin.mode & 0o070 != 0 {
            let at = self.at(&["mode"]);
            let what = format!("a group may rule the server by {}", settings.admin.socket.display());
            self.findings.note(&at, what, "admin.mode = \"0600\" if nobody of it administers");
        }
    }

    fn onward(&mut self) {
        let settings = Arc::clone(&self.settings);
        match &settings.delivery.remote {
            Remote::Sink(path) => {
                let what = format!("mail to others is not sent: it goes into {}", path.display());
                self.findings.warning(&self.at(&["remote"]), what, "delivery.remote = \"mx\" or \"smarthost\"");
            }
            Remote::Smarthost(Smarthost { tls: SmarthostTls::Off | SmarthostTls::Offered, address, .. }) => {
                if !address.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
                    let what =
                        format!("mail goes to {} without a look at its certificate, or in the clear", address.host);
                    self.findings.note(
                        &self.at(&["host"]),
                        what,
                        "delivery.smarthost.tls = \"starttls\" or \"implicit\"",
                    );
                }
            }
            Remote::Smarthost(_) | Remote::Mx => {}
        }
    }
}

/// Whether only this host comes there.
fn is_only_local(listener: &Listener) -> bool {
    let places = listener.bind.iter().all(|place| place.ip().is_loopback());
    places || (!listener.peers.is_empty() && listener.peers.iter().all(|net| net.addr().is_loopback()))
}
