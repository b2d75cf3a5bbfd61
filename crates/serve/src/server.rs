//! The running server: opens what a mail passes, listens, reloads, stops. Nothing below names it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use config::{Listener, Protocol, Settings};
use listen::{Address, Gate, socket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};
use witness::watch::Watches;

use crate::accept::{Door, Socket};
use crate::aside::aside;
use crate::background::Background;
use crate::border::Border;
use crate::certificate;
use crate::deliver;
use crate::door;
use crate::open::{directory_settings, forget_nobodys, open, records_settings};
use crate::relayed;
use crate::rights;
use crate::selfprobe;
use crate::site::Site;
use crate::start_error::StartError;

/// How long running sessions may take to end after the server was told to stop.
const SESSIONS_GRACE: Duration = Duration::from_secs(10);
/// How long deliveries on their way may take to end.
const DELIVERIES_GRACE: Duration = Duration::from_secs(20);

/// A running server.
pub struct Server {
    border: Arc<Border>,
    delivery: delivery::Delivery,
    doors: HashMap<Address, JoinHandle<()>>,
    /// Of all listeners that have connections, those of earlier configurations too.
    gates: Vec<Arc<Gate>>,
    background: Background,
    stop: watch::Sender<bool>,
    watches: Watches,
}

/// Files that are open besides those of connections: segments, mailboxes, accounts, the log.
const OPEN_FILES_BESIDES: u64 = 256;

fn raise_open_files() -> Option<u64> {
    let raised = listen::open_files::raise();
    raised.inspect_err(|error| warn!(%error, "limit unraised")).ok()
}

impl Server {
    /// Opens everything and listens. When it returns, every address of the settings takes connections.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let open_files = raise_open_files();
        let border = Arc::new(open(settings).await?);
        let for_delivery = Arc::clone(&border);
        let delivery = aside("delivery", move || deliver::start(&for_delivery)).await;
        let delivery = delivery.map_err(StartError::at("delivery"))??;
        let (stop, _) = watch::channel(false);
        let background = Background::default();
        let watches = Watches::new(Arc::clone(&border.sources), Arc::clone(&border.site.load().terms));
        let mut server = Self { border, delivery, doors: HashMap::new(), gates: Vec::new(), background, watches, stop };
        match server.open().await {
            Ok(()) => {
                if let Some(open_files) = open_files {
                    server.tell_open_files(open_files);
                }
                Ok(server)
            }
            Err(error) => {
                server.stop().await;
                Err(error)
            }
        }
    }

    /// Too few open files for the connections that the configuration allows: some would not be taken.
    fn tell_open_files(&self, open_files: u64) {
        let settings = &self.border.site.load().settings;
        let connections: usize = settings.listeners.iter().map(|listener| listener.connections_max).sum();
        let wanted = connections as u64 + settings.delivery.concurrency as u64 + OPEN_FILES_BESIDES;
        if open_files < wanted {
            warn!(open_files, wanted, "files scarce");
        } else {
            info!(open_files, wanted, "open files");
        }
    }

    /// Tries mail at once.
    pub fn retrier(&self) -> delivery::Retrier {
        self.delivery.retrier()
    }

    async fn open(&mut self) -> Result<(), StartError> {
        let site = self.border.site.load_full();
        let opened = self.bind(&site).await?;
        self.background.start(&self.border, &site).await?;
        tokio::spawn(rights::follow(Arc::clone(&self.border), self.stop.subscribe()));
        tokio::spawn(certificate::follow(Arc::clone(&self.border), self.stop.subscribe()));
        tokio::spawn(selfprobe::follow(Arc::clone(&self.border), self.stop.subscribe()));
        tokio::spawn(relayed::follow(Arc::clone(&self.border), self.stop.subscribe()));
        tokio::spawn(tend_lists(Arc::clone(&self.border), self.stop.subscribe()));
        self.open_doors(&site, opened);
        self.watches.follow(&site.terms).await;
        Ok(())
    }

    /// What the sessions share.
    pub fn border(&self) -> &Arc<Border> {
        &self.border
    }

    /// Takes a new configuration over whole, or keeps the old one whole. Sessions that run go on with theirs. Its files are read
    /// aside, each with a deadline: nobody else waits for them, and whoever drops this before has changed nothing.
    pub async fn reload(&mut self, settings: Settings) -> Result<(), StartError> {
        let old = self.border.site.load_full();
        let fixed = old.settings.needing_a_restart(&settings);
        if !fixed.is_empty() {
            return Err(StartError::NeedsRestart(fixed));
        }
        let site = aside("configuration", move || Site::new(settings, Some(&old))).await;
        let site = Arc::new(site.map_err(StartError::at("the configuration's files"))??);
        let opened = self.bind(&site).await?;
        self.border.sources.directory.set_settings(directory_settings(&site.settings))?;
        // From here on nothing can fail.
        self.border.site.store(Arc::clone(&site));
        self.border.sources.state.share_addresses(site.settings.auth.shared_addresses.iter().copied());
        self.border.sources.identities.forget();
        self.border.sources.state.never_ban(door::never_banned(&site));
        self.border.sources.reputation.lists.follow(&site.settings.dnsbl);
        if let Some(records) = &self.border.records {
            records.set(&records_settings(&site.settings));
        }
        self.border.memory.resize(site.settings.limits.memory_octets);
        self.open_doors(&site, opened);
        self.close_doors(&site).await;
        self.background.follow(&site);
        self.watches.follow(&site.terms).await;
        forget_nobodys(&site.terms.policy.relay, &self.border.sources.state).await;
        tokio::spawn(rights::follow_configuration(Arc::clone(&self.border)));
        certificate::tell(&site);
        info!(file = &*site.settings.file, "reloaded");
        Ok(())
    }

    /// Takes every address of a site that we do not have yet. No connection is taken there before the door opens.
    async fn bind(&self, site: &Site) -> Result<Vec<Door>, StartError> {
        let listeners = site.listeners.iter().map(|listener| &listener.settings);
        let wanted = |listener: &Listener| {
            let new = addresses(listener).filter(|address| !self.doors.contains_key(address));
            let wanted = |address| Wanted { listener: Arc::clone(&listener.name), address, mode: listener.socket_mode };
            new.map(wanted).collect::<Vec<_>>()
        };
        let wanted = listeners.flat_map(wanted).collect();
        // A Unix socket is tried first, and lies in a folder: both may take their time.
        aside("sockets", move || bind_all(wanted)).await.map_err(StartError::at("sockets"))?
    }

    fn open_doors(&mut self, site: &Site, opened: Vec<Door>) {
        self.gates.retain(|gate| gate.held() > 0);
        for gate in site.listeners.iter().map(|listener| &listener.gate) {
            if !self.gates.iter().any(|known| Arc::ptr_eq(known, gate)) {
                self.gates.push(Arc::clone(gate));
            }
        }
        for door in opened {
            let address = door.address.clone();
            let serving = tokio::spawn(door.serve(Arc::clone(&self.border), self.stop.subscribe()));
            let listener = site.at(&address).map_or("", |listener| &*listener.settings.name);
            info!(listener, %address, "listening");
            self.doors.insert(address, serving);
        }
    }

    /// Stops listening where no listener of the site is. The sessions that came in there go on.
    async fn close_doors(&mut self, site: &Site) {
        let mut closed = Vec::new();
        self.doors.retain(|address, serving| {
            let wanted = site.at(address).is_some();
            if !wanted {
                serving.abort();
                info!(%address, "listener closed");
                closed.push(address.clone());
            }
            wanted
        });
        remove_sockets(closed).await;
    }

    /// Ends in order: no new connections, sessions finish their reply, deliveries on their way end, the disk has it all.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.border.sessions.stop();
        self.watches.stop().await;
        let closed = self.doors.into_iter().map(|(address, serving)| {
            serving.abort();
            address
        });
        remove_sockets(closed.collect()).await;
        let sessions = async {
            for gate in &self.gates {
                gate.emptied().await;
            }
        };
        if tokio::time::timeout(SESSIONS_GRACE, sessions).await.is_err() {
            warn!(note = "the time for shutting down is over", "sessions aborted");
        }
        self.background.stop().await;
        self.delivery.shutdown(DELIVERIES_GRACE).await;
        relayed::note(&self.border, None).await;
        rights::write_uses(&self.border).await;
        self.border.spool.close().await;
        self.border.sources.directory.close().await;
        let border = Arc::clone(&self.border);
        let closed = tokio::task::spawn_blocking(move || border.records.as_ref().map(records::Store::close)).await;
        if closed.is_err() {
            error!("records unclosed");
        }
        let state = Arc::clone(&self.border.sources.state);
        if tokio::task::spawn_blocking(move || state.close()).await.is_err() {
            error!("state unclosed");
        }
        info!("stopped");
    }
}

