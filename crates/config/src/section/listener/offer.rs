//! What is spoken at a listener, and what is offered there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `listener.protocol`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Mail from other servers, port 25.
    Smtp,
    /// Mail of our users, STARTTLS, port 587.
    Submission,
    /// Mail of our users, TLS from the first octet, port 465.
    Submissions,
    /// Mailboxes, port 110.
    Pop3,
    /// Mailboxes, TLS from the first octet, port 995.
    Pop3s,
    /// DRAC over UDP and TCP: other POP servers tell of logins. Who may add stands in `[relay.drac]`.
    Dracd,
    /// Postfix's policy delegation.
    Policy,
    /// Look-ups by sendmail, Postfix and Exim.
    Socketmap,
    /// sendmail's mail filter protocol.
    Milter,
    /// Dovecot's authentication protocol: SMTP AUTH of Postfix and Exim from our accounts.
    DovecotAuth,
    /// Dovecot's authentication policy over HTTP: its logins become grants, its failures count as ours do.
    AuthPolicy,
}

/// `listener.relay`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RelayMode {
    /// We decide.
    Permit,
    /// The mail server that asks decides.
    Restrict,
}

/// `listener.auth`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthOffer {
    /// No login.
    Never,
    /// Plain-text mechanisms only under TLS.
    Tls,
    /// Plain-text mechanisms in the clear too.
    Always,
}

/// `listener.tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsOffer {
    /// No STARTTLS.
    Off,
    /// STARTTLS may be used.
    Offered,
    /// Nothing is done before STARTTLS.
    Required,
}

impl Protocol {
    /// TLS from the first octet.
    pub fn implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Pop3s)
    }

    /// SMTP of any kind.
    pub fn is_smtp(self) -> bool {
        matches!(self, Self::Smtp | Self::Submission | Self::Submissions)
    }

    /// POP3 of any kind.
    pub fn is_pop3(self) -> bool {
        matches!(self, Self::Pop3 | Self::Pop3s)
    }

    /// An interface for other mail servers: no client of ours, and believed in what it tells.
    pub fn is_interface(self) -> bool {
        !self.is_smtp() && !self.is_pop3()
    }

    /// Mail of our users.
    pub fn is_submission(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }

    /// When a login is offered if nothing is said of it.
    pub(super) fn default_auth(self) -> AuthOffer {
        if self == Self::Smtp { AuthOffer::Never } else { AuthOffer::Tls }
    }

    /// As it is written in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Dracd => "dracd",
            Self::Policy => "policy",
            Self::Socketmap => "socketmap",
            Self::Milter => "milter",
            Self::DovecotAuth => "dovecot-auth",
            Self::AuthPolicy => "auth-policy",
        }
    }
}
