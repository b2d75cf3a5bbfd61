//! Takes jobs from the spool, sends each recipient's copy its way, and ends in order.

use std::sync::Arc;
use std::time::Duration;

use spool::{Job, Spool};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::ask::Asker;
use crate::clock::unix_micros;
use crate::config::{Config, Lookups};
use crate::destination::Destination;
use crate::fate::OnFate;
use crate::job::{Part, Ticket};
use crate::local::{self, LocalPart};
use crate::remote;
use crate::retry::Retrier;
use crate::shared::{Shared, report_panic};
use crate::sweep::Sweeper;
use crate::way::{Way, way};

/// Why delivery does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No usable TLS.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// Numbers of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Messages taken from the spool and not settled.
    pub in_flight: usize,
    /// Connections that are open or being made.
    pub connections: usize,
    /// Destinations known.
    pub destinations: usize,
    /// Parts of messages that wait for a connection.
    pub waiting: usize,
}

/// Delivery at work. Call [`Delivery::shutdown`] at the end; dropped without it, what is on its way is tried again
/// after the restart.
pub struct Delivery {
    shared: Arc<Shared>,
    puller: JoinHandle<()>,
    local: JoinHandle<()>,
}

impl Delivery {
    /// Begins to take mail from the spool, on the current tokio runtime, and to sweep the Maildirs behind it.
    pub fn start(config: Config, spool: Arc<Spool>, lookups: Lookups, on_fate: OnFate) -> Result<Self, StartError> {
        let shared = Arc::new(Shared::new(config, spool, lookups, on_fate)?);
        let (sender, receiver) = mpsc::channel(shared.config.limits.local_batch.max(1) * 2);
        let local = tokio::spawn(local::run(Arc::clone(&shared), receiver));
        let puller = tokio::spawn(pull(Arc::clone(&shared), sender));
        shared.spawn(Sweeper::new(&shared).run());
        Ok(Self { shared, puller, local })
    }

    /// Numbers of the moment.
    pub fn stats(&self) -> Stats {
        let shared = &self.shared;
        let limits = &shared.config.limits;
        let (destinations, waiting) = shared.destinations.counts();
        Stats {
            in_flight: limits.in_flight.max(1).saturating_sub(shared.in_flight.available_permits()),
            connections: limits.connections.max(1).saturating_sub(shared.connections.available_permits()),
            destinations,
            waiting,
        }
    }

    /// For the operator's "now".
    pub fn retrier(&self) -> Retrier {
        Retrier::new(&self.shared)
    }

    /// For questions to next hops.
    pub fn asker(&self) -> Asker {
        Asker::new(&self.shared)
    }

    /// Takes nothing more, lets transactions and batches on their way end within `grace`, then cuts them off: what is
    /// cut off stays in the spool.
    pub async fn shutdown(self, grace: Duration) {
        self.shared.begin_stop();
        let ended = async {
            // The puller holds the only sender: its end lets the batches run out.
            report_panic(&self.puller.await);
            report_panic(&self.local.await);
            self.shared.join_workers().await;
        };
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::warn!(note = "the time for shutting down is over", "deliveries aborted");
        }
    }
}

/// Takes one job after the other while there is room for them in flight.
async fn pull(shared: Arc<Shared>, local: mpsc::Sender<LocalPart>) {
    loop {
        let taken = tokio::select! {
            () = shared.stopping() => return,
            taken = take(&shared) => taken,
        };
        let Some(ticket) = taken else { return };
        dispatch(&shared, &local, Arc::new(ticket)).await;
    }
}

/// `None`: the spool is closed. Cancel-safe: a lease that is dropped is given back.
async fn take(shared: &Shared) -> Option<Ticket> {
    let slot = Arc::clone(&shared.in_flight).acquire_owned().await.ok()?;
    let job: Job = shared.spool.next(unix_micros()).await?;
    Some(Ticket { job, _slot: slot })
}

/// Divides the recipients by where they go.
async fn dispatch(shared: &Arc<Shared>, local: &mpsc::Sender<LocalPart>, ticket: Arc<Ticket>) {
    let mut remote: Vec<(Destination, Vec<usize>)> = Vec::new();
    for &recipient in &ticket.job.due {
        let Some(target) = ticket.job.envelope.recipients.get(recipient).map(|one| &one.target) else { continue };
        match way(&shared.config.route, target) {
            Way::Local(target) => {
                let part = LocalPart { ticket: Arc::clone(&ticket), recipient, target };
                // Closed only after the batches panicked; the lease ends, and so does the puller at the next turn.
                if local.send(part).await.is_err() {
                    shared.begin_stop();
                }
            }
            Way::Remote(destination) => match remote.iter_mut().find(|(known, _)| *known == destination) {
                Some((_, recipients)) => recipients.push(recipient),
                None => remote.push((destination, vec![recipient])),
            },
        }
    }
    for (destination, recipients) in remote {
        let queue = shared.destinations.queue(&destination);
        let part = Part { ticket: Arc::clone(&ticket), recipients };
        remote::enqueue(shared, queue, part).await;
    }
}
