//! One exchange as the client sees it: how we prove ourselves to a smarthost.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::prepare::{self, MESSAGE_OCTETS_MAX, Unfit};
use crate::scram::message::{ServerFinal, ServerFirst, encode_name};
use crate::scram::{ITERATIONS_MIN, Salted};
use crate::{Mechanism, SecretBytes, cram};

/// Who we are to the server.
#[derive(Clone, Debug)]
pub struct Credentials {
    login: String,
    password: SecretBytes,
    only: Option<Mechanism>,
}

impl Credentials {
    /// `Err` if login or password can never be right ([`prepare`]).
    pub fn new(login: &str, password: &[u8]) -> Result<Self, Unfit> {
        let login = prepare::login(login.as_bytes())?.to_owned();
        Ok(Self { login, password: prepare::password(password)?.into(), only: None })
    }

    /// The same, to be proved by this mechanism and no other.
    #[must_use]
    pub fn only_by(self, mechanism: Mechanism) -> Self {
        Self { only: Some(mechanism), ..self }
    }

    /// Whether they may be proved by this mechanism.
    pub fn allow(&self, mechanism: Mechanism) -> bool {
        self.only.is_none_or(|only| only == mechanism)
    }

    /// The login.
    pub fn login(&self) -> &str {
        &self.login
    }
}

/// What we can say of the channel in SCRAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// There is no TLS, or no exporter: `n`.
    Unsupported,
    /// We could, but the server offers no -PLUS: `y`, so that it notices if somebody took the offer away.
    NotOffered,
    /// The `tls-exporter` octets of this connection, for -PLUS.
    TlsExporter(Vec<u8>),
}

/// Why we could not prove ourselves, or must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server's challenge does not have the form of the mechanism.
    #[error("malformed challenge: {0}")]
    Malformed(&'static str),
    /// The server asks for fewer iterations than are safe, or did not prove that it knows our secret.
    #[error("the server is not what it should be: {0}")]
    Distrust(&'static str),
    /// The server said within SCRAM that it does not accept our proof.
    #[error("denied")]
    Denied,
    /// A challenge or an end that was not due.
    #[error("challenge out of order")]
    OutOfOrder,
    /// -PLUS without channel binding, or channel binding without -PLUS.
    #[error("mechanism and channel binding do not go together")]
    ChannelBinding,
}

/// The strongest mechanism that both sides have. `offered` are the words after `AUTH`; plain-text mechanisms are taken only
/// if `plaintext` allows it, -PLUS only with `TlsExporter`.
pub fn choose<'a>(
    offered: impl IntoIterator<Item = &'a str>,
    binding: &ChannelBinding,
    plaintext: Plaintext,
) -> Option<Mechanism> {
    let bound = matches!(binding, ChannelBinding::TlsExporter(_));
    let usable = |mechanism: &Mechanism| match mechanism {
        Mechanism::ScramSha256Plus => bound,
        mechanism => !mechanism.is_plaintext() || plaintext == Plaintext::Allowed,
    };
    // The order of the enum is the order of strength.
    offered.into_iter().filter_map(Mechanism::parse).filter(usable).min()
}

/// Whether the password may travel in clear: under TLS with a verified name it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    /// It may.
    Allowed,
    /// It may not.
    Refused,
}

enum State {
    Plain,
    LoginName,
    LoginPassword,
    Cram,
    ScramFirst,
    ScramServerFirst {
        bare: String,
        nonce: String,
    },
    ScramServerFinal {
        signature: [u8; 32],
    },
    /// Nothing more to be said; success may come.
    Said,
    Over,
}

/// One authentication of ours.
pub struct Exchange {
    credentials: Credentials,
    binding: ChannelBinding,
    nonce: [u8; 24],
    mechanism: Mechanism,
    state: State,
}

