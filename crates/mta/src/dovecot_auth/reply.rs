//! What the server says: its handshake, and the answers to requests.

use super::escape::push_escaped;
use super::{VERSION_MAJOR, VERSION_MINOR};
use crate::text::push_printable;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest line that we send, in octets with its LF: Exim reads no longer one.
pub const REPLY_OCTETS_MAX: usize = 8191;
/// Longest text that the SMTP client is told, in octets: with the words that Postfix puts around, it fits into a reply
/// line (RFC 5321 §4.5.3.1.5).
const REASON_OCTETS_MAX: usize = 400;

/// What Dovecot says of a mechanism; Postfix picks by it (`smtpd_sasl_security_options`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// Anybody may log in.
    Anonymous,
    /// The password goes over the wire.
    PlainText,
    /// Who listens can try passwords at leisure.
    Dictionary,
    /// Who stands between can use what it sees.
    Active,
    /// One session's key opens no other.
    ForwardSecrecy,
    /// The server proves itself too.
    MutualAuth,
    /// Not to be offered.
    Private,
}

impl Property {
    fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::PlainText => "plaintext",
            Self::Dictionary => "dictionary",
            Self::Active => "active",
            Self::ForwardSecrecy => "forward-secrecy",
            Self::MutualAuth => "mutual-auth",
            Self::Private => "private",
        }
    }
}

/// A mechanism that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mechanism {
    /// Its name in capitals (RFC 4422 §3.1).
    pub name: &'static str,
    /// Its properties.
    pub properties: &'static [Property],
}

impl Mechanism {
    /// PLAIN (RFC 4616).
    pub const PLAIN: Self = Self { name: "PLAIN", properties: &[Property::PlainText] };
    /// LOGIN.
    pub const LOGIN: Self = Self { name: "LOGIN", properties: &[Property::PlainText] };
    /// CRAM-MD5 (RFC 2195).
    pub const CRAM_MD5: Self = Self { name: "CRAM-MD5", properties: &[Property::Dictionary, Property::Active] };
    /// SCRAM-SHA-256 (RFC 7677).
    pub const SCRAM_SHA_256: Self = Self { name: "SCRAM-SHA-256", properties: &[Property::MutualAuth] };
}

/// The first words of the server.
#[derive(Debug, Clone)]
pub struct Handshake<'a> {
    /// What is offered. Without any, Postfix and Exim take us for another kind of socket.
    pub mechanisms: &'a [Mechanism],
    /// Our process.
    pub pid: u32,
    /// Another number for each connection.
    pub connection: u32,
    /// Random octets, others for each connection.
    pub cookie: [u8; 16],
}

impl Handshake<'_> {
    /// `VERSION` to `DONE`. `MECH` stands before `SPID`: Postfix and Exim hang up at an `SPID` without one before it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("VERSION\t{VERSION_MAJOR}\t{VERSION_MINOR}\n").as_bytes());
        for mechanism in self.mechanisms {
            out.extend_from_slice(format!("MECH\t{}", mechanism.name).as_bytes());
            for property in mechanism.properties {
                out.extend_from_slice(format!("\t{}", property.name()).as_bytes());
            }
            out.push(b'\n');
        }
        let Self { pid, connection, cookie, .. } = self;
        let cookie = u128::from_be_bytes(*cookie);
        out.extend_from_slice(format!("SPID\t{pid}\nCUID\t{connection}\nCOOKIE\t{cookie:032x}\nDONE\n").as_bytes());
    }
}

/// Why an exchange failed, as far as the mail server may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Unknown login, wrong password, or a message that cannot be read.
    Credentials,
    /// It could not be found out. Postfix and Exim take it for a wrong password: for them, close the connection instead.
    Temporary,
    /// The password is right, but not for whom the client wants to be.
    Authorization,
    /// The account is locked.
    UserDisabled,
    /// The password is too old.
    PasswordExpired,
}

impl Failure {
    /// In the words of Dovecot 2.2 and of 2.3.
    fn parameters(self) -> &'static [u8] {
        match self {
            Self::Credentials => b"",
            Self::Temporary => b"\ttemp\tcode=temp_fail",
            Self::Authorization => b"\tauthz\tcode=authz_fail",
            Self::UserDisabled => b"\tuser_disabled\tcode=user_disabled",
            Self::PasswordExpired => b"\tpass_expired\tcode=pass_expired",
        }
    }
}

/// An answer to one request. One that is longer than [`REPLY_OCTETS_MAX`] is written as a temporary failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The login is proved; the id is free again.
    Ok {
        /// Which request.
        id: u32,
        /// Who; Postfix makes it `sasl_username`, Exim `$auth1`. Not empty.
        user: &'a str,
        /// More parameters, name and value; Exim reads 13.
        fields: &'a [(&'a str, &'a str)],
    },
    /// Not proved; the id is free again.
    Fail {
        /// Which request.
        id: u32,
        /// Who, if that is known.
        user: Option<&'a str>,
        /// Why.
        failure: Failure,
        /// What the SMTP client is told by Postfix. Never what of login and password was wrong.
        reason: Option<&'a str>,
    },
    /// The client has to respond.
    Cont {
        /// Which request.
        id: u32,
        /// The challenge, not encoded; may be empty.
        challenge: &'a [u8],
    },
}

impl Reply<'_> {
    /// One line.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let id = match *self {
            Self::Ok { id, user, fields } => {
                ok(id, user, fields, out);
                id
            }
            Self::Fail { id, user, failure, reason } => {
                fail(id, failure, out);
                user.inspect(|user| push_field("user", user, out));
                reason.inspect(|reason| push_reason(reason, out));
                id
            }
            Self::Cont { id, challenge } => {
                // The TAB stands even before nothing: Postfix and Exim take a line without it for a broken one.
                out.extend_from_slice(format!("CONT\t{id}\t{}", STANDARD.encode(challenge)).as_bytes());
                id
            }
        };
        if out.len() - start >= REPLY_OCTETS_MAX {
            out.truncate(start);
            fail(id, Failure::Temporary, out);
        }
        out.push(b'\n');
    }
}

fn ok(id: u32, user: &str, fields: &[(&str, &str)], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("OK\t{id}").as_bytes());
    push_field("user", user, out);
    for (name, value) in fields {
        push_field(name, value, out);
    }
}

fn fail(id: u32, failure: Failure, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("FAIL\t{id}").as_bytes());
    out.extend_from_slice(failure.parameters());
}

fn push_field(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b'\t');
    push_escaped(name.as_bytes(), out);
    out.push(b'=');
    push_escaped(value.as_bytes(), out);
}

fn push_reason(reason: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\treason=");
    push_printable(reason, REASON_OCTETS_MAX, out);
}