/// An address that is not listened at yet.
struct Wanted {
    listener: Arc<str>,
    address: Address,
    mode: u32,
}

/// All of them or none.
/// Asks the test points of the lists in DNS until the server stops.
async fn tend_lists(border: Arc<Border>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = border.sources.reputation.lists.tend() => {}
        _ = stop.changed() => {}
    }
}

fn bind_all(wanted: Vec<Wanted>) -> Result<Vec<Door>, StartError> {
    let mut opened: Vec<Door> = Vec::new();
    for Wanted { listener, address, mode } in wanted {
        match open_socket(&address, mode) {
            Ok(socket) => opened.push(Door { socket, address }),
            Err(error) => {
                for door in &opened {
                    remove_socket(&door.address);
                }
                return Err(StartError::Bind { listener, address, error });
            }
        }
    }
    Ok(opened)
}

/// Where a listener listens. DRAC's clients come by UDP nearly always.
fn addresses(listener: &Listener) -> impl Iterator<Item = Address> {
    let datagrams = listener.bind.iter().filter(|_| listener.protocol == Protocol::Dracd);
    let unix = listener.unix.iter().cloned().map(Address::Unix);
    listener.bind.iter().copied().map(Address::Inet).chain(datagrams.copied().map(Address::Udp)).chain(unix)
}

fn open_socket(address: &Address, mode: u32) -> io::Result<Socket> {
    match address {
        Address::Inet(address) => socket::listen(*address).map(Socket::Tcp),
        Address::Udp(address) => socket::datagrams(*address).map(Socket::Udp),
        Address::Unix(path) => socket::listen_unix(path, mode).map(Socket::Unix),
    }
}

async fn remove_sockets(addresses: Vec<Address>) {
    let removed = aside("sockets", move || addresses.iter().for_each(remove_socket)).await;
    if let Err(error) = removed {
        warn!(%error, note = "the next start removes them", "sockets unremoved");
    }
}

fn remove_socket(address: &Address) {
    if let Address::Unix(path) = address {
        // The next start takes it away, too.
        let _ = std::fs::remove_file(path);
    }
}
