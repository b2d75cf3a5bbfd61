//! A server's life as a process: log, server, admin socket, signals, end.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::notify;
use crate::status::{Process, lists, relay, status};
use crate::watching::{self, Keeping, Watching};
use admin::{self, Backend, NumbersNow, Retrier, WhichConfiguration, WhichSessions, wire};
use backup::picture::WithMail;
use config::{self, Good, Loaded, Settings};
use judge::Judge;
use logging::Logger;
use serve::Server;
use serve::aside::aside;
use serve::border::Border;
use serve::sessions::Open;
use telemetry::{Alarm, Kind};

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
    in_force: RwLock<InForce>,
    logger: Arc<Logger>,
    keeper: Arc<acme::Keeper>,
    health: Arc<std::sync::Mutex<telemetry::Health>>,
    source: Source,
    started: SystemTime,
    /// Turns true at the end; a reload that waits for a file is given up then.
    stopping: watch::Sender<bool>,
}

/// The configuration in force, as it is written.
#[derive(Clone)]
struct InForce {
    file: config::File,
    loaded_at: SystemTime,
}

impl InForce {
    fn now(file: config::File) -> Self {
        Self { file, loaded_at: SystemTime::now() }
    }
}

/// How long all of the end may take, whatever hangs: sessions and deliveries have their own times in it, and the disk some more.
const END_MAX: Duration = Duration::from_secs(45);

impl Life {
    /// Reads the configuration again. What is wrong with it is told, and the old one stays in force. The end does not wait for it.
    async fn reload(&self) -> Result<(), String> {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            reloaded = self.reload_in_turn() => {
                notify::ready();
                reloaded
            }
            _ = stopping.wait_for(|is| *is) => Err("the server is stopping".to_owned()),
        }
    }

    async fn reload_in_turn(&self) -> Result<(), String> {
        let mut server = self.server.lock().await;
        notify::reloading();
        let source = self.source.clone();
        let read = aside("configuration", move || config::read(&source.file, &source.sets)).await;
        let loaded = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Box::pin(self.take(&mut server, loaded)).await
    }

    /// Puts the configuration in force that was so before this one.
    async fn roll_back(&self) -> Result<(), String> {
        let mut server = self.server.lock().await;
        let good = Good::new(&server.border().site.load().settings.data_dir);
        let source = self.source.clone();
        let read = aside("configuration", move || good.load_before(&source.file, &source.sets)).await;
        let loaded = read.map_err(|error| error.to_string())??;
        Box::pin(self.take(&mut server, loaded)).await
    }

    async fn take(&self, server: &mut Server, loaded: Loaded) -> Result<(), String> {
        if let Some(why) = migrate::check::idle(&loaded.settings) {
            return Err(why);
        }
        let before = server.border().site.load_full();
        // A log that does not open must not leave half a reload behind, nor may a refused reload leave a new log.
        self.apply_log(&loaded.settings.log).await?;
        let Err(error) = server.reload(loaded.settings).await else {
            *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = InForce::now(loaded.file);
            let settings = &server.border().site.load().settings;
            server.border().watch.follow(settings);
            self.keeper.wake();
            keep_good(&settings.data_dir, loaded.text).await;
            return Ok(());
        };
        let restored = self.apply_log(&before.settings.log).await;
        Err(restored.err().map_or_else(|| error.to_string(), |log| format!("{error}\n{log}")))
    }

    /// For `sekisho config show --running`.
    fn configuration(&self) -> wire::Configuration {
        let InForce { file, loaded_at } = self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone();
        wire::Configuration {
            file: self.source.file.display().to_string(),
            sets: self.source.sets.clone(),
            loaded_at: wire::system_time(loaded_at),
            // Texts, numbers and lists of those: nothing in it can fail.
            configuration: serde_json::to_value(file).unwrap_or_default(),
        }
    }

    /// For `sekisho status`.
    fn process(&self) -> Process {
        let loaded = self.in_force.read().unwrap_or_else(PoisonError::into_inner).loaded_at;
        let file = self.source.file.display().to_string();
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Process {
            started: self.started,
            file,
            loaded,
            renewal: self.keeper.state(),
            errors: self.logger.latest(),
            health,
        }
    }

    async fn apply_log(&self, log: &config::Log) -> Result<(), String> {
        let (logger, log) = (Arc::clone(&self.logger), log.clone());
        let applied = aside("log", move || logger.apply(&log)).await.and_then(|applied| applied);
        applied.map_err(|error| format!("log: {error}"))
    }
}

/// Keeps a configuration that has come into force.
async fn keep_good(data_dir: &std::path::Path, text: Arc<str>) {
    let good = Good::new(data_dir);
    let kept = aside("configuration", move || good.keep(&text)).await.and_then(|kept| kept);
    if let Err(error) = kept {
        warn!(%error, note = "a reload cannot be taken back", "configuration unkept");
    }
}

