//! The stand-alone server: evidence, its file, and DRAC over UDP and TCP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bdb::Kind;
use drac::AddResult;
use drac::allow::Allow;
use drac::portmap::Ports;
use guard::never_granted::{Loopback, NeverGranted};
use guard::{PopSource, Subject};
use state::{PopLogin, Revoke, State, StateError};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, error, info, warn};

use super::super::args::Dracd;
use super::super::fault::Fault;
use super::{state_dir, temporary};
use judge::outside;
use listen::socket;
use serve::interfaces::dracd::desk::{Asked, Callers, Desk, Refusal};
use serve::interfaces::dracd::portmapper::Registration;
use serve::interfaces::dracd::rates::Rates;
use serve::interfaces::dracd::{datagrams, stream};
use witness::export::{Exporter, Target, Written};

/// How long a reply waits for the file.
const FILE_WAIT: Duration = Duration::from_secs(1);
/// Connections at once. Nearly every client comes by UDP.
const CONNECTIONS_MAX: usize = 1_000;
/// When the system gives no connection.
const PAUSE: Duration = Duration::from_millis(100);

/// What the command line comes to.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) address: SocketAddr,
    pub(super) allow: Allow,
    pub(super) args: Dracd,
}

/// It runs.
pub(super) struct Server {
    state: Arc<State>,
    exporter: Exporter,
    registration: Option<Registration>,
    stop: watch::Sender<bool>,
    serving: JoinSet<()>,
}

impl Server {
    /// Opens everything and listens; clients find it when this returns.
    pub(super) async fn start(setup: Setup) -> Result<Self, Fault> {
        let Setup { address, allow, args } = setup;
        let dir = state_dir(&args.database);
        let state = State::open(&dir).map_err(|error| temporary("evidence", error))?;
        if args.empty {
            state.revoke(Revoke::All).await.map_err(|error| temporary("emptying", error))?;
        }
        let state = Arc::new(state);
        let (udp, tcp, ports) = bind(address).map_err(|error| temporary(&address.to_string(), error))?;
        let target = Target { kind: if args.hash { Kind::Hash } else { Kind::Btree }, path: args.database.clone() };
        let exporter =
            Exporter::start(target, Arc::clone(&state)).await.map_err(|error| temporary("database", error))?;
        if !address.ip().to_canonical().is_loopback() {
            warn!(%address, note = "adds over UDP are believed by their source address: only where nobody forges it", "source unverified");
        }
        let desk = Arc::new(Alone {
            allow,
            never: NeverGranted::of(
                if args.grant_loopback { Loopback::Granted } else { Loopback::Refused },
                &tokio::task::spawn_blocking(outside::here).await.unwrap_or_default(),
            ),
            rates: Rates::default(),
            adds_per_second: args.adds_per_second,
            lifetime: Duration::from_mins(args.minutes.into()),
            written: exporter.written(),
            state: Arc::clone(&state),
        });
        let (stop, stopped) = watch::channel(false);
        let mut serving = JoinSet::new();
        serving.spawn(datagrams::serve(udp, Arc::clone(&desk), stopped.clone()));
        serving.spawn(connections(tcp, desk, stopped));
        info!(ip = %address.ip(), udp = ports.udp, tcp = ports.tcp, "dracd listening");
        let registration = if args.no_rpcbind { None } else { Some(Registration::take(ports).await) };
        Ok(Self { state, exporter, registration, stop, serving })
    }

    /// Nobody finds it any more, what was taken is answered, the database is empty.
    pub(super) async fn stop(mut self) {
        info!("stopping");
        if let Some(registration) = self.registration {
            registration.give_back().await;
        }
        self.stop.send_replace(true);
        while self.serving.join_next().await.is_some() {}
        self.exporter.stop().await;
        let state = self.state;
        if tokio::task::spawn_blocking(move || state.close()).await.is_err() {
            error!("state unclosed");
        }
        info!("stopped");
    }
}

