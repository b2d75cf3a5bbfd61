//! What stands in the place of the probes' placeholders. Values come from people and from the probed server: nothing in one can
//! end a command line.

use std::net::{IpAddr, Ipv4Addr};

use super::catalog::Charset;

/// A foreign address (RFC 5737); no mail is sent there.
const TARGET_IP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 25);
/// Most repetitions that a placeholder may ask for.
const REPEATED_MAX: usize = 2_000;

/// Who is probed, by whom, and where relayed mail would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// A mailbox elsewhere.
    pub target_user: String,
    /// Its domain.
    pub target_domain: String,
    /// A mailbox of the server.
    pub local_user: String,
    /// A domain of the server.
    pub local_domain: String,
    /// The server's name.
    pub local_host: String,
    /// The server's address.
    pub local_ip: IpAddr,
    /// What the prober calls itself.
    pub helo: String,
}

impl Values {
    /// The text with every value in its place.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = repeated(text);
        let ip = u32::from(TARGET_IP);
        let values = [
            ("{target_domain_upper}", self.target_domain.to_uppercase()),
            ("{target_domain_fwdot}", self.target_domain.replace('.', "\u{3002}")),
            ("{local_domain_shy}", shy(&self.local_domain)),
            ("{target_user}", self.target_user.clone()),
            ("{target_domain}", self.target_domain.clone()),
            ("{target_ip_int}", ip.to_string()),
            ("{target_ip_hex}", format!("{ip:#x}")),
            ("{target_ip}", TARGET_IP.to_string()),
            ("{local_user}", self.local_user.clone()),
            ("{local_domain}", self.local_domain.clone()),
            ("{local_host}", self.local_host.clone()),
            ("{local_ip}", literal(self.local_ip)),
            ("{helo}", self.helo.clone()),
            ("{{", "{".to_owned()),
            ("}}", "}".to_owned()),
        ];
        for (name, value) in values {
            filled = filled.replace(name, &one_line(&value));
        }
        filled
    }

    /// The same as octets; what ISO 8859-1 does not have is a question mark.
    pub fn octets(&self, text: &str, charset: Charset) -> Vec<u8> {
        let filled = self.fill(text);
        match charset {
            Charset::Utf8 => filled.into_bytes(),
            Charset::Latin1 => filled.chars().map(|it| u8::try_from(u32::from(it)).unwrap_or(b'?')).collect(),
        }
    }
}

/// An address as it stands between the brackets of a literal (RFC 5321 §4.1.3).
pub(super) fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("IPv6:{ip}"),
    }
}

/// `{rep:X:N}` is X, N times.
fn repeated(text: &str) -> String {
    let mut rest = text;
    let mut filled = String::new();
    while let Some((before, from)) = rest.split_once("{rep:") {
        filled.push_str(before);
        let Some((what, after)) = from.split_once('}') else {
            filled.push_str("{rep:");
            rest = from;
            continue;
        };
        let (what, count) = what.rsplit_once(':').unwrap_or((what, "1"));
        filled.push_str(&what.repeat(count.parse().unwrap_or(1).min(REPEATED_MAX)));
        rest = after;
    }
    filled + rest
}

/// A soft hyphen after the first character.
fn shy(domain: &str) -> String {
    let mut characters = domain.chars();
    let first: String = characters.by_ref().take(1).collect();
    first + "\u{ad}" + characters.as_str()
}

fn one_line(value: &str) -> String {
    value.chars().filter(|it| !it.is_control()).collect()
}
