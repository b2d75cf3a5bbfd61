//! DRAC: POP servers tell of logins, over UDP and TCP.
//!
//! `desk` decides who may, `datagrams` and `stream` speak the protocol with anything that answers like one, `portmapper`
//! lets clients find us. Here is the desk of the running server, which goes by the configuration in force at each add.

pub mod datagrams;
pub mod desk;
pub mod portmapper;
pub mod rates;
pub mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use drac::AddResult;
use guard::{PopSource, Subject};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tracing::{debug, info};

use self::desk::{Asked, Callers, Desk, Refusal};
use super::{Connection, Served};
use crate::border::Border;
use crate::site::Site;
use config::Protocol;
use judge::evidence::{Recorded, Recorder, ToldLogin};
use judge::{SessionId, Terms};
use listen::Link;

/// Serves one connection.
pub async fn serve(connection: &Connection, link: Link) -> Served {
    let desk = Service {
        border: Arc::clone(&connection.border),
        session: connection.session,
        connection: Some(connection.clone()),
    };
    stream::serve(link, &desk, connection.peer).await
}

/// Serves datagrams until the server ends.
pub async fn serve_datagrams(socket: UdpSocket, border: Arc<Border>, stop: watch::Receiver<bool>) {
    let session = border.sources.sessions.next();
    datagrams::serve(socket, Arc::new(Service { border, session, connection: None }), stop).await;
}

/// The running server's desk.
struct Service {
    border: Arc<Border>,
    session: SessionId,
    /// `None` for datagrams. A connection may be older than the configuration.
    connection: Option<Connection>,
}

impl Service {
    fn is_closed(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.in_force().is_none())
    }
}

impl Desk for Service {
    async fn settle(&self, adds: Vec<Asked>) -> Vec<AddResult> {
        if self.is_closed() {
            return vec![AddResult::SystemError; adds.len()];
        }
        let terms = Arc::clone(&self.border.site.load().terms);
        let now = SystemTime::now();
        let mut told = Vec::with_capacity(adds.len());
        let checked: Vec<Result<(), Refusal>> = adds.iter().map(|asked| self.check(&terms, asked, now)).collect();
        for (asked, checked) in adds.iter().zip(&checked) {
            match checked {
                Ok(()) => told.push(ToldLogin {
                    client: asked.address,
                    subject: Subject::Server(asked.peer),
                    source: PopSource::Drac,
                    proved: None,
                }),
                Err(refusal) => self.tell_refused(asked, *refusal),
            }
        }
        let recorder = Recorder { sources: &self.border.sources, terms: &terms, session: self.session };
        let mut answers = recorder.record_all(&told).await.into_iter();
        let result = |checked: Result<(), Refusal>| match checked {
            // One for each that was checked.
            Ok(()) => answers.next().map_or(AddResult::SystemError, |recorded| result_of(&recorded)),
            Err(refusal) => refusal.result(),
        };
        let results: Vec<AddResult> = checked.into_iter().map(result).collect();
        for (asked, result) in adds.iter().zip(&results) {
            debug!(session = %self.session, client = %asked.address, server = %asked.peer, ?result, "drac add");
        }
        results
    }
}

impl Service {
    fn check(&self, terms: &Terms, asked: &Asked, now: SystemTime) -> Result<(), Refusal> {
        let drac = &terms.settings.relay.drac;
        let callers = Callers { allow: &terms.outside.allow, udp_from_others: drac.udp_from_others };
        callers.check(asked)?;
        if !self.border.drac_rates.admits(asked.peer, drac.adds_per_second, now) {
            return Err(Refusal::TooMany);
        }
        Ok(())
    }

    fn tell_refused(&self, asked: &Asked, refusal: Refusal) {
        let Asked { peer, address, .. } = asked;
        info!(session = %self.session, client = %address, server = %peer, cause = %refusal, "drac refused");
    }
}

fn result_of(recorded: &Recorded) -> AddResult {
    match recorded {
        Recorded::Counts => AddResult::Succeeded,
        Recorded::Off => AddResult::PermissionDenied,
        Recorded::Never(_) | Recorded::Ended | Recorded::Failed(_) => AddResult::SystemError,
    }
}

/// Where this configuration listens for DRAC.
pub(crate) fn bound(site: &Site) -> Vec<SocketAddr> {
    let ours = site.listeners.iter().filter(|listener| listener.settings.protocol == Protocol::Dracd);
    ours.flat_map(|listener| listener.settings.bind.iter().copied()).collect()
}
