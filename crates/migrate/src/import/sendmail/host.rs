//! Where sendmail listens (`DAEMON_OPTIONS`) and where it sends (`SMART_HOST`).

use std::net::{IpAddr, SocketAddr};
use toml::Value;

/// The keys of a `[[listener]]`.
pub(super) type Keys = Vec<(&'static str, Value)>;

/// One `DAEMON_OPTIONS`, as a listener; `Err` with what is in the way.
pub(super) fn listener(options: &str) -> Result<(&'static str, Keys), String> {
    let (mut port, mut address, mut flags, mut family) = ("smtp", None, "", "");
    for option in options.split(',') {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "port" | "p" => port = value,
            "addr" | "address" | "a" => address = Some(value),
            "modifiers" | "m" => flags = value,
            "family" | "f" => family = value,
            _ => {}
        }
    }
    let port: u16 = match port {
        "smtp" => 25,
        "submission" | "msa" => 587,
        "smtps" | "submissions" => 465,
        number => number.parse().map_err(|_| format!("port {number} has no number"))?,
    };
    let addresses: Vec<IpAddr> = match address {
        None | Some("0.0.0.0") if family != "inet6" => vec![IpAddr::from([0; 4])],
        None => vec![IpAddr::from([0_u16; 8])],
        Some("localhost") => vec![IpAddr::from([127, 0, 0, 1])],
        Some(text) => {
            let bare = text.trim_start_matches("IPv6:").trim_matches(['[', ']']);
            vec![bare.parse().map_err(|_| format!("give the address of {text}"))?]
        }
    };
    let protocol = match port {
        465 => "submissions",
        _ if flags.contains('s') => "submissions",
        587 => "submission",
        _ => "smtp",
    };
    let bind = addresses.iter().map(|it| Value::from(SocketAddr::new(*it, port).to_string())).collect();
    let mut keys = vec![("protocol", Value::from(protocol)), ("bind", Value::Array(bind))];
    if protocol == "smtp" && flags.contains('a') {
        keys.extend([("auth", Value::from("tls")), ("auth_required", Value::from(true))]);
    }
    Ok((protocol, keys))
}

/// `relay:[host]`, `[host]`, `host`, `smtp8:host`: the host, and whether no MX is asked.
pub(super) fn smart_host(text: &str) -> Option<(String, bool)> {
    let host = match text.split_once(':') {
        Some(("relay" | "smtp" | "esmtp" | "smtp8" | "dsmtp", host)) => host,
        Some(_) if !text.starts_with('[') => return None,
        _ => text,
    };
    let exact = host.starts_with('[');
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_start_matches("IPv6:");
    (!host.is_empty() && !host.contains([' ', '$', '%'])).then(|| (host.to_owned(), exact))
}
