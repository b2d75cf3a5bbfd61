//! `[tls.acme]`: the certificate is fetched from an authority by ACME (RFC 8555), and renewed.

use crate::reading::Reading;
use crate::value::{self, unreadable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Longest URL of a directory.
const URL_OCTETS_MAX: usize = 1_024;

/// `[tls.acme]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Acme", deny_unknown_fields, default)]
pub struct WrittenAcme {
    /// URL of the authority's directory. Whoever writes `[tls.acme]` agrees to the authority's terms of service.
    /// Default `"https://acme-v02.api.letsencrypt.org/directory"`.
    pub directory: String,
    /// Mail address that the authority may write to. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// How the authority sees that `hostname` is this server: by HTTP on port 80, by TLS on port 443, or by a record in DNS. For
    /// `"dns-01"` give `hook`. Default `"http-01"`.
    pub challenge: AcmeChallenge,
    /// For `"http-01"`: addresses, `ADDRESS:PORT`, at which the authority is answered. Sekisho listens there only while it fetches a
    /// certificate. Default `["0.0.0.0:80", "[::]:80"]`.
    pub http_bind: Vec<String>,
    /// For `"http-01"` beside a web server: its document root. The answer is written below it, and `http_bind` is not used.
    /// Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webroot: Option<String>,
    /// For `"tls-alpn-01"`: addresses, `ADDRESS:PORT`, at which the authority is answered, as `http_bind` is used.
    /// Default `["0.0.0.0:443", "[::]:443"]`.
    pub tls_bind: Vec<String>,
    /// For `"dns-01"`: program with its arguments that publishes a record and removes it again. `add` or `remove` follows as the last
    /// argument; `SEKISHO_ACME_NAME` and `SEKISHO_ACME_VALUE` are in its environment. No shell reads it; it runs as the server's
    /// user, for 10 minutes at most. Default `[]`: none.
    pub hook: Vec<String>,
}

/// `tls.acme.challenge`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AcmeChallenge {
    /// A file fetched by HTTP.
    #[serde(rename = "http-01")]
    Http01,
    /// A certificate shown on port 443.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// A text record.
    #[serde(rename = "dns-01")]
    Dns01,
}

impl Default for WrittenAcme {
    fn default() -> Self {
        let texts = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
        Self {
            directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            contact: None,
            challenge: AcmeChallenge::Http01,
            http_bind: texts(["0.0.0.0:80", "[::]:80"]),
            webroot: None,
            tls_bind: texts(["0.0.0.0:443", "[::]:443"]),
            hook: Vec::new(),
        }
    }
}

/// `[tls.acme]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// The authority.
    pub directory: String,
    /// Whom it may write to.
    pub contact: Option<String>,
    /// How it sees that the name is ours.
    pub proof: AcmeProof,
}

/// How an authority sees that a name is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcmeProof {
    /// It asks us by HTTP at these addresses.
    Http(Vec<SocketAddr>),
    /// It asks a web server whose document root this is.
    Webroot(PathBuf),
    /// It asks us by TLS at these addresses.
    TlsAlpn(Vec<SocketAddr>),
    /// It asks DNS, where this program publishes.
    Hook(Vec<String>),
}

impl WrittenAcme {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Option<Acme> {
        let directory = reading.parsed("tls.acme.directory", directory(&self.directory));
        let contact = self.contact.as_ref();
        let contact = contact.and_then(|text| reading.parsed("tls.acme.contact", value::mailbox(text)));
        self.unused(reading);
        let proof = match self.challenge {
            AcmeChallenge::Http01 => match &self.webroot {
                Some(root) => AcmeProof::Webroot(reading.below(root)),
                None => AcmeProof::Http(addresses("tls.acme.http_bind", &self.http_bind, reading)),
            },
            AcmeChallenge::TlsAlpn01 => AcmeProof::TlsAlpn(addresses("tls.acme.tls_bind", &self.tls_bind, reading)),
            AcmeChallenge::Dns01 => AcmeProof::Hook(self.program(reading)),
        };
        Some(Acme { directory: directory?, contact: contact.map(|it| it.to_string()), proof })
    }

    /// What the challenge leaves unused was meant to be used.
    fn unused(&self, reading: &mut Reading<'_>) {
        if self.webroot.is_some() && self.challenge != AcmeChallenge::Http01 {
            let message = "`tls.acme.webroot` is for challenge \"http-01\"";
            reading.wrong("tls.acme.webroot", message, "leave it out, or challenge = \"http-01\"");
        }
        if !self.hook.is_empty() && self.challenge != AcmeChallenge::Dns01 {
            let message = "`tls.acme.hook` is for challenge \"dns-01\"";
            reading.wrong("tls.acme.hook", message, "leave it out, or challenge = \"dns-01\"");
        }
    }

    fn program(&self, reading: &mut Reading<'_>) -> Vec<String> {
        if !self.hook.first().is_some_and(|program| program.starts_with('/')) {
            let message = "challenge \"dns-01\" needs `tls.acme.hook`, which begins with a path";
            reading.wrong("tls.acme.hook", message, "as in [\"/usr/local/bin/publish\"]: no shell looks for it");
        }
        self.hook.clone()
    }
}

fn addresses(key: &str, texts: &[String], reading: &mut Reading<'_>) -> Vec<SocketAddr> {
    if texts.is_empty() {
        reading.wrong(key, format!("`{key}`: the authority could not ask anywhere"), "leave it out for the default");
    }
    reading.each(key, texts, |text| value::socket_addr(text, None))
}

/// What the account's key signs goes nowhere without TLS.
fn directory(url: &str) -> Result<String, value::Unreadable> {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let is_plain = !rest.is_empty() && !rest.starts_with('/') && url.bytes().all(|octet| octet.is_ascii_graphic());
    if is_plain && url.len() <= URL_OCTETS_MAX {
        Ok(url.to_owned())
    } else {
        unreadable(format!("\"{}\" is no URL of HTTPS", url.escape_debug()), "\"https://…\", as the authority tells it")
    }
}

#[cfg(test)]
mod tests {
    use super::directory;

    #[test]
    fn a_directory_is_asked_under_tls_only() {
        assert!(directory("https://acme.example/dir").is_ok() && directory("https://127.0.0.1:14000/dir").is_ok());
        for url in ["", "https://", "https:///dir", "http://acme.example/dir", "https://a b/", "acme.example"] {
            assert!(directory(url).is_err(), "{url}");
        }
        assert!(directory(&format!("https://a/{}", "x".repeat(2_000))).is_err());
    }
}
