//! Watching over the running server: what it knows of itself, as [`telemetry`] wants it, looked at every few seconds and when it is
//! asked for.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use jiff::Zoned;
use listen::{Met, open_files};
use serve::border::Border;
use spool::Stats;
use telemetry::{Alarm, Health, Kind, List, Listening, Look, Message, Numbers, Pages, Queue};
use tokio::task::JoinSet;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// How long what was counted in the queue is good for, and how many times as long as counting took.
const FRESH: Duration = Duration::from_secs(1);
const FRESH_TIMES: u32 = 50;
/// How long a part of the server may take to show that it is well.
const ANSWER: Duration = Duration::from_secs(3);

/// What runs for it; dropped, it ends.
pub(crate) struct Watching {
    /// As it was at the last look.
    pub(crate) health: Arc<Mutex<Health>>,
    _tasks: JoinSet<()>,
    seen: Arc<Seen>,
}

impl Watching {
    /// The server in numbers, whenever they are asked for.
    pub(crate) fn numbers(&self) -> admin::NumbersNow {
        let (seen, began) = (Arc::clone(&self.seen), Instant::now());
        Box::new(move || {
            let seen = Arc::clone(&seen);
            Box::pin(async move {
                let stats = seen.stats().await;
                (seen.numbers(&stats), u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
            })
        })
    }
}

/// The certificate is kept as long as this is there.
pub(crate) struct Keeping {
    pub(crate) keeper: Arc<acme::Keeper>,
    _task: JoinSet<()>,
}

/// Keeps the certificate, where an authority's is wanted.
pub(crate) fn keep_certificate(border: &Arc<Border>) -> Keeping {
    let [for_settings, for_certificate, for_renewed, for_failing] = std::array::from_fn(|_| Arc::clone(border));
    let ways = acme::Ways {
        settings: Box::new(move || Arc::clone(&for_settings.site.load().settings)),
        certificate: Box::new(move || for_certificate.site.load().certificate()),
        renewed: Box::new(move || for_renewed.site.load().renew_certificate().map_err(|error| error.to_string())),
        failing: Box::new(move |why| {
            let hostname = for_failing.site.load().settings.hostname.clone();
            for_failing.watch.raise(Alarm::new(Kind::CertificateUnrenewed, hostname, why));
        }),
    };
    let (keeper, mut task) = (Arc::new(acme::Keeper::default()), JoinSet::new());
    let kept = Arc::clone(&keeper);
    task.spawn(async move { kept.follow(ways).await });
    Keeping { keeper, _task: task }
}

/// What is looked at.
struct Seen {
    border: Arc<Border>,
    started: SystemTime,
    counted: Mutex<Option<Counted>>,
    health: Arc<Mutex<Health>>,
}

/// The queue as it was counted.
struct Counted {
    at: Instant,
    took: Duration,
    stats: Arc<Stats>,
}

/// Begins to watch, and listens where `[metrics]` says.
pub(crate) async fn start(border: &Arc<Border>, started: SystemTime) -> Result<Watching> {
    let settings = Arc::clone(&border.site.load().settings);
    let health = Arc::default();
    let seen = Seen { border: Arc::clone(border), started, counted: Mutex::default(), health: Arc::clone(&health) };
    let seen = Arc::new(seen);
    let (for_mail, for_numbers, for_health) = (Arc::clone(border), Arc::clone(&seen), Arc::clone(&seen));
    border.watch.mail_by(Box::new(move |to, message| {
        let border = Arc::clone(&for_mail);
        Box::pin(async move { post(&border, &to, &message).await })
    }));
    border.watch.follow(&settings);
    let pages = Arc::new(Pages {
        numbers: Box::new(move || {
            let seen = Arc::clone(&for_numbers);
            Box::pin(async move { seen.page().await })
        }),
        health: Box::new(move || {
            let seen = Arc::clone(&for_health);
            Box::pin(async move { seen.health().await })
        }),
    });
    let mut tasks = JoinSet::new();
    for address in &settings.metrics.bind {
        let listener = telemetry::http::bind(*address).await.with_context(|| format!("metrics.bind {address}"))?;
        tracing::info!(listener = "metrics", %address, "listening");
        tasks.spawn(telemetry::http::serve(listener, Arc::clone(&pages)));
    }
    tasks.spawn(Arc::clone(&seen).follow());
    Ok(Watching { health, _tasks: tasks, seen })
}

impl Seen {
    async fn follow(self: Arc<Self>) {
        let (mut stalls, mut dropped) = (0, 0);
        loop {
            tokio::time::sleep(LOOK).await;
            let now = keep::tally::COUNTED.spool_stalls.read();
            let mut look = self.look(now > stalls).await;
            let so_far = self.records_dropped();
            look.records_dropped = so_far - dropped;
            (stalls, dropped) = (now, so_far);
            self.border.watch.look(&look);
            self.tell_of_the_lock();
        }
    }

    /// Decision records that the disk did not take, since the start.
    fn records_dropped(&self) -> u64 {
        self.border.records.as_ref().map_or(0, |store| store.status().dropped)
    }

    /// As long as relaying is locked down it is said again after each quiet time.
    fn tell_of_the_lock(&self) {
        if let Some(locked) = self.border.sources.relay_lock.status().locked {
            self.border.watch.raise(Alarm::new(Kind::RelayProbe, "relay", locked.causes.join("; ")));
        }
    }

