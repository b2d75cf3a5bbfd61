//! The server's two turns of SCRAM-SHA-256 and -PLUS (RFC 5802 §5).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::{Context, Failure, Step, check_authzid};
use crate::scram::Keys;
use crate::scram::message::{Binding, ClientFinal, ClientFirst};
use crate::{Mechanism, prepare};

/// The only channel binding there is here (RFC 9266).
const BINDING_TYPE: &str = "tls-exporter";

/// After client-first: the keys are being looked up.
pub(super) struct First {
    login: String,
    bare: String,
    client_nonce: String,
    /// What `c=` must hold in client-final.
    channel_binding: Vec<u8>,
}

impl First {
    pub(super) fn read(message: &[u8], context: &Context, mechanism: Mechanism) -> Result<Self, Failure> {
        let first = ClientFirst::parse(message).ok_or(Failure::Malformed("SCRAM client-first-message"))?;
        prepare::login(first.login.as_bytes()).map_err(Failure::Login)?;
        check_authzid(&first.authzid, &first.login)?;
        let mut channel_binding = first.gs2_header.as_bytes().to_vec();
        channel_binding.extend_from_slice(binding_data(first.binding, context, mechanism)?);
        let (bare, client_nonce) = (first.bare.to_owned(), first.nonce.to_owned());
        Ok(Self { login: first.login, bare, client_nonce, channel_binding })
    }

    pub(super) fn login(&self) -> &str {
        &self.login
    }

    /// server-first. Only one secret can be answered with, since its salt goes out here.
    pub(super) fn answer(self, context: &Context, answering: Answering) -> (Vec<u8>, Final) {
        let Answering { keys, known } = answering;
        let nonce = format!("{}{}", self.client_nonce, STANDARD.encode(context.nonce));
        let server_first = format!("r={nonce},s={},i={}", STANDARD.encode(keys.salt()), keys.iterations());
        (server_first.clone().into_bytes(), Final { first: self, server_first, nonce, keys, known })
    }
}

/// With what a client-first is answered.
pub(super) struct Answering {
    pub(super) keys: Keys,
    /// Whether the keys are somebody's, and no decoy.
    pub(super) known: bool,
}

/// After server-first: the proof is awaited.
pub(super) struct Final {
    first: First,
    server_first: String,
    nonce: String,
    keys: Keys,
    /// Whether the keys are somebody's. Without it a decoy would have to be trusted to fit nothing.
    known: bool,
}

impl Final {
    pub(super) fn judge(self, message: &[u8]) -> Result<Step, Failure> {
        let last = ClientFinal::parse(message).ok_or(Failure::Malformed("SCRAM client-final-message"))?;
        if last.nonce != self.nonce {
            return Err(Failure::Malformed("SCRAM nonce"));
        }
        if !bool::from(last.channel_binding.ct_eq(&self.first.channel_binding)) {
            return Err(Failure::ChannelBinding);
        }
        let auth_message: [&[u8]; 5] =
            [self.first.bare.as_bytes(), b",", self.server_first.as_bytes(), b",", last.without_proof.as_bytes()];
        if !self.keys.proves(&auth_message, &last.proof) || !self.known {
            return Err(Failure::Denied);
        }
        let verifier = format!("v={}", STANDARD.encode(self.keys.server_signature(&auth_message)));
        Ok(Step::Done { login: self.first.login, last: Some(verifier.into_bytes()) })
    }
}

/// The channel's own octets that the client must know; and whether what it says of the channel can be (RFC 5802 §6).
fn binding_data<'a>(said: Binding<'_>, context: &'a Context, mechanism: Mechanism) -> Result<&'a [u8], Failure> {
    match (mechanism, said) {
        (Mechanism::ScramSha256Plus, Binding::Used(BINDING_TYPE)) => {
            context.channel_binding.as_deref().filter(|data| !data.is_empty()).ok_or(Failure::ChannelBinding)
        }
        (Mechanism::ScramSha256, Binding::NotOffered) if context.plus_offered => Err(Failure::Downgrade),
        (Mechanism::ScramSha256, Binding::NotOffered | Binding::Unsupported) => Ok(&[]),
        _ => Err(Failure::ChannelBinding),
    }
}
