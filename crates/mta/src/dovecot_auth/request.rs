//! The parameters of `AUTH`.

use super::{Secret, escape::unescape, number};
use crate::address;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::IpAddr;

/// Longest name of a SASL mechanism, in octets (RFC 4422 §3.1).
const MECHANISM_OCTETS_MAX: usize = 20;
/// Longest of the texts, in octets.
const TEXT_OCTETS_MAX: usize = 1024;

/// Whether what the client's client sends can be overheard, as the client says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secured {
    /// It can.
    #[default]
    No,
    /// TLS, or the same machine.
    Yes,
    /// TLS for sure (Dovecot 2.3: `secured=tls`).
    Tls,
}

/// An exchange begins. Only the response is proved by anything; the rest is the mail server's word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// The number that answers carry.
    pub id: u32,
    /// The mechanism in capitals, of the form that RFC 4422 §3.1 wants.
    pub mechanism: String,
    /// `smtp`, `pop3`, `imap`, … in small letters.
    pub service: String,
    /// The address that the SMTP client connected to.
    pub local_ip: Option<IpAddr>,
    /// The SMTP client's address. Postfix and Exim always send it.
    pub remote_ip: Option<IpAddr>,
    /// The port that the SMTP client connected to.
    pub local_port: Option<u16>,
    /// The SMTP client's port.
    pub remote_port: Option<u16>,
    /// Whether it can be overheard.
    pub secured: Secured,
    /// The user of a verified client certificate, as the client says.
    pub cert_username: Option<String>,
    /// Names the session in logs.
    pub session: Option<String>,
    /// The server name that the SMTP client asked for (TLS SNI).
    pub local_name: Option<String>,
    /// What came with the command; `None` if nothing did, which is not the same as something empty.
    pub initial_response: Option<Secret>,
    /// The client only wants to know who it is: nobody logs in to a mailbox. Postfix and Exim say so.
    pub no_login: bool,
}

impl Auth {
    pub(super) fn parse<'a>(id: u32, mut parameters: impl Iterator<Item = &'a [u8]>) -> Result<Self, &'static str> {
        let mut auth = Self { id, mechanism: mechanism(parameters.next())?, ..Self::default() };
        while let Some(parameter) = parameters.next() {
            let equals = parameter.iter().position(|&octet| octet == b'=');
            let (name, value) = equals.map_or((parameter, &b""[..]), |at| (&parameter[..at], &parameter[at + 1..]));
            if name == b"resp" {
                // A client that put unfiltered data of its client here must not have more parameters read from it.
                if parameters.next().is_some() {
                    return Err("Parameters after initial response");
                }
                auth.initial_response = initial_response(value)?;
            } else {
                auth.set(name, value)?;
            }
        }
        if auth.service.is_empty() { Err("Service missing") } else { Ok(auth) }
    }

    fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
        match name {
            b"service" => self.service = text(value)?.to_ascii_lowercase(),
            b"lip" => self.local_ip = address::parse(value),
            b"rip" => self.remote_ip = address::parse(value),
            b"lport" => self.local_port = port(value),
            b"rport" => self.remote_port = port(value),
            b"secured" => self.secured = if value == b"tls" { Secured::Tls } else { Secured::Yes },
            b"cert_username" => self.cert_username = Some(text(value)?),
            b"session" => self.session = Some(text(value)?),
            b"local_name" => self.local_name = Some(text(value)?),
            b"nologin" => self.no_login = true,
            _ => {}
        }
        Ok(())
    }
}

fn mechanism(name: Option<&[u8]>) -> Result<String, &'static str> {
    let name = name.unwrap_or_default().to_ascii_uppercase();
    let fits = (1..=MECHANISM_OCTETS_MAX).contains(&name.len())
        && name.iter().all(|octet| matches!(octet, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_'));
    fits.then(|| String::from_utf8(name).ok()).flatten().ok_or("Invalid mechanism")
}

fn text(value: &[u8]) -> Result<String, &'static str> {
    let plain = String::from_utf8(unescape(value)).map_err(|_| "Parameter is not UTF-8")?;
    if plain.len() > TEXT_OCTETS_MAX { Err("Parameter too long") } else { Ok(plain) }
}

fn port(value: &[u8]) -> Option<u16> {
    number(value).and_then(|port| u16::try_from(port).ok())
}

/// Exim sends `resp=` where its client sent nothing with AUTH. What is there and empty is `=` (RFC 4954 §4).
fn initial_response(value: &[u8]) -> Result<Option<Secret>, &'static str> {
    if value.is_empty() {
        return Ok(None);
    }
    base64(value).map(Some).ok_or("Invalid base64 data in initial response")
}

/// `=` is how the client's client says "empty" with AUTH; afterwards it sends nothing at all.
pub(super) fn base64(value: &[u8]) -> Option<Secret> {
    if value == b"=" { Some(Secret::default()) } else { STANDARD.decode(value).ok().map(Secret::new) }
}
