//! Listeners, limits and logins as meant.

use super::{Meaning, minutes, secs, value};
use crate::{
    file::{self, AuthOffer, Protocol, RelayMode, TlsOffer},
    settings::{Auth, Limits, Listener},
};
use guard::policy;
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

/// Mechanisms that `auth.mechanisms` may name, strongest first.
const MECHANISMS: [&str; 5] = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"];

pub(super) fn listeners(
    written: &[file::Listener],
    meaning: &mut Meaning<'_>,
    (has_tls, data_dir): (bool, &Path),
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        let path = format!("listener[{index}]");
        let listener = listener(entry, meaning, (&path, data_dir));
        check_tls(entry, &path, meaning, has_tls);
        check_protocol(&listener, &path, meaning);
        if listeners.iter().any(|other| other.name == listener.name) {
            meaning.wrong(
                &format!("{path}.name"),
                format!("there are two listeners `{}`", listener.name),
                "each name once",
            );
        }
        for (at, addr) in listener.bind.iter().enumerate() {
            if listeners.iter().flat_map(|other| &other.bind).chain(&listener.bind[..at]).any(|other| other == addr) {
                meaning.wrong(
                    &format!("{path}.bind[{at}]"),
                    format!("two listeners at {addr}"),
                    "each address and port once",
                );
            }
        }
        let may = has_tls && !listener.protocol.is_beside();
        let tls = entry.tls.unwrap_or(if may { TlsOffer::Offered } else { TlsOffer::Off });
        listeners.push(Listener { tls, ..listener });
    }
    listeners
}

fn listener(entry: &file::Listener, meaning: &mut Meaning<'_>, (path, data_dir): (&str, &Path)) -> Listener {
    let protocol = entry.protocol;
    let auth = entry.auth.unwrap_or(if protocol == Protocol::Smtp { AuthOffer::Never } else { AuthOffer::Tls });
    let (bind, unix) = bind(&entry.bind, meaning, (path, protocol, data_dir));
    Listener {
        name: entry.name.as_str().into(),
        protocol,
        bind,
        unix,
        socket_mode: mode(&entry.socket_mode, path, meaning),
        peers: peers(entry, path, meaning),
        relay: entry.relay.unwrap_or(RelayMode::Restrict),
        auth,
        auth_required: entry.auth_required.unwrap_or(protocol.is_submission()),
        tls: TlsOffer::Off,
        proxy_from: networks(&entry.proxy_from, &format!("{path}.proxy_from"), meaning),
        xclient_from: networks(&entry.xclient_from, &format!("{path}.xclient_from"), meaning),
        connections_max: count(entry.connections_max),
        connections_per_client_max: count(entry.connections_per_client_max),
        greet_pause: Duration::from_millis(entry.greet_pause_ms.into()),
    }
}

fn bind(
    texts: &[String],
    meaning: &mut Meaning<'_>,
    (path, protocol, data_dir): (&str, Protocol, &Path),
) -> (Vec<SocketAddr>, Vec<PathBuf>) {
    let (mut bind, mut unix) = (Vec::new(), Vec::new());
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{path}.bind[{index}]");
        if let Some(socket) = text.strip_prefix("unix:") {
            if !has_unix(protocol) || socket.is_empty() {
                meaning.wrong(
                    &path,
                    format!("`{path}`: {} does not listen at Unix sockets", protocol.name()),
                    "ADDRESS:PORT",
                );
            }
            unix.push(data_dir.join(socket));
            continue;
        }
        let address = meaning.parsed(&path, value::socket_addr(text, None));
        if address.is_some_and(|address| address.port() == 0) {
            meaning.wrong(&path, format!("`{path}`: nobody would find port 0"), "as in \"0.0.0.0:25\"");
        }
        bind.extend(address);
    }
    (bind, unix)
}

fn has_unix(protocol: Protocol) -> bool {
    protocol.is_beside() && protocol != Protocol::Dracd
}

fn mode(text: &str, path: &str, meaning: &mut Meaning<'_>) -> u32 {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    if mode.is_none() {
        meaning.wrong(&format!("{path}.socket_mode"), format!("`{path}.socket_mode` is octal permissions"), "\"0660\"");
    }
    mode.unwrap_or(0o600)
}

