//! Values of sendmail's mailertable: a mailer, and the host that it is given.

use std::str::FromStr;

use super::action;
use crate::action::{Action, Reply};

/// Where the mail of a domain goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To a host by SMTP.
    Host {
        /// `smtp`, `esmtp`, `relay`, or whatever the file names; empty where it names none.
        mailer: String,
        /// A name, or an address; several are divided by colons and tried in turn.
        host: String,
        /// The host itself, not the hosts that its MX records name: it was in brackets.
        exact: bool,
    },
    /// Into a mailbox here: `local:user`; empty where the recipient's own is meant.
    Local(String),
    /// Nowhere: `error:5.1.2:550 text`.
    Error(Reply),
}

/// Why a value is no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Nothing behind the mailer.
    #[error("mailer {0:?} has no host")]
    NoHost(String),
    /// A bracket is open.
    #[error("host {0:?} has a bracket without its other")]
    Bracket(String),
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(value: &str) -> Result<Self, RouteError> {
        let value = value.trim();
        let (mailer, host) = match value.split_once(':') {
            Some((mailer, host)) if !mailer.starts_with('[') => (mailer.to_ascii_lowercase(), host.trim()),
            _ => (String::new(), value),
        };
        match mailer.as_str() {
            "error" => Ok(Self::Error(error(host))),
            "local" => Ok(Self::Local(host.to_owned())),
            _ if host.is_empty() => Err(RouteError::NoHost(mailer)),
            _ => {
                let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
                if inner.is_none() && host.matches('[').count() != host.matches(']').count() {
                    return Err(RouteError::Bracket(host.to_owned()));
                }
                let single = inner.filter(|inner| !inner.contains([']', '[']));
                Ok(Self::Host { mailer, host: single.unwrap_or(host).to_owned(), exact: single.is_some() })
            }
        }
    }
}

/// `error:D.S.N:text`, `error:keyword:text`, `error:text`: the same as in the access database, but for the keyword.
fn error(text: &str) -> Reply {
    let text = match text.split_once(':') {
        Some((keyword, rest)) if !keyword.is_empty() && keyword.bytes().all(|b| b.is_ascii_alphabetic()) => rest,
        _ => text,
    };
    match action::access(&format!("ERROR:{text}")) {
        Action::Reject(reply) | Action::Defer(reply) => reply,
        _ => Reply::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(mailer: &str, host: &str, exact: bool) -> Route {
        Route::Host { mailer: mailer.into(), host: host.into(), exact }
    }

    #[test]
    fn routes_are_read() {
        let cases = [
            ("smtp:[mx.example.com]", host("smtp", "mx.example.com", true)),
            ("esmtp:mx.example.com", host("esmtp", "mx.example.com", false)),
            ("RELAY:[192.0.2.1]", host("relay", "192.0.2.1", true)),
            ("smtp:[IPv6:2001:db8::1]", host("smtp", "IPv6:2001:db8::1", true)),
            ("smtp:[a.example]:[b.example]", host("smtp", "[a.example]:[b.example]", false)),
            ("mx.example.com", host("", "mx.example.com", false)),
            ("local:alice", Route::Local("alice".into())),
            ("local:", Route::Local(String::new())),
            (
                "error:5.1.2:550 no such domain",
                Route::Error(Reply { code: Some(550), enhanced: Some("5.1.2".into()), text: "no such domain".into() }),
            ),
            (
                "error:nohost:no such domain",
                Route::Error(Reply { code: None, enhanced: None, text: "no such domain".into() }),
            ),
        ];
        for (text, route) in cases {
            assert_eq!(text.parse(), Ok(route), "{text}");
        }
        assert!("smtp:".parse::<Route>().is_err());
        assert!("smtp:[a.example".parse::<Route>().is_err());
    }
}