/// One port for both transports when it was named; else two that are free.
fn bind(address: SocketAddr) -> std::io::Result<(UdpSocket, TcpListener, Ports)> {
    let (udp, tcp) = (socket::datagrams(address)?, socket::listen(address)?);
    let ports = Ports { udp: Some(udp.local_addr()?.port()), tcp: Some(tcp.local_addr()?.port()) };
    Ok((udp, tcp, ports))
}

async fn connections(socket: TcpListener, desk: Arc<Alone>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = stop.changed() => return,
        };
        let Ok((tcp, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            if let Err(error) = stream::serve(tcp, &*desk, guard::canonical_ip(peer.ip())).await {
                debug!(%peer, %error, "connection aborted");
            }
            drop(place);
        });
    }
}

/// The desk of the stand-alone server.
struct Alone {
    allow: Allow,
    never: NeverGranted,
    rates: Rates,
    adds_per_second: u32,
    lifetime: Duration,
    written: watch::Receiver<Written>,
    state: Arc<State>,
}

impl Desk for Alone {
    async fn settle(&self, adds: Vec<Asked>) -> Vec<AddResult> {
        let now = SystemTime::now();
        let checked: Vec<Result<(), Refusal>> = adds.iter().map(|asked| self.check(asked, now)).collect();
        let mut logins = Vec::with_capacity(adds.len());
        for (asked, checked) in adds.iter().zip(&checked) {
            match checked {
                Ok(()) => logins.push(login(asked)),
                Err(refusal) => {
                    info!(client = %asked.address, server = %asked.peer, cause = %refusal, "drac refused");
                }
            }
        }
        let recorded = self.state.record_many(logins, self.lifetime).await;
        // Who is refused anyhow is told at once.
        let file = if recorded.iter().any(Result::is_ok) { self.followed().await } else { File::Behind };
        let mut recorded = recorded.into_iter();
        let result = |(asked, checked): (&Asked, Result<(), Refusal>)| match checked {
            Err(refusal) => refusal.result(),
            // There is one for each that was given.
            Ok(()) => succeeded(asked, recorded.next().unwrap_or(Err(StateError::Closed)), file),
        };
        adds.iter().zip(checked).map(result).collect()
    }
}

fn login(asked: &Asked) -> PopLogin {
    let addr = guard::canonical_ip(asked.address);
    PopLogin { addr, subject: Subject::Server(asked.peer), source: PopSource::Drac, device: None }
}

/// Whether the database has what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    /// It has, or is about to.
    Follows,
    /// It has not: it cannot be written, or there was nothing to wait for.
    Behind,
}

/// What the mail server cannot see is not added yet: the client may come again.
fn succeeded(asked: &Asked, recorded: Result<state::Recorded, StateError>, file: File) -> AddResult {
    let Asked { peer, address, .. } = asked;
    match recorded {
        Ok(recorded) => {
            let is_in_the_file = file == File::Follows;
            debug!(client = %address, server = %peer, renewed = recorded.renewed, is_in_the_file, "drac add");
            if is_in_the_file { AddResult::Succeeded } else { AddResult::SystemError }
        }
        Err(error) => {
            info!(client = %address, server = %peer, %error, "add unrecorded");
            AddResult::SystemError
        }
    }
}

impl Alone {
    fn check(&self, asked: &Asked, now: SystemTime) -> Result<(), Refusal> {
        // The list is of servers on the network, which nearly all speak UDP: whoever wrote it means that.
        Callers { allow: &self.allow, udp_from_others: true }.check(asked)?;
        if !self.rates.admits(asked.peer, self.adds_per_second, now) {
            return Err(Refusal::TooMany);
        }
        self.never.why(asked.address).map_or(Ok(()), |why| Err(why.into()))
    }

    /// Waits until the file has all that is recorded now; not long if it has much to write.
    async fn followed(&self) -> File {
        let changes = *self.state.changes().borrow();
        let mut written = self.written.clone();
        let followed = tokio::time::timeout(FILE_WAIT, written.wait_for(|written| written.changes >= changes)).await;
        // A large file may follow later; what matters is that it does.
        let follows = matches!(followed, Ok(Ok(_)) | Err(_)) && self.written.borrow().is_good;
        if follows { File::Follows } else { File::Behind }
    }
}
