//! `inet_interfaces` and the smtpd services of `master.cf`: where we listen.

use super::{
    Taking,
    main_cf::{MainCf, Written, split_list},
    master_cf::Service,
};
use crate::import::Spot;
use crate::import::draft::{Change, Draft};
use std::net::IpAddr;
use toml::Value;

/// Settings that speak of listening, and are read for each service.
const READ: [&str; 11] = [
    "inet_protocols",
    "smtpd_tls_security_level",
    "smtpd_use_tls",
    "smtpd_enforce_tls",
    "smtpd_tls_wrappermode",
    "smtpd_sasl_auth_enable",
    "smtpd_tls_auth_only",
    "smtpd_client_connection_count_limit",
    "syslog_name",
    "smtpd_tls_loglevel",
    "strict_rfc821_envelopes",
];

impl Taking<'_> {
    pub(super) fn listeners(&mut self) {
        for name in READ {
            self.seen.insert(name.to_owned());
        }
        let addresses = self.addresses();
        let services: Vec<Service> =
            self.services.iter().filter(|it| it.is_smtp() && it.kind == "inet").cloned().collect();
        for service in &services {
            self.listener(service, &addresses);
        }
        if services.is_empty() {
            let at = Spot::new(&self.master_file, 1);
            let one = Service {
                line: 1,
                name: "smtp".to_owned(),
                kind: "inet".to_owned(),
                command: "smtpd".to_owned(),
                overrides: Vec::new(),
            };
            self.making.differs(&at, "smtp", "there is no master.cf with an smtpd; port 25 is written");
            self.listener(&one, &addresses);
        }
    }

    /// The addresses of `inet_interfaces`.
    fn addresses(&mut self) -> Vec<IpAddr> {
        let written = self.take("inet_interfaces");
        let protocols = self.main.value("inet_protocols");
        let mut addresses: Vec<IpAddr> = Vec::new();
        for word in split_list(&self.main.value("inet_interfaces")) {
            let bare = word.replace(['[', ']'], "");
            match bare.as_str() {
                "all" => addresses.extend(both([0; 4], [0; 16])),
                "loopback-only" | "localhost" => {
                    addresses.extend(both([127, 0, 0, 1], std::net::Ipv6Addr::LOCALHOST.octets()));
                }
                _ => match (bare.parse(), &written) {
                    (Ok(address), _) => addresses.push(address),
                    (Err(_), Some((at, _))) => {
                        let what = format!("inet_interfaces {word}");
                        self.making.not_taken(at, &what, "give the address of that name in `bind`");
                    }
                    _ => {}
                },
            }
        }
        addresses.retain(|it| match protocols.as_str() {
            "ipv4" => it.is_ipv4(),
            "ipv6" => it.is_ipv6(),
            _ => true,
        });
        if let Some((at, _)) = written.filter(|_| !addresses.is_empty()) {
            self.making.taken(&at, "inet_interfaces", "bind of [[listener]]");
        }
        if addresses.is_empty() { vec![IpAddr::from([127, 0, 0, 1])] } else { addresses }
    }

    fn listener(&mut self, service: &Service, addresses: &[IpAddr]) {
        let at = Spot::new(&self.master_file, service.line);
        let what = format!("{} {}", service.name, service.command);
        let Some(port) = service.port() else {
            return self.making.not_taken(&at, &what, "its port has no number; give it in `bind`");
        };
        let addresses = match service.endpoint().0 {
            None => addresses.to_vec(),
            Some(host) => match host.parse() {
                Ok(address) => vec![address],
                Err(_) if host == "localhost" => vec![IpAddr::from([127, 0, 0, 1])],
                Err(_) => return self.making.not_taken(&at, &what, "give the address of its host in `bind`"),
            },
        };
        let back =
            ["mynetworks", "content_filter"].iter().any(|name| service.overrides.iter().any(|(it, _)| it == name));
        if back && addresses.iter().all(IpAddr::is_loopback) {
            let instead = "a way back from a content filter is not needed; who may relay is in [relay]";
            return self.making.not_taken(&at, &what, instead);
        }
        let main = self.main.with(&service.overrides);
        let bind: Vec<Value> =
            addresses.iter().map(|it| Value::from(std::net::SocketAddr::new(*it, port).to_string())).collect();
        let mut keys = keys(&main, port, &self.making.draft);
        if asks_login(service) && keys.contains(&("protocol", Value::from("smtp"))) {
            keys.retain(|(key, _)| *key != "auth");
            keys.extend([("auth", Value::from("tls")), ("auth_required", Value::from(true))]);
        }
        keys.insert(0, ("name", Value::from(self.free_name(&keys, port))));
        keys.insert(2, ("bind", Value::Array(bind)));
        let is_taken =
            self.making.offer(&at, Change { what: &what, key: "[[listener]]" }, |draft| draft.push("listener", keys));
        if is_taken {
            self.service_notes(&at, service, &main);
        }
    }

    /// `smtp`, `submission`, `submissions`, and for more of them the port behind.
    fn free_name(&self, keys: &[(&str, Value)], port: u16) -> String {
        let plain = matches!(port, 25 | 465 | 587);
        let protocol =
            keys.iter().find(|(key, _)| *key == "protocol").and_then(|(_, it)| it.as_str()).unwrap_or("smtp");
        let taken = self.making.draft.to_string().contains(&format!("\nname = \"{protocol}\"\n"));
        if plain && !taken {
            protocol.to_owned()
        } else {
            format!("{protocol}-{port}-{}", self.making.draft.count("listener") + 1)
        }
    }

    fn service_notes(&mut self, at: &Spot, service: &Service, main: &MainCf) {
        if main.value("smtpd_tls_security_level") == "encrypt" && !self.making.draft.has("tls") {
            let what = format!("{} smtpd_tls_security_level=encrypt", service.name);
            self.making.not_taken(
                at,
                &what,
                "there is no certificate; with [tls] give the listener tls = \"required\"",
            );
        }
        if service.command == "postscreen" {
            self.making.differs(at, "postscreen", "its tests are not made; greet_pause_ms makes the client wait");
        }
        if main.is_yes("smtpd_sasl_auth_enable")
            && !main.is_yes("smtpd_tls_auth_only")
            && main.value("smtpd_tls_security_level") != "encrypt"
        {
            let how = "passwords in clear text are taken under TLS only here; auth = \"always\" takes them without";
            self.making.differs(at, &format!("{} smtpd_tls_auth_only", service.name), how);
        }
        for (name, written) in &service.overrides {
            let what = format!("{} -o {name}={}", service.name, written.text);
            if name.ends_with("_restrictions") && asks_login_by(written) {
                self.making.taken(at, &what, "auth_required of [[listener]], which submission has by default");
            } else if name.ends_with("_restrictions") && !written.text.is_empty() {
                self.making.not_taken(at, &what, "who may relay and what is refused is the same at every listener");
            } else if !READ.contains(&name.as_str())
                && !name.ends_with("_restrictions")
                && name != "milter_macro_daemon_name"
            {
                self.making.not_taken(at, &what, "a listener has no such setting of its own");
            }
        }
    }
}

