//! Whether a request of HTTP may be believed. Being able to connect proves nothing here: a web page, or a web service that
//! fetches what it is told to, posts to a port of this host for whoever wrote it (T50).

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::{StatusCode, Uri};

use crate::secrets::SharedSecret;

/// What only browsers send (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The name that Dovecot gives a secret without one.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who is asked, and what must be shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door<'a> {
    pub(super) secret: &'a SharedSecret,
    /// Our own name.
    pub(super) hostname: &'a str,
    /// Further names of this host, in lower case.
    pub(super) host_names: &'a [String],
}

/// Why a request is not believed; nothing of it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproved {
    #[error("the request comes from a page of another site")]
    CrossSite,
    #[error("the request is for another host; see listener.host_names")]
    Host,
    #[error("the secret is missing or wrong; see listener.secret_file and auth_policy_server_api_header")]
    Secret,
    #[error("the body must be application/json")]
    ContentType,
}

impl Unproved {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Secret => StatusCode::UNAUTHORIZED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

impl Door<'_> {
    pub(super) fn admits(self, uri: &Uri, headers: &HeaderMap) -> Result<(), Unproved> {
        let host = only(headers, &HOST).ok_or(Unproved::Host)?;
        if is_cross_site(headers, host) {
            return Err(Unproved::CrossSite);
        }
        // A target in absolute form counts in the place of the field (RFC 9112 §3.2.2).
        if !self.is_ours(host) || uri.host().is_some_and(|host| !self.is_ours(host)) {
            return Err(Unproved::Host);
        }
        if !self.is_shown(headers) {
            return Err(Unproved::Secret);
        }
        let media = only(headers, &CONTENT_TYPE).and_then(|media| media.split(';').next()).unwrap_or_default();
        let is_json = media.trim().eq_ignore_ascii_case("application/json");
        if is_json { Ok(()) } else { Err(Unproved::ContentType) }
    }

    /// A name of a site that was pointed at our address (DNS rebinding) is none of ours. No site's name is an address, or has
    /// no dot.
    fn is_ours(self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let is_short = !name.is_empty() && !name.contains('.');
        is_address
            || is_short
            || name.eq_ignore_ascii_case(self.hostname)
            || self.host_names.iter().any(|it| it == name)
    }

    /// `auth_policy_server_api_header` may have any form that its documentation shows: a field of its own, or one of the
    /// schemes of `Authorization`, where `Basic` has the secret alone or behind a name.
    fn is_shown(self, headers: &HeaderMap) -> bool {
        if let Some(key) = only_octets(headers, &API_KEY) {
            return self.secret.is(key);
        }
        let Some(shown) = only(headers, &AUTHORIZATION).map(str::trim) else { return false };
        let (scheme, credentials) = shown.split_once(' ').unwrap_or(("", shown));
        let credentials = credentials.trim();
        if !scheme.eq_ignore_ascii_case("basic") {
            return self.secret.is(credentials.as_bytes());
        }
        let decoded = BASE64.decode(credentials).unwrap_or_default();
        let behind_name = decoded.iter().position(|octet| *octet == b':').map_or(&*decoded, |at| &decoded[at + 1..]);
        self.secret.is(&decoded) | self.secret.is(behind_name)
    }
}

/// The value of a field that stands there once.
fn only_octets<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes().trim_ascii())
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    str::from_utf8(only_octets(headers, name)?).ok()
}

fn is_cross_site(headers: &HeaderMap, host: &str) -> bool {
    let origins = headers.get_all(ORIGIN).iter();
    let mut elsewhere = origins.map(|origin| {
        let authority = str::from_utf8(origin.as_bytes()).ok().and_then(|origin| origin.split_once("://"));
        authority.is_none_or(|(_, authority)| !authority.eq_ignore_ascii_case(host))
    });
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    elsewhere.any(|elsewhere| elsewhere) || sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// `name`, `name:port`, `[address]:port`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const SECRET: &str = "0123456789abcdef";

    /// Fields of a good request, each with what stands in it.
    const GOOD: [(&str, &str); 3] =
        [("host", "127.0.0.1:10035"), ("x-api-key", SECRET), ("content-type", "application/json")];

    fn admitted(fields: &[(&str, &str)]) -> Result<(), Unproved> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, SECRET).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let secret = SharedSecret::read(&path, config::Permissions::Owner).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let host_names = ["guard.example.net".to_owned()];
        let door = Door { secret: &secret, hostname: "mail.example.test", host_names: &host_names };
        door.admits(&Uri::from_static("/?command=report"), &headers)
    }

    /// A good request with one field in the place of its like.
    fn with(name: &str, value: &str) -> Result<(), Unproved> {
        let mut fields: Vec<(&str, &str)> = GOOD.into_iter().filter(|(known, _)| *known != name).collect();
        fields.push((name, value));
        admitted(&fields)
    }

    #[test]
    fn t50_what_a_page_can_send_is_not_believed() {
        assert_eq!(admitted(&GOOD), Ok(()));
        for (missing, field) in GOOD.iter().enumerate() {
            let fields: Vec<_> = GOOD.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, it)| *it).collect();
            assert!(admitted(&fields).is_err(), "{field:?}");
        }
        let table = [
            ("origin", "http://evil.example", Unproved::CrossSite),
            ("origin", "null", Unproved::CrossSite),
            ("sec-fetch-site", "cross-site", Unproved::CrossSite),
            ("sec-fetch-site", "same-site", Unproved::CrossSite),
            ("host", "evil.example", Unproved::Host),
            ("host", "evil.example:10035", Unproved::Host),
            ("host", "", Unproved::Host),
            ("x-api-key", "0123456789abcdeF", Unproved::Secret),
            ("x-api-key", "", Unproved::Secret),
            ("content-type", "text/plain;charset=UTF-8", Unproved::ContentType),
            ("content-type", "application/x-www-form-urlencoded", Unproved::ContentType),
            ("content-type", "multipart/form-data; boundary=application/json", Unproved::ContentType),
        ];
        for (name, value, why) in table {
            assert_eq!(with(name, value), Err(why), "{name}: {value}");
        }
        let twice = [GOOD.as_slice(), &[("x-api-key", SECRET)]].concat();
        assert_eq!(admitted(&twice), Err(Unproved::Secret), "two secrets are none");
    }

    #[test]
    fn what_is_believed() {
        for host in
            ["127.0.0.1", "[::1]:10035", "localhost:10035", "Mail.Example.Test.", "guard.example.net:80", "guard"]
        {
            assert_eq!(with("host", host), Ok(()), "{host}");
        }
        assert_eq!(with("origin", "http://127.0.0.1:10035"), Ok(()));
        assert_eq!(with("sec-fetch-site", "same-origin"), Ok(()));
        assert_eq!(with("content-type", "Application/JSON; charset=utf-8"), Ok(()));
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
        let shown = [SECRET.to_owned(), format!("Bearer {SECRET}"), basic(SECRET), basic(&format!("dovecot:{SECRET}"))];
        for shown in shown {
            let fields = [GOOD[0], GOOD[2], ("authorization", shown.as_str())];
            assert_eq!(admitted(&fields), Ok(()), "{shown}");
        }
        let fields = [GOOD[0], GOOD[2], ("authorization", "Basic Og==")];
        assert_eq!(admitted(&fields), Err(Unproved::Secret));
    }
}
