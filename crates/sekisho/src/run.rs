//! A server's life as a process: log, server, admin socket, signals, end.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use tracing::{error, info};

use crate::log::Logger;
use admin::{self, Backend, WhichSessions, wire};
use config::{self, Loaded};
use serve::Server;
use serve::border::Border;
use serve::sessions::Open;

/// A configuration and where it came from, so that it can be read again.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// `--set` over it.
    pub sets: Vec<String>,
}

/// What a reload touches; one at a time.
struct Life {
    server: Mutex<Server>,
    logger: Logger,
    source: Source,
}

impl Life {
    /// Reads the configuration again. What is wrong with it is told, and the old one stays in force.
    async fn reload(&self) -> Result<(), String> {
        let loaded = config::read(&self.source.file, &self.source.sets).map_err(|error| error.to_string())?;
        let mut server = self.server.lock().await;
        let before = server.border().site.load_full();
        // A log that does not open must not leave half a reload behind, nor may a refused reload leave a new log.
        self.logger.apply(&loaded.settings.log).map_err(|error| format!("log: {error}"))?;
        server.reload(loaded.settings).map_err(|error| {
            let restored = self.logger.apply(&before.settings.log);
            restored.err().map_or_else(|| error.to_string(), |log| format!("{error}\nlog: {log}"))
        })
    }
}

/// Serves until SIGTERM or SIGINT. `ready` is called once everything listens.
pub async fn serve(loaded: Loaded, source: Source, ready: impl FnOnce() -> Result<()>) -> Result<()> {
    let settings = loaded.settings;
    let logger = Logger::start(&settings.log).context("log")?;
    let socket = settings.admin.socket.clone();
    let mode = settings.admin.mode;
    let mut signals = Signals::new()?;
    let server = Server::start(settings).await?;
    let border = Arc::clone(server.border());
    let life = Arc::new(Life { server: Mutex::new(server), logger, source });
    let listener = admin::bind(&socket, mode)?;
    let (end_admin, admin) = admin_api(listener, &border, &life);
    ready()?;
    signals.attend(&life).await;
    info!("stopping");
    let _ = end_admin.send(());
    if let Err(error) = admin.await {
        error!(%error, "the admin API did not end in order");
    }
    // Backend and routes are gone with the API: this is the last handle.
    let Ok(life) = Arc::try_unwrap(life) else { return Ok(()) };
    life.server.into_inner().stop().await;
    let _ = std::fs::remove_file(&socket);
    life.logger.flush();
    Ok(())
}

type AdminTask = (oneshot::Sender<()>, JoinHandle<()>);

fn admin_api(listener: UnixListener, border: &Arc<Border>, life: &Arc<Life>) -> AdminTask {
    let (for_pop, for_never, for_reload) = (Arc::clone(border), Arc::clone(border), Arc::clone(life));
    let (for_list, for_cut) = (Arc::clone(border), Arc::clone(border));
    let backend = Backend {
        directory: Arc::clone(&border.sources.directory),
        server: Some(admin::Server {
            state: Arc::clone(&border.sources.state),
            guess_key: border.sources.guess_key,
            spool: Arc::clone(&border.spool),
            pop: Box::new(move || for_pop.site.load().settings.relay.pop.clone()),
            sessions: Box::new(move || for_list.sessions.all().iter().map(|open| session(open)).collect()),
            cut: Box::new(move |which| cut(&for_cut, which)),
            never: Box::new(move |address| for_never.site.load().terms.policy.relay.never().why(address)),
            reload: Box::new(move || {
                let life = Arc::clone(&for_reload);
                Box::pin(async move { life.reload().await })
            }),
        }),
    };
    let (end, ended) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let ended = async {
            // A dropped sender means the same.
            let _ = ended.await;
        };
        if let Err(error) = admin::serve(listener, backend, ended).await {
            error!(%error, "admin API");
        }
    });
    (end, task)
}

fn session(open: &Open) -> wire::Session {
    let now = open.now();
    wire::Session {
        session: open.id.to_string(),
        listener: open.listener.to_string(),
        protocol: if open.protocol.is_smtp() { "smtp" } else { "pop3" }.to_owned(),
        client: now.client.to_string(),
        login: now.login.as_ref().map(|login| login.login.to_string()),
        device: now.login.as_ref().and_then(|login| login.device.as_ref()).map(|device| device.name.clone()),
        begun_at: wire::system_time(open.begun),
    }
}

fn cut(border: &Border, which: &WhichSessions) -> usize {
    let meant = |open: &Arc<Open>| {
        let now = open.now();
        which.session.as_ref().is_none_or(|id| *id == open.id.to_string())
            && which.client.is_none_or(|client| client.to_canonical() == now.client)
            && which.login.as_ref().is_none_or(|login| now.login.as_ref().is_some_and(|it| *it.login == **login))
    };
    let meant = border.sessions.all().into_iter().filter(meant);
    meant.filter(|open| serve::rights::cut(open, "operator")).count()
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Reloads at each SIGHUP; returns at SIGTERM or SIGINT.
    async fn attend(&mut self, life: &Life) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    if let Err(why) = life.reload().await {
                        error!(why = ?why, "not reloaded; the old configuration stays in force");
                    }
                }
            }
        }
    }
}