/// Serves until SIGTERM or SIGINT. `ready` is called once everything listens.
pub async fn serve(loaded: Loaded, source: Source, ready: impl FnOnce() -> Result<()>) -> Result<()> {
    let Loaded { file, settings, text } = loaded;
    let data_dir = settings.data_dir.clone();
    let started_at = SystemTime::now();
    let logger = Arc::new(Logger::start(&settings.log).context("log")?);
    let sockets = [settings.admin.socket.clone(), settings.account.socket.clone()];
    let mut signals = Signals::new()?;
    let started = tokio::select! {
        started = tokio::spawn(start(settings, started_at)) => started.context("start")??,
        // What was begun is left as by a kill, which harms nothing.
        () = signals.end() => {
            info!("stopping");
            logger.flush();
            return Ok(());
        }
    };
    keep_good(&data_dir, text).await;
    let border = Arc::clone(started.server.border());
    let retrier = started.server.retrier();
    let (stopping, _) = watch::channel(false);
    let (watching, keeping) = (started.watching, started.keeping);
    let (server, in_force) = (Mutex::new(started.server), RwLock::new(InForce::now(file)));
    let keeper = Arc::clone(&keeping.keeper);
    let health = Arc::clone(&watching.health);
    let logger_kept = Arc::clone(&logger);
    let life = Life { server, in_force, logger: logger_kept, keeper, health, source, started: started_at, stopping };
    let life = Arc::new(life);
    let opened = Opened { listener: started.admin, retrier, numbers: watching.numbers() };
    let (end_admin, admin) = admin_api(opened, &border, &life);
    let (end_account, account) = own_accounts(started.account, &border);
    ready()?;
    notify::ready();
    let alive = notify::alive();
    signals.attend(&life).await;
    info!("stopping");
    notify::stopping();
    life.stopping.send_replace(true);
    let _ = (end_admin.send(()), end_account.send(()));
    if tokio::time::timeout(END_MAX, end(life, [admin, account], sockets)).await.is_err() {
        error!(secs = END_MAX.as_secs(), note = "it is not waited for", "stop overdue");
    }
    drop((watching, keeping, alive));
    logger.flush();
    Ok(())
}

/// A server that listens, and its admin socket.
struct Started {
    server: Server,
    admin: UnixListener,
    account: UnixListener,
    watching: Watching,
    keeping: Keeping,
}

async fn start(settings: Settings, at: SystemTime) -> Result<Started> {
    let (socket, mode) = (settings.admin.socket.clone(), settings.admin.mode);
    let (own, own_mode) = (settings.account.socket.clone(), settings.account.mode);
    let server = Server::start(settings).await?;
    let admin = aside("admin socket", move || admin::bind(&socket, mode)).await??;
    let account = aside("account socket", move || account::bind(&own, own_mode)).await??;
    let watching = watching::start(server.border(), at).await?;
    let keeping = watching::keep_certificate(server.border());
    Ok(Started { server, admin, account, watching, keeping })
}

/// The end in its order.
async fn end(life: Arc<Life>, tasks: [JoinHandle<()>; 2], sockets: [PathBuf; 2]) {
    for task in tasks {
        if let Err(error) = task.await {
            error!(%error, "admin unclosed");
        }
    }
    // Backend and routes are gone with the API: this is the last handle.
    let Ok(life) = Arc::try_unwrap(life) else { return };
    life.server.into_inner().stop().await;
    // What stays, the next start takes away.
    let _ = aside("admin socket", move || sockets.map(std::fs::remove_file)).await;
}

type AdminTask = (oneshot::Sender<()>, JoinHandle<()>);

/// What users of this machine may do with their own account.
fn own_accounts(listener: UnixListener, border: &Arc<Border>) -> AdminTask {
    let for_users = Arc::clone(border);
    let desk = account::Desk {
        sources: Arc::clone(&border.sources),
        settings: Box::new(move || for_users.site.load().settings.account.clone()),
    };
    let (end, ended) = oneshot::channel::<()>();
    let ended = async {
        // A dropped sender means the same.
        let _ = ended.await;
    };
    (end, tokio::spawn(account::serve(listener, desk, ended)))
}

/// What the admin API has of the start alone.
struct Opened {
    listener: UnixListener,
    retrier: Retrier,
    numbers: NumbersNow,
}