/// Who may connect. Who speaks an interface for mail servers names clients, and is believed.
fn peers(entry: &file::Listener, path: &str, meaning: &mut Meaning<'_>) -> Vec<IpNet> {
    let path = format!("{path}.peers");
    if !entry.protocol.is_beside() {
        let parsed = entry.peers.iter().enumerate().map(|(index, text)| (format!("{path}[{index}]"), text));
        return parsed
            .filter_map(|(path, text)| meaning.parsed(&path, value::network(text)))
            .map(|net| net.trunc())
            .collect();
    }
    if entry.peers.is_empty() && entry.protocol != Protocol::Dracd {
        let loopback = [IpNet::new([127, 0, 0, 0].into(), 8), IpNet::new(std::net::Ipv6Addr::LOCALHOST.into(), 128)];
        return loopback.into_iter().flatten().collect();
    }
    networks(&entry.peers, &path, meaning)
}

fn networks(texts: &[String], path: &str, meaning: &mut Meaning<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(net) = meaning.parsed(&path, value::network(text)) else { continue };
        if let Err(why) = policy::check_network(&net.to_string()) {
            let (why, hint) = told(&why);
            meaning.wrong(&path, format!("`{path}`: \"{text}\" {why}"), &hint);
        }
        networks.push(net.trunc());
    }
    networks
}

/// Why a network is too wide to be trusted with naming clients, and what to write instead.
fn told(why: &policy::Why) -> (String, String) {
    let (reason, hint) = super::split_hint(&why.to_string());
    match why {
        policy::Why::Everybody | policy::Why::TooWide(_) | policy::Why::BeyondPrivate(_) => {
            // The guard speaks of relay clients.
            let reason = reason.split(':').next().unwrap_or_default();
            let hint = "list the hosts themselves: who names a client's address can take on any right";
            (reason.to_owned(), hint.to_owned())
        }
        _ => (reason, hint),
    }
}

fn check_tls(entry: &file::Listener, path: &str, meaning: &mut Meaning<'_>, has_tls: bool) {
    let hint = "give [tls] certificate and key";
    if entry.protocol.implicit_tls() && !has_tls {
        meaning.wrong(&format!("{path}.protocol"), format!("`{}` needs a certificate", entry.protocol.name()), hint);
    } else if matches!(entry.tls, Some(TlsOffer::Offered | TlsOffer::Required)) && !has_tls {
        meaning.wrong(&format!("{path}.tls"), format!("`{path}.tls` needs a certificate"), hint);
    }
}

fn check_protocol(listener: &Listener, path: &str, meaning: &mut Meaning<'_>) {
    if listener.protocol.is_beside() {
        return check_beside(listener, path, meaning);
    }
    if !listener.protocol.is_smtp() {
        if !listener.xclient_from.is_empty() {
            meaning.wrong(&format!("{path}.xclient_from"), "XCLIENT is a command of SMTP", "remove it");
        }
        if !listener.greet_pause.is_zero() {
            let message = "only mail servers are known by waiting for the greeting";
            meaning.wrong(&format!("{path}.greet_pause_ms"), message, "for SMTP listeners");
        }
        if listener.auth == AuthOffer::Never {
            meaning.wrong(&format!("{path}.auth"), "nobody reads a mailbox without a login", "\"tls\" or \"always\"");
        }
    }
    if listener.relay == RelayMode::Permit && !listener.protocol.is_beside() {
        let message = format!(
            "only a listener that other mail servers ask can permit; who relays by {} is said in [relay]",
            listener.protocol.name()
        );
        meaning.wrong(&format!("{path}.relay"), message, "remove it");
    }
    if listener.auth_required && listener.auth == AuthOffer::Never {
        meaning.wrong(
            &format!("{path}.auth"),
            "a login is required but never offered",
            "\"tls\", or auth_required = false",
        );
    }
}

