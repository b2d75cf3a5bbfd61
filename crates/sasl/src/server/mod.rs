//! One exchange as the server sees it: bytes and answers go in, the next step comes out.
//!
//! The caller strips base64, looks accounts up, verifies plain-text passwords (on a blocking thread), and counts failures.
//! Whatever goes wrong ends this exchange and nothing else (T44); once over, it stays over.

mod plain;
mod scram;

use crate::prepare::{self, MESSAGE_OCTETS_MAX, Unfit};
use crate::scram::Keys;
use crate::stored::answers_cram_md5;
use crate::{Mechanism, SecretBytes, SecretKind, StoredSecret, cram, hash};

/// What an exchange has to know of its surroundings.
#[derive(Clone)]
pub struct Context {
    /// Our name, for the challenge of CRAM-MD5.
    pub hostname: String,
    /// The `tls-exporter` octets of this connection (RFC 9266); `None` without TLS.
    pub channel_binding: Option<Vec<u8>>,
    /// Whether SCRAM-SHA-256-PLUS was offered on this connection: a client that says it was not is being lied to.
    pub plus_offered: bool,
    /// Fresh random octets, never used twice.
    pub nonce: [u8; 24],
    /// Now.
    pub unix_secs: u64,
    /// A secret of this server, the same after a restart, by which a login without keys gets a salt of its own.
    pub decoy_key: [u8; 32],
}

/// What the caller must do now.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Send this and wait for [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// Verify this password and tell by [`Exchange::password_checked`].
    NeedPassword {
        /// Whom to act as: empty, or the login itself; anything else has been refused already.
        authzid: String,
        /// Who says so.
        login: String,
        /// With what; fit to be tried ([`prepare::password`]).
        password: SecretBytes,
    },
    /// Look the stored secrets up and hand them to [`Exchange::secret`].
    NeedSecret {
        /// Whose.
        login: String,
        /// Which.
        kind: SecretKind,
    },
    /// The login is proved.
    Done {
        /// As the client wrote it.
        login: String,
        /// To be sent as one more challenge, answered by an empty response, before the success (RFC 4422 §3.6).
        last: Option<Vec<u8>>,
    },
    /// It is over, without success.
    Failed(Failure),
}

/// What the caller found of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// It is the login's.
    Right,
    /// It is not, or there is no such login.
    Wrong,
}

/// Why an exchange failed. The client learns [`Failure::Denied`] alike for an unknown login and for a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The message does not have the form of its mechanism.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// The message is longer than [`MESSAGE_OCTETS_MAX`].
    #[error("message too long")]
    TooLong,
    /// The login cannot be one.
    #[error("login: {0}")]
    Login(Unfit),
    /// The password cannot be one; the empty one among them (T13).
    #[error("password: {0}")]
    Password(Unfit),
    /// Unknown login, wrong password, wrong proof.
    #[error("not proved")]
    Denied,
    /// The client wants to act as somebody else.
    #[error("may not act as another")]
    OtherAuthzid,
    /// Channel binding is missing, of another type, or of another channel: somebody may be in between.
    #[error("channel binding does not fit")]
    ChannelBinding,
    /// The client was made to believe that -PLUS was not offered (RFC 5802 §6).
    #[error("downgrade of channel binding")]
    Downgrade,
    /// The caller gave an input that was not due.
    #[error("input out of order")]
    OutOfOrder,
}

impl Failure {
    /// Whether the client's syntax is at fault (501, 500), and not its right (535).
    pub const fn is_syntax(self) -> bool {
        matches!(self, Self::Malformed(_) | Self::TooLong | Self::OutOfOrder)
    }
}

impl From<Failure> for Step {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What is awaited, with just what is known by then.
enum State {
    Start,
    PlainMessage,
    LoginName,
    LoginPassword { login: String },
    PasswordVerdict { login: String },
    CramResponse { challenge: String },
    CramSecret { challenge: String, login: String, digest: [u8; 16] },
    ScramFirst,
    ScramSecret(scram::First),
    ScramFinal(scram::Final),
    Over,
}

/// One authentication, from `AUTH` to its end.
pub struct Exchange {
    mechanism: Mechanism,
    context: Context,
    state: State,
}

impl Exchange {
    /// Nothing happens before [`Exchange::start`].
    pub fn new(mechanism: Mechanism, context: Context) -> Self {
        Self { mechanism, context, state: State::Start }
    }

    /// The mechanism of this exchange.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Begins. `initial` is the initial response if there was one; an empty one (`=` in SMTP) is `Some(b"")`.
    pub fn start(&mut self, initial: Option<&[u8]>) -> Step {
        let state = std::mem::replace(&mut self.state, State::Over);
        if !matches!(state, State::Start) {
            return Failure::OutOfOrder.into();
        }
        match (self.mechanism, initial) {
            (Mechanism::CramMd5, None) => self.challenge_cram(),
            (Mechanism::CramMd5, Some(_)) => Failure::Malformed("initial response, where CRAM-MD5 has none").into(),
            (mechanism, initial) => {
                let (state, challenge) = match mechanism {
                    Mechanism::Plain => (State::PlainMessage, &b""[..]),
                    Mechanism::Login => (State::LoginName, &b"Username:"[..]),
                    _ => (State::ScramFirst, &b""[..]),
                };
                self.state = state;
                initial.map_or_else(|| Step::Challenge(challenge.to_vec()), |initial| self.respond(initial))
            }
        }
    }