    /// The queue in numbers; counting a long one takes its time, so it is done aside and not too often.
    async fn stats(self: &Arc<Self>) -> Arc<Stats> {
        let seen = Arc::clone(self);
        let counted = tokio::task::spawn_blocking(move || {
            // Whoever comes meanwhile waits, and gets the same.
            let mut counted = seen.counted.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Counted { at, took, stats }) = &*counted
                && at.elapsed() < FRESH.max(*took * FRESH_TIMES)
            {
                return Arc::clone(stats);
            }
            let at = Instant::now();
            let stats = Arc::new(seen.border.spool.stats(unix_micros()));
            *counted = Some(Counted { at, took: at.elapsed(), stats: Arc::clone(&stats) });
            stats
        });
        counted.await.unwrap_or_default()
    }

    async fn page(self: &Arc<Self>) -> String {
        let stats = self.stats().await;
        let numbers = self.numbers(&stats);
        telemetry::numbers::page(&numbers, &self.border.watch)
    }

    fn numbers(&self, stats: &Stats) -> Numbers {
        let border = &self.border;
        let site = border.site.load();
        let sessions = border.sessions.all();
        let logged_in = sessions.iter().filter(|open| open.now().login.is_some()).count() as u64;
        Numbers {
            version: env!("CARGO_PKG_VERSION"),
            started_unix_secs: unix_secs(self.started),
            listeners: site.listeners.iter().map(|it| listening(&it.settings, &it.gate)).collect(),
            sessions: [(sessions.len() as u64).saturating_sub(logged_in), logged_in],
            queue: Queue::of(stats, unix_micros()),
            bans: border.sources.state.bans_count() as u64,
            dns: border.sources.dns.as_ref().map(|dns| dns.counts()),
            dns_waited: border.sources.dns.as_ref().map(|dns| dns.waited()).unwrap_or_default(),
            lists: self.lists(),
            certificate_not_after_unix_secs: site.certificate().map(|it| unix_secs(it.not_after)),
            open_files: [open_files::used(), open_files::limit()],
            memory_octets: telemetry::memory_octets(),
            records_dropped: self.records_dropped(),
        }
    }

    fn lists(&self) -> Vec<List> {
        let lists = self.border.sources.reputation.lists.status().into_iter();
        let told = lists.map(|list| List {
            counts: list.counts(),
            name: list.name.to_string(),
            asked: [list.asked, list.listed, list.failed],
        });
        told.collect()
    }

    async fn look(self: &Arc<Self>, has_stalled: bool) -> Look {
        let stats = self.stats().await;
        let health = self.health().await;
        health.clone_into(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner));
        let border = &self.border;
        let lists = border.sources.reputation.lists.status().into_iter();
        let sources = [("directory", health.directory), ("state", health.state)];
        let certificate = border.site.load().certificate();
        let certificate = certificate.filter(|it| serve::certificate::is_ending(it, SystemTime::now()));
        Look {
            oldest: telemetry::oldest(&stats, unix_micros()),
            messages: stats.messages,
            messages_before: border.watch.pass(stats.messages),
            recipients: stats.recipients,
            by_login: stats.login_recipients.clone(),
            pads: border.watch.pads.look(),
            is_young: border.watch.is_young(),
            certificate_days: certificate.map(|it| days_until(it.not_after)),
            broken_lists: lists.filter(|list| list.tripped).map(|list| list.name.to_string()).collect(),
            store: health
                .spool
                .or_else(|| has_stalled.then(|| "the disk refused to write or sync the queue".to_owned())),
            sources: sources.into_iter().filter_map(|(name, fault)| Some((name, fault?))).collect(),
            records_dropped: 0,
        }
    }

    async fn health(&self) -> Health {
        let (sources, spool) = (&self.border.sources, &self.border.spool);
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        // Whoever asks is no mail: nothing that is held goes for the question.
        let spool = spool.has_room(0).err().map(|error| error.to_string());
        let (directory, state) =
            tokio::join!(fault(sources.directory.rights_mark()), fault(sources.state.evidence_at(here)),);
        let listeners = self.border.sessions.is_stopping().then(|| "the server is stopping".to_owned());
        Health { spool, directory, state, listeners }
    }
}

/// What is wrong, if it does not answer well and in time.
async fn fault<T, E: std::fmt::Display>(asked: impl Future<Output = Result<T, E>>) -> Option<String> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => answer.err().map(|error| error.to_string()),
        Err(_) => Some(format!("no answer within {} seconds", ANSWER.as_secs())),
    }
}

fn listening(settings: &config::Listener, gate: &listen::Gate) -> Listening {
    Listening {
        name: settings.name.to_string(),
        open: [gate.held() as u64, settings.connections_max as u64],
        met: [Met::Served, Met::TurnedAway, Met::Failed].map(|met| gate.count(met)),
    }
}

/// Whole days until then; less than 0: so many days over, begun ones among them.
pub(crate) fn days_until(end: SystemTime) -> i64 {
    let days = |span: Duration| i64::try_from(span.as_secs() / 86_400).unwrap_or(i64::MAX);
    match end.duration_since(SystemTime::now()) {
        Ok(left) => days(left),
        Err(over) => -1 - days(over.duration()),
    }
}

fn unix_secs(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// An alarm as a mail into our own queue. It is ours as a notice is: if it cannot be delivered nobody is told, and no alarm comes of
/// it but that of a queue that does not move, which has its quiet time.
async fn post(border: &Border, to: &str, message: &Message) -> Result<(), String> {
    let targets = serve::deliver::targets(border, to).await.map_err(|error| error.to_string())?;
    if targets.is_empty() {
        return Err(format!("{to} has no mailbox"));
    }
    let incoming = border.spool.incoming();
    let date = Zoned::now().strftime("%a, %d %b %Y %H:%M:%S %z").to_string();
    let letter = telemetry::letter(message, to, &incoming.id().to_string(), &date);
    let envelope = telemetry::envelope(to, targets, letter.len(), unix_micros());
    incoming.commit(envelope, letter).await.map(drop).map_err(|error| error.to_string())
}