fn check_beside(listener: &Listener, path: &str, meaning: &mut Meaning<'_>) {
    let name = listener.protocol.name();
    if !listener.proxy_from.is_empty() || !listener.xclient_from.is_empty() {
        let key = if listener.proxy_from.is_empty() { "xclient_from" } else { "proxy_from" };
        meaning.wrong(&format!("{path}.{key}"), format!("{name} tells of clients in its own words"), "remove it");
    }
    let decides = matches!(listener.protocol, Protocol::Policy | Protocol::Milter | Protocol::Socketmap);
    if listener.relay == RelayMode::Permit && !decides {
        meaning.wrong(&format!("{path}.relay"), format!("{name} does not decide about recipients"), "remove it");
    }
}

pub(super) fn limits(limits: &file::Limits, meaning: &mut Meaning<'_>) -> Limits {
    if limits.command_timeout_secs > limits.session_timeout_secs {
        let message = "`limits.command_timeout_secs` is longer than `limits.session_timeout_secs`";
        meaning.wrong("limits.command_timeout_secs", message, "a session outlasts its commands");
    }
    if u64::from(limits.body_chunk_octets) > limits.memory_octets {
        meaning.wrong("limits.body_chunk_octets", "one piece is larger than `limits.memory_octets`", "");
    }
    Limits {
        command_line_octets: count(limits.command_line_octets),
        text_line_octets: count(limits.text_line_octets),
        message_octets: limits.message_octets,
        recipients: count(limits.recipients),
        errors: limits.errors,
        unknown_commands: limits.unknown_commands,
        auth_failures: limits.auth_failures,
        messages_per_session: limits.messages_per_session,
        command_timeout: secs(limits.command_timeout_secs),
        data_timeout: secs(limits.data_timeout_secs),
        session_timeout: secs(limits.session_timeout_secs),
        pop3_timeout: secs(limits.pop3_timeout_secs),
        hops: count(limits.hops),
        body_chunk_octets: count(limits.body_chunk_octets),
        memory_octets: limits.memory_octets,
    }
}

pub(super) fn auth(auth: &file::Auth, meaning: &mut Meaning<'_>) -> Auth {
    let mut mechanisms = Vec::new();
    for (index, name) in auth.mechanisms.iter().enumerate() {
        let path = format!("auth.mechanisms[{index}]");
        mechanisms.extend(mechanism(name, &path, meaning));
    }
    let shared_addresses = addresses(&auth.shared_addresses, "auth.shared_addresses", meaning);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Auth {
        mechanisms,
        apop: auth.apop,
        argon2_memory_kib: auth.argon2_memory_kib,
        argon2_passes: auth.argon2_passes,
        argon2_concurrency: if auth.argon2_concurrency == 0 { processors } else { count(auth.argon2_concurrency) },
        cache_lifetime: minutes(auth.cache_minutes),
        failures_per_client: auth.failures_per_client,
        failures_per_account: auth.failures_per_account,
        failure_lifetime: minutes(auth.failure_minutes),
        failure_delay: Duration::from_millis(auth.failure_delay_ms.into()),
        shared_addresses,
    }
}

/// Single addresses.
pub(super) fn addresses(texts: &[String], key: &str, meaning: &mut Meaning<'_>) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match text.parse() {
            Ok(addr) => addresses.push(guard::canonical_ip(addr)),
            Err(_) => meaning.wrong(
                &format!("{key}[{index}]"),
                format!("`{key}`: \"{text}\" is no address"),
                "as in \"172.17.0.1\"",
            ),
        }
    }
    addresses
}

/// The mechanism in upper case, if it is one.
pub(super) fn mechanism(name: &str, path: &str, meaning: &mut Meaning<'_>) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    if MECHANISMS.contains(&upper.as_str()) {
        return Some(upper);
    }
    let near = crate::shape::nearest_of(&upper, MECHANISMS.into_iter());
    let hint =
        near.map_or_else(|| format!("one of {}", MECHANISMS.join(", ")), |near| format!("did you mean \"{near}\"?"));
    meaning.wrong(path, format!("`{path}`: unknown mechanism \"{name}\""), &hint);
    None
}

/// Counts of the file fit in 32 bits, and so in `usize` on every machine that we build for.
fn count(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
