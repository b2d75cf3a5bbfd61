//! AUTH towards a smarthost: the strongest mechanism that both sides have, the password itself only where the host's
//! name is proved.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sasl::Mechanism;
use sasl::client::{ChannelBinding, Credentials, Exchange, Plaintext, choose};
use smtp::client::{Event, Response};

use super::{Link, LinkError, Protection};

/// A longer initial response is kept for the first challenge: the command line holds 512 octets (RFC 4954 §4).
const INITIAL_OCTETS_MAX: usize = 400;
/// Challenges of one login.
const CHALLENGES_MAX: usize = 8;

/// Why we are not logged in. No secret is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    #[error("no usable mechanism among {offered:?}{}", if *.proved { "" } else { " without a proved host" })]
    NoMechanism { offered: Vec<String>, proved: bool },
    #[error("{0}")]
    Refused(Response),
    #[error(transparent)]
    Exchange(#[from] sasl::client::Failure),
    #[error("a challenge is not base64")]
    NotBase64,
    #[error("more challenges than any mechanism has")]
    TooMany,
    #[error("no random numbers")]
    Random,
}

/// Proves who we are.
pub(super) async fn log_in(link: &mut Link, credentials: &Credentials) -> Result<(), LinkError> {
    let offered = link.capabilities().auth.clone();
    let proved = matches!(link.protection(), Protection::Proved(_));
    let binding = binding(link.protection(), &offered);
    let plaintext = if proved { Plaintext::Allowed } else { Plaintext::Refused };
    let allowed = |name: &&str| Mechanism::parse(name).is_some_and(|mechanism| credentials.allow(mechanism));
    let mechanism = choose(offered.iter().map(String::as_str).filter(allowed), &binding, plaintext)
        .ok_or(LoginError::NoMechanism { offered, proved })?;
    let mut nonce = [0; 24];
    getrandom::fill(&mut nonce).map_err(|_| LoginError::Random)?;
    converse(link, mechanism, Exchange::new(mechanism, credentials.clone(), binding, nonce)).await
}

fn binding(protection: &Protection, offered: &[String]) -> ChannelBinding {
    match protection {
        Protection::Proved(Some(exporter)) if offered.iter().any(|name| name == "SCRAM-SHA-256-PLUS") => {
            ChannelBinding::TlsExporter(exporter.clone())
        }
        Protection::Proved(Some(_)) => ChannelBinding::NotOffered,
        _ => ChannelBinding::Unsupported,
    }
}

async fn converse(link: &mut Link, mechanism: Mechanism, mut exchange: Exchange) -> Result<(), LinkError> {
    let initial = exchange.initial().map_err(LoginError::from)?.map(|octets| STANDARD.encode(octets));
    let (mut kept, sent) = match initial {
        Some(text) if text.len() > INITIAL_OCTETS_MAX => (Some(text), None),
        other => (None, other),
    };
    let (session, wire) = link.session();
    session.auth(mechanism.name(), sent.as_deref(), wire)?;
    for _ in 0..CHALLENGES_MAX {
        let challenge = match link.next_event().await? {
            Event::AuthChallenge(text) => text,
            Event::Authenticated => return Ok(exchange.succeeded(None).map_err(LoginError::from)?),
            Event::AuthRefused(response) | Event::Closing(response) => return Err(LoginError::Refused(response).into()),
            _ => return Err(LoginError::TooMany.into()),
        };
        let answer = match kept.take() {
            Some(initial) => Ok(initial),
            None => answer(&mut exchange, &challenge),
        };
        let (session, wire) = link.session();
        session.auth_respond(answer.as_deref().ok(), wire)?;
        if let Err(error) = answer {
            // The server's answer to "*" is of no interest: the connection is given up.
            return Err(error.into());
        }
    }
    Err(LoginError::TooMany.into())
}

fn answer(exchange: &mut Exchange, challenge: &str) -> Result<String, LoginError> {
    let octets = STANDARD.decode(challenge.trim()).map_err(|_| LoginError::NotBase64)?;
    Ok(STANDARD.encode(exchange.respond(&octets)?))
}
