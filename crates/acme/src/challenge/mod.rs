//! Showing the authority that a name is ours, for as long as it asks (RFC 8555 §8, RFC 8737).

mod hook;
mod http;
mod tls;
mod webroot;

use std::net::SocketAddr;

use config::AcmeProof;
use instant_acme::{ChallengeType, KeyAuthorization};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::AcmeError;

/// Connections at a time, at each address; more are closed at once.
const CONNECTIONS_MAX: usize = 16;

/// What the authority wants to see.
pub(crate) struct Wanted {
    /// The name that shall be ours.
    pub(crate) name: String,
    /// Names the answer, for HTTP.
    pub(crate) token: String,
    /// The answer.
    pub(crate) answer: KeyAuthorization,
}

/// It is to be seen as long as this is there. To be ended by [`Standing::clear`].
pub(crate) enum Standing {
    /// Answered by tasks of ours, which end with it.
    Served { _tasks: JoinSet<()> },
    /// In a file.
    File(webroot::Answer),
    /// In DNS.
    Record(hook::Record),
}

/// The kind of challenge that a proof is for.
pub(crate) fn kind(proof: &AcmeProof) -> ChallengeType {
    match proof {
        AcmeProof::Http(_) | AcmeProof::Webroot(_) => ChallengeType::Http01,
        AcmeProof::TlsAlpn(_) => ChallengeType::TlsAlpn01,
        AcmeProof::Hook(_) => ChallengeType::Dns01,
    }
}

/// Puts it up.
pub(crate) async fn stand(proof: &AcmeProof, wanted: &Wanted) -> Result<Standing, AcmeError> {
    match proof {
        AcmeProof::Http(addresses) => {
            let answer = http::Answer::new(wanted);
            let serve = |listener| http::serve(listener, answer.clone());
            Ok(Standing::Served { _tasks: tasks(listen_at(addresses)?, serve) })
        }
        AcmeProof::TlsAlpn(addresses) => {
            let acceptor = tls::acceptor(wanted)?;
            let serve = |listener| tls::serve(listener, acceptor.clone());
            Ok(Standing::Served { _tasks: tasks(listen_at(addresses)?, serve) })
        }
        AcmeProof::Webroot(root) => webroot::Answer::write(root, wanted).await.map(Standing::File),
        AcmeProof::Hook(command) => hook::Record::publish(command, wanted).await.map(Standing::Record),
    }
}

impl Standing {
    /// Takes it down. What cannot be taken down is told, and harms nobody.
    pub(crate) async fn clear(self) {
        match self {
            Self::Served { .. } => {}
            Self::File(answer) => answer.remove(),
            Self::Record(record) => record.remove().await,
        }
    }
}

fn tasks<T: Future<Output = ()> + Send + 'static>(
    listeners: Vec<TcpListener>,
    serve: impl Fn(TcpListener) -> T,
) -> JoinSet<()> {
    listeners.into_iter().map(serve).collect()
}

/// At those of the addresses that this machine has; at none is a failure.
fn listen_at(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, AcmeError> {
    let (mut listeners, mut refused) = (Vec::new(), Vec::new());
    for address in addresses {
        match listen::socket::listen(*address) {
            Ok(listener) => listeners.push(listener),
            Err(error) => refused.push(format!("{address}: {error}")),
        }
    }
    if listeners.is_empty() {
        let why = refused.join("; ");
        return Err(AcmeError::Here(format!("the authority cannot be answered, as nothing can listen at {why}")));
    }
    if !refused.is_empty() {
        tracing::debug!(why = refused.join("; "), "address unused");
    }
    Ok(listeners)
}