/// Whether only who has logged in may send there.
fn asks_login(service: &Service) -> bool {
    service.overrides.iter().any(|(name, written)| name.ends_with("_restrictions") && asks_login_by(written))
}

fn asks_login_by(written: &Written) -> bool {
    written.text.contains("permit_sasl_authenticated") && written.text.contains("reject")
}

/// The loopback or the unspecified address of both kinds.
fn both(v4: [u8; 4], v6: [u8; 16]) -> [IpAddr; 2] {
    [IpAddr::from(v4), IpAddr::from(v6)]
}

/// What a service's settings make of a listener.
fn keys(main: &MainCf, port: u16, draft: &Draft) -> Vec<(&'static str, Value)> {
    let login = main.is_yes("smtpd_sasl_auth_enable");
    let wrapped = main.is_yes("smtpd_tls_wrappermode");
    let protocol = match port {
        _ if wrapped => "submissions",
        587 => "submission",
        465 => "submissions",
        _ => "smtp",
    };
    let mut keys = vec![("protocol", Value::from(protocol))];
    if protocol == "smtp" && login {
        keys.push(("auth", Value::from("tls")));
    }
    let level = main.value("smtpd_tls_security_level");
    let has_tls = draft.has("tls");
    match level.as_str() {
        "encrypt" if protocol != "submissions" && has_tls => keys.push(("tls", Value::from("required"))),
        "none" if protocol != "submissions" => keys.push(("tls", Value::from("off"))),
        _ => {}
    }
    let limit = main.value("smtpd_client_connection_count_limit").parse::<u32>().ok().filter(|it| *it > 0);
    keys.extend(limit.map(|limit| ("connections_per_client_max", Value::from(limit))));
    if main.is_yes("strict_rfc821_envelopes") {
        keys.push(("strict", Value::from(true)));
    }
    keys
}
