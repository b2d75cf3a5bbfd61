//! Dovecot's authentication policy: what its requests say, and what is answered.
//!
//! Dovecot posts JSON to `auth_policy_server_url` with `?command=allow` before and after it checks a password, and with
//! `?command=report` at the end. The members are those of `auth_policy_request_attributes` as Dovecot 2.3 and 2.4 have
//! them unless changed; others are passed over. A request that is refused here should be answered with an HTTP error:
//! Dovecot then goes by its `auth_policy_reject_on_fail`.

#[cfg(test)]
mod tests;

use crate::address;
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// Longest body, in octets.
pub const BODY_OCTETS_MAX: usize = 16_384;
/// Longest login, in octets.
pub const LOGIN_OCTETS_MAX: usize = 512;
/// Longest of the other texts, in octets; more is cut. `device_id` is what the client says of itself.
pub const TEXT_OCTETS_MAX: usize = 512;
/// Longest delay that Dovecot makes, in seconds.
pub const DELAY_SECS_MAX: u32 = 300;

/// Why a request is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthPolicyError {
    /// The query has no `command=allow` or `command=report`, or several commands.
    #[error("auth policy: no command=allow or command=report in the query")]
    Command,
    /// The body is longer than [`BODY_OCTETS_MAX`].
    #[error("auth policy: body longer than {BODY_OCTETS_MAX} octets")]
    TooLong,
    /// The body is not JSON, or a member is of another type or comes twice. What stands there is not told: it may be
    /// anything.
    #[error("auth policy: the body is not what it should be at line {line} column {column}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in octets.
        column: usize,
    },
    /// The login is longer than [`LOGIN_OCTETS_MAX`] or has control characters.
    #[error("auth policy: the login cannot be one")]
    Login,
    /// A report that does not say whether the login succeeded.
    #[error("auth policy: report without success")]
    Success,
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The password was right, and nothing else refused the login.
    pub success: bool,
    /// A policy server, we among them, refused it.
    pub policy_reject: bool,
    /// Why it failed, in Dovecot's words (2.4, if configured); empty if it does not say.
    pub fail_type: String,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Whether this login may go on. Asked before the password is checked, and again after it was right.
    Allow,
    /// Tells how the login ended; the answer is not looked at.
    Report(Outcome),
}

/// The truncated hash of nonce, login and password: tells one wrong password tried again from many. Never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// One request of Dovecot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub command: Command,
    /// The login as the client wrote it; for a master login, whose mailbox it wants. May be empty.
    pub login: String,
    /// See [`PasswordHash`].
    pub pwhash: PasswordHash,
    /// From where; `None` for logins that come from no address.
    pub remote: Option<IpAddr>,
    /// What the client says of itself (IMAP ID); anything.
    pub device_id: String,
    /// `imap`, `pop3`, `smtp`, … in small letters.
    pub protocol: String,
    /// Dovecot's name for the session.
    pub session_id: String,
    /// Whether TLS was used.
    pub tls: bool,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    login: Cow<'a, str>,
    #[serde(borrow, default)]
    pwhash: Cow<'a, str>,
    #[serde(borrow, default)]
    remote: Cow<'a, str>,
    #[serde(borrow, default)]
    device_id: Cow<'a, str>,
    #[serde(borrow, default)]
    protocol: Cow<'a, str>,
    #[serde(borrow, default)]
    session_id: Cow<'a, str>,
    #[serde(borrow, default)]
    fail_type: Cow<'a, str>,
    #[serde(default)]
    tls: bool,
    success: Option<bool>,
    #[serde(default)]
    policy_reject: bool,
}

impl Request {
    /// Reads the query of the URL (what stands behind `?`) and the body.
    pub fn parse(query: &str, body: &[u8]) -> Result<Self, AuthPolicyError> {
        let is_report = is_report(query)?;
        if body.len() > BODY_OCTETS_MAX {
            return Err(AuthPolicyError::TooLong);
        }
        let body: Body<'_> = serde_json::from_slice(body)
            .map_err(|error| AuthPolicyError::Json { line: error.line(), column: error.column() })?;
        if body.login.len() > LOGIN_OCTETS_MAX || body.login.contains(char::is_control) {
            return Err(AuthPolicyError::Login);
        }
        let command = match (is_report, body.success) {
            (false, _) => Command::Allow,
            (true, None) => return Err(AuthPolicyError::Success),
            (true, Some(success)) => {
                Command::Report(Outcome { success, policy_reject: body.policy_reject, fail_type: cut(&body.fail_type) })
            }
        };
        Ok(Self {
            command,
            login: body.login.into_owned(),
            pwhash: PasswordHash(cut(&body.pwhash)),
            remote: address::parse(body.remote.as_bytes()),
            device_id: cut(&body.device_id),
            protocol: cut(&body.protocol).to_ascii_lowercase(),
            session_id: cut(&body.session_id),
            tls: body.tls,
        })
    }
}

fn is_report(query: &str) -> Result<bool, AuthPolicyError> {
    let mut commands = query.split('&').filter_map(|pair| pair.strip_prefix("command="));
    match (commands.next(), commands.next()) {
        (Some("allow"), None) => Ok(false),
        (Some("report"), None) => Ok(true),
        _ => Err(AuthPolicyError::Command),
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_OCTETS_MAX)].to_owned()
}

/// What is answered to [`Command::Allow`]; [`Answer::Continue`] to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Continue,
    /// Go on after so many seconds, at most [`DELAY_SECS_MAX`]; 0 is at once. Only before the password is checked.
    Delay(u32),
    /// Refuse. The text may reach the client; empty: Dovecot's own words.
    Refuse(Cow<'static, str>),
}

impl Answer {
    /// The body of the HTTP reply, `application/json`.
    pub fn to_json(&self) -> String {
        let (status, message) = match self {
            Self::Continue => (0, ""),
            Self::Delay(secs) => (i64::from((*secs).min(DELAY_SECS_MAX)), ""),
            Self::Refuse(message) => (-1, message.as_ref()),
        };
        serde_json::json!({ "status": status, "msg": message }).to_string()
    }
}