fn admin_api(opened: Opened, border: &Arc<Border>, life: &Arc<Life>) -> AdminTask {
    let Opened { listener, retrier, numbers } = opened;
    let (for_pop, for_never) = (Arc::clone(border), Arc::clone(border));
    let (explain, accepted_if) = judged_again(border);
    let (for_list, for_cut, for_lists) = (Arc::clone(border), Arc::clone(border), Arc::clone(border));
    let (for_relay, for_unlock) = (Arc::clone(border), Arc::clone(border));
    let (for_alarms, for_admin) = (Arc::clone(&border.watch), Arc::clone(&border.watch));
    let for_rights = Arc::clone(border);
    let (for_backup, for_end) = (Arc::clone(border), life.stopping.subscribe());
    let for_records = Arc::clone(border);
    let (for_configuration, for_process, for_status) = (Arc::clone(life), Arc::clone(life), Arc::clone(border));
    let backend = Backend {
        directory: Arc::clone(&border.sources.directory),
        audit: admin::audit::Audit::new(&border.site.load().settings.data_dir, border.changes_key.clone()),
        server: Some(admin::Server {
            state: Arc::clone(&border.sources.state),
            guess_key: border.sources.guess_key,
            spool: Arc::clone(&border.spool),
            retrier: Some(retrier),
            pop: Box::new(move || for_pop.site.load().settings.relay.pop.clone()),
            status: Box::new(move |queue| status(&for_status, for_process.process(), queue)),
            configuration: Box::new(move || for_configuration.configuration()),
            sessions: Box::new(move || for_list.sessions.all().iter().map(|open| session(open)).collect()),
            lists: Box::new(move || lists(&for_lists)),
            relay: Box::new(move || relay(&for_relay)),
            unlock: Arc::new(move || for_unlock.sources.relay_lock.unlock()),
            numbers,
            watch: for_alarms,
            cut: Box::new(move |which| cut(&for_cut, which)),
            rights: Box::new(move |ask| {
                let (sources, terms) = (Arc::clone(&for_rights.sources), Arc::clone(&for_rights.site.load().terms));
                Box::pin(async move { audit::running(&sources, &terms, ask).await })
            }),
            explain,
            accepted_if,
            records: Box::new(move || {
                let store = for_records.records.as_ref()?;
                store.flush();
                Some(store.reader())
            }),
            never: Box::new(move |address| for_never.site.load().terms.policy.relay.never().why(address)),
            backup: Box::new(move |wanted| {
                let mail = if wanted.mail { WithMail::Yes } else { WithMail::No };
                serve::backup::of_running(&for_backup, mail, for_end.clone())
            }),
            reload: reloads(life),
        }),
    };
    let (end, ended) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let ended = async {
            // A dropped sender means the same.
            let _ = ended.await;
        };
        if let Err(error) = admin::serve(listener, backend, ended).await {
            error!(%error, "admin failed");
            for_admin.raise(Alarm::new(Kind::Admin, "", error.to_string()));
        }
    });
    (end, task)
}

fn reloads(life: &Arc<Life>) -> admin::Reload {
    let life = Arc::clone(life);
    Box::new(move |which| {
        let life = Arc::clone(&life);
        Box::pin(async move {
            match which {
                WhichConfiguration::File => life.reload().await,
                WhichConfiguration::Before => life.roll_back().await,
            }
        })
    })
}

fn judged_again(border: &Arc<Border>) -> (admin::Explain, admin::AcceptedIf) {
    let (for_explain, for_accepted) = (Arc::clone(border), Arc::clone(border));
    let explains = Box::new(move |imagined| -> Pin<Box<dyn Future<Output = _> + Send>> {
        let border = Arc::clone(&for_explain);
        Box::pin(async move { explain(&border, &imagined).await })
    });
    let accepts = Box::new(move |kept| -> Pin<Box<dyn Future<Output = _> + Send>> {
        let border = Arc::clone(&for_accepted);
        Box::pin(async move { accepted_if(&border, &kept).await })
    });
    (explains, accepts)
}

/// By the configuration in force.
async fn explain(border: &Border, imagined: &replay::Imagined) -> Result<replay::Explained, String> {
    let terms = Arc::clone(&border.site.load().terms);
    let judge = Judge { sources: &border.sources, terms: &terms, policy: &terms.policy };
    replay::imagined(imagined, judge).await
}

/// What would have had it accepted; nothing of what cannot be judged.
async fn accepted_if(border: &Border, kept: &records::Kept) -> Vec<String> {
    let terms = Arc::clone(&border.site.load().terms);
    let judge = Judge { sources: &border.sources, terms: &terms, policy: &terms.policy };
    replay::accepted_by(kept, judge).await
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

    /// Returns at SIGTERM or SIGINT.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Reloads at each SIGHUP; returns at SIGTERM or SIGINT, also while a reload waits for a file.
    async fn attend(&mut self, life: &Life) {
        let Self { terminate, interrupt, hangup } = self;
        let reloads = async {
            while hangup.recv().await.is_some() {
                if let Err(why) = life.reload().await {
                    error!(why = ?why, note = "the old configuration stays in force", "reload failed");
                }
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = reloads => {}
        }
    }
}