    /// Takes the client's response.
    pub fn respond(&mut self, response: &[u8]) -> Step {
        let state = std::mem::replace(&mut self.state, State::Over);
        if response.len() > MESSAGE_OCTETS_MAX {
            return Failure::TooLong.into();
        }
        self.turn(state, response).unwrap_or_else(Step::Failed)
    }

    /// Takes the caller's verdict on [`Step::NeedPassword`].
    pub fn password_checked(&mut self, verdict: PasswordVerdict) -> Step {
        match (std::mem::replace(&mut self.state, State::Over), verdict) {
            (State::PasswordVerdict { login }, PasswordVerdict::Right) => Step::Done { login, last: None },
            (State::PasswordVerdict { .. }, PasswordVerdict::Wrong) => Failure::Denied.into(),
            _ => Failure::OutOfOrder.into(),
        }
    }

    /// Takes what was found for [`Step::NeedSecret`]; `None` or nothing fitting goes on as if there were a secret, and fails
    /// at the end like a wrong one. `login` is the one that was asked for, in the one form that its short and its full name
    /// have in common: a decoy must not tell them apart where a genuine secret would not.
    pub fn secret(&mut self, login: &str, found: Option<Vec<StoredSecret>>) -> Step {
        let (known_as, found) = (login, found.unwrap_or_default());
        match std::mem::replace(&mut self.state, State::Over) {
            State::CramSecret { challenge, login, digest } => {
                if answers_cram_md5(&found, challenge.as_bytes(), &digest) {
                    Step::Done { login, last: None }
                } else {
                    Failure::Denied.into()
                }
            }
            State::ScramSecret(first) => self.answer_scram(first, known_as, found),
            _ => Failure::OutOfOrder.into(),
        }
    }

    fn turn(&mut self, state: State, response: &[u8]) -> Result<Step, Failure> {
        match state {
            State::PlainMessage => {
                let message = plain::Message::parse(response)?;
                let login = message.login.to_owned();
                self.ask_password(login, message.password, message.authzid.to_owned())
            }
            State::LoginName => {
                let login = prepare::login(response).map_err(Failure::Login)?.to_owned();
                self.state = State::LoginPassword { login };
                Ok(Step::Challenge(b"Password:".to_vec()))
            }
            State::LoginPassword { login } => self.ask_password(login, response, String::new()),
            State::CramResponse { challenge } => self.take_cram(challenge, response),
            State::ScramFirst => {
                let first = scram::First::read(response, &self.context, self.mechanism)?;
                let step = Step::NeedSecret { login: first.login().to_owned(), kind: SecretKind::ScramSha256 };
                self.state = State::ScramSecret(first);
                Ok(step)
            }
            State::ScramFinal(last) => last.judge(response),
            _ => Err(Failure::OutOfOrder),
        }
    }

    fn ask_password(&mut self, login: String, password: &[u8], authzid: String) -> Result<Step, Failure> {
        let password = SecretBytes::from(prepare::password(password).map_err(Failure::Password)?);
        self.state = State::PasswordVerdict { login: login.clone() };
        Ok(Step::NeedPassword { authzid, login, password })
    }

    fn challenge_cram(&mut self) -> Step {
        let challenge = cram::challenge(&self.context.nonce, self.context.unix_secs, &self.context.hostname);
        let step = Step::Challenge(challenge.clone().into_bytes());
        self.state = State::CramResponse { challenge };
        step
    }

    /// `login SP digest`; the login may have blanks in it (RFC 2195 §2).
    fn take_cram(&mut self, challenge: String, response: &[u8]) -> Result<Step, Failure> {
        let malformed = Failure::Malformed("CRAM-MD5 response");
        let blank = response.iter().rposition(|octet| *octet == b' ').ok_or(malformed)?;
        let digest = hash::unhex(&response[blank + 1..]).ok_or(malformed)?;
        let login = prepare::login(&response[..blank]).map_err(Failure::Login)?.to_owned();
        let step = Step::NeedSecret { login: login.clone(), kind: SecretKind::CramMd5 };
        self.state = State::CramSecret { challenge, login, digest };
        Ok(step)
    }

    fn answer_scram(&mut self, first: scram::First, known_as: &str, found: Vec<StoredSecret>) -> Step {
        let genuine = found.into_iter().find_map(|secret| match secret {
            StoredSecret::ScramSha256(keys) => Some(keys),
            StoredSecret::Clear(_) => None,
        });
        let known = genuine.is_some();
        let keys = genuine.unwrap_or_else(|| Keys::decoy(known_as, &self.context.decoy_key));
        let (challenge, last) = first.answer(&self.context, scram::Answering { keys, known });
        self.state = State::ScramFinal(last);
        Step::Challenge(challenge)
    }
}

/// An identity to act as is allowed only where it is the login itself: sessions here act as who they are.
fn check_authzid(authzid: &str, login: &str) -> Result<(), Failure> {
    if authzid.is_empty() || authzid.eq_ignore_ascii_case(login) { Ok(()) } else { Err(Failure::OtherAuthzid) }
}

#[cfg(test)]
mod tests;