impl Exchange {
    /// `nonce` is fresh random. -PLUS goes with [`ChannelBinding::TlsExporter`]; for SCRAM without -PLUS it is taken as
    /// [`ChannelBinding::NotOffered`].
    pub fn new(mechanism: Mechanism, credentials: Credentials, binding: ChannelBinding, nonce: [u8; 24]) -> Self {
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginName,
            Mechanism::CramMd5 => State::Cram,
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => State::ScramFirst,
        };
        Self { credentials, binding, nonce, mechanism, state }
    }

    /// The initial response, if the mechanism has one: to be sent with `AUTH`, or kept for the first, empty challenge,
    /// when it would be too long for the command line. LOGIN speaks second, since not every server takes its name early.
    pub fn initial(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain => {
                self.state = State::Said;
                Ok(Some(self.plain()))
            }
            State::ScramFirst => self.client_first().map(Some),
            state @ (State::LoginName | State::Cram) => {
                self.state = state;
                Ok(None)
            }
            _ => Err(Failure::OutOfOrder),
        }
    }

    /// Answers a challenge.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Failure> {
        if challenge.len() > MESSAGE_OCTETS_MAX {
            self.state = State::Over;
            return Err(Failure::Malformed("too long"));
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::LoginName => {
                self.state = State::LoginPassword;
                Ok(self.credentials.login.clone().into_bytes())
            }
            State::LoginPassword => {
                self.state = State::Said;
                Ok(self.credentials.password.expose().to_vec())
            }
            State::Cram => {
                self.state = State::Said;
                let digest = cram::digest(challenge, self.credentials.password.expose());
                Ok(format!("{} {digest}", self.credentials.login).into_bytes())
            }
            State::ScramServerFirst { bare, nonce } => self.client_final(&bare, &nonce, challenge),
            State::ScramServerFinal { signature } => self.check_server(&signature, challenge),
            _ => Err(Failure::OutOfOrder),
        }
    }

    /// The server says success: believe it? `last` is what came with it, where the protocol allows that (not SMTP, POP3).
    /// In SCRAM a server that did not prove itself is not believed.
    pub fn succeeded(&mut self, last: Option<&[u8]>) -> Result<(), Failure> {
        match (std::mem::replace(&mut self.state, State::Over), last) {
            (State::Said, None) => Ok(()),
            (State::ScramServerFinal { signature }, Some(last)) => self.check_server(&signature, last).map(drop),
            (State::ScramServerFinal { .. }, None) => Err(Failure::Distrust("success without its signature")),
            _ => Err(Failure::OutOfOrder),
        }
    }

    fn plain(&self) -> Vec<u8> {
        let (login, password) = (self.credentials.login.as_bytes(), self.credentials.password.expose());
        let mut message = Vec::with_capacity(login.len() + password.len() + 2);
        message.push(0);
        message.extend_from_slice(login);
        message.push(0);
        message.extend_from_slice(password);
        message
    }

    fn gs2_header(&self) -> Result<&'static str, Failure> {
        match (self.mechanism, &self.binding) {
            (Mechanism::ScramSha256Plus, ChannelBinding::TlsExporter(_)) => Ok("p=tls-exporter,,"),
            (Mechanism::ScramSha256Plus, _) => Err(Failure::ChannelBinding),
            (_, ChannelBinding::Unsupported) => Ok("n,,"),
            (_, ChannelBinding::NotOffered | ChannelBinding::TlsExporter(_)) => Ok("y,,"),
        }
    }

    fn client_first(&mut self) -> Result<Vec<u8>, Failure> {
        let nonce = STANDARD.encode(self.nonce);
        let bare = format!("n={},r={nonce}", encode_name(&self.credentials.login));
        let message = format!("{}{bare}", self.gs2_header()?).into_bytes();
        self.state = State::ScramServerFirst { bare, nonce };
        Ok(message)
    }

    fn client_final(&mut self, bare: &str, nonce: &str, challenge: &[u8]) -> Result<Vec<u8>, Failure> {
        let first = ServerFirst::parse(challenge).ok_or(Failure::Malformed("SCRAM server-first-message"))?;
        if !first.nonce.starts_with(nonce) || first.nonce.len() <= nonce.len() {
            return Err(Failure::Distrust("nonce is not ours"));
        }
        if first.iterations < ITERATIONS_MIN {
            return Err(Failure::Distrust("too few iterations"));
        }
        let mut channel = self.gs2_header()?.as_bytes().to_vec();
        if let (Mechanism::ScramSha256Plus, ChannelBinding::TlsExporter(data)) = (self.mechanism, &self.binding) {
            channel.extend_from_slice(data);
        }
        let without_proof = format!("c={},r={}", STANDARD.encode(channel), first.nonce);
        let auth_message: [&[u8]; 5] = [bare.as_bytes(), b",", challenge, b",", without_proof.as_bytes()];
        let salted = Salted::new(self.credentials.password.expose(), &first.salt, first.iterations);
        let proof = STANDARD.encode(salted.proof(&auth_message));
        self.state = State::ScramServerFinal { signature: salted.server_signature(&auth_message) };
        Ok(format!("{without_proof},p={proof}").into_bytes())
    }

    fn check_server(&mut self, signature: &[u8; 32], last: &[u8]) -> Result<Vec<u8>, Failure> {
        match ServerFinal::parse(last).ok_or(Failure::Malformed("SCRAM server-final-message"))? {
            ServerFinal::Error(_) => Err(Failure::Denied),
            ServerFinal::Verifier(given) if bool::from(given.ct_eq(signature)) => {
                self.state = State::Said;
                Ok(Vec::new())
            }
            ServerFinal::Verifier(_) => Err(Failure::Distrust("signature is wrong")),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
