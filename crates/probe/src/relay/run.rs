//! Plays all probes, one after the other and paced, and then looks whether a mail arrived.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use smtp::Mailbox;
use tokio::time::{Instant, sleep, timeout};

use super::catalog::probes;
use super::fill::{Values, literal};
use super::mail::Token;
use super::outcome::{Counts, Outcome, Played, Verdict};
use super::sink;
use super::talk::{self, Numbered, Setting, shown};
use super::wire::{Times, Wire, WireFault};
use crate::target::Target;

/// How long a name is looked up.
const LOOK_UP: Duration = Duration::from_secs(10);
/// How long a server is waited for: longer than the delays by which servers tell programs from mail servers.
const REPLY: Duration = Duration::from_secs(30);
/// How long a server may be silent before no more replies are expected: on this machine, and elsewhere.
const QUIET: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];
/// Before a probe that had no answer is played a second time.
const AGAIN: Duration = Duration::from_secs(1);
/// After so many in a row without an answer there will be none.
const UNANSWERED_MAX: usize = 3;
/// The longest that all of them may take, beside their pace.
const RUN_MAX: Duration = Duration::from_mins(30);
/// How often the sink is looked into, and for how long nothing more must have come where something did.
const LOOK: Duration = Duration::from_millis(200);
const SETTLED: Duration = Duration::from_secs(2);
/// Where there is no sink: a domain that exists and takes no mail (RFC 2606, RFC 7505). None is sent there.
const TARGET: [&str; 2] = ["relaytest", "example.com"];

/// Where mail goes that is relayed.
#[derive(Debug, Clone)]
pub struct Sink {
    /// A mailbox of the operator's at another server.
    pub address: Mailbox,
    /// Its Maildir, if it is on this machine.
    pub maildir: Option<PathBuf>,
    /// How long it is waited for there.
    pub wait: Duration,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub target: Target,
    /// Its operator says that it is his own. Without that only a host on this machine is probed.
    pub is_confirmed: bool,
    /// The own address to come from; `None`: the system's choice.
    pub source: Option<IpAddr>,
    /// What the prober calls itself; `None`: its address.
    pub helo: Option<String>,
    /// A mailbox of the server; `None`: postmaster of the domain that its name is in.
    pub local_user: Option<Mailbox>,
    /// Pause before each probe.
    pub pace: Duration,
    /// Where relayed mail goes.
    pub sink: Option<Sink>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// As it was named.
    pub host: String,
    /// Where that is.
    pub address: SocketAddr,
    /// What the server calls itself.
    pub name: String,
    /// When it began, RFC 3339.
    pub began: String,
    /// Open, closed or uncertain.
    pub verdict: Verdict,
    /// How many probes came to what.
    pub counts: Counts,
    /// Where mail was to arrive.
    pub sink: Option<String>,
    /// What it bears.
    pub token: Option<Token>,
    /// Each probe.
    pub probes: Vec<Played>,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Somebody else's host, as far as is known.
    #[error(
        "{0} is not an address of this machine: relay probes look like an attack, so probe only a server that you run, and say so by --i-run-this-host"
    )]
    NotYours(IpAddr),
    /// The name leads nowhere.
    #[error("{host}: no address found: {why}")]
    NoAddress {
        /// The name.
        host: String,
        /// What the system says.
        why: String,
    },
    /// Nobody serves there.
    #[error("{server}: {why}")]
    NotReached {
        /// Where.
        server: SocketAddr,
        /// What happened.
        why: String,
    },
    /// The sink's Maildir cannot be read.
    #[error("{path}: {why}")]
    NoSink {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A fault of ours.
    #[error("{0}")]
    Broken(String),
}

impl RunError {
    /// Whether the command was used wrongly: a second try would end the same.
    pub fn is_misuse(&self) -> bool {
        matches!(self, Self::NotYours(_) | Self::NoSink { .. })
    }
}

/// Plays every probe against the server. `told` hears of each that is done, with how many there are.
pub async fn run(plan: &Plan, told: &mut (dyn FnMut(&Played, usize) + Send)) -> Result<Report, RunError> {
    let server = address(plan).await?;
    let quiet = QUIET[usize::from(!is_local(server.ip()))];
    let times = Times { reply: REPLY, quiet };
    let began = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let values = values(plan, server, times).await?;
    let token =
        plan.sink.is_some().then(Token::new).transpose().map_err(|error| RunError::Broken(error.to_string()))?;
    let mut watch = Watch::begin(plan.sink.as_ref(), token.as_ref())?;
    let setting = Setting { server, source: plan.source, times, values: &values, token: token.as_ref() };
    let mut played = all(&setting, plan.pace, told).await?;
    watch.finish(&mut played).await?;
    Ok(Report {
        host: plan.target.to_string(),
        address: server,
        name: values.local_host.clone(),
        began,
        verdict: Verdict::of(&played),
        counts: Counts::of(&played),
        sink: plan.sink.as_ref().map(|sink| sink.address.to_string()),
        token,
        probes: played,
    })
}

/// The server's address, if it may be probed.
async fn address(plan: &Plan) -> Result<SocketAddr, RunError> {
    let Target { host, port } = &plan.target;
    let none = |why: String| RunError::NoAddress { host: host.clone(), why };
    let found = match timeout(LOOK_UP, tokio::net::lookup_host((host.as_str(), *port))).await {
        Ok(Ok(mut found)) => found.find(|it| plan.source.is_none_or(|source| source.is_ipv4() == it.is_ipv4())),
        Ok(Err(error)) => return Err(none(error.to_string())),
        Err(_) => return Err(none("it took too long".to_owned())),
    };
    let server = found.ok_or_else(|| none("none of the source's kind".to_owned()))?;
    let ip = server.ip().to_canonical();
    if plan.is_confirmed || is_local(ip) { Ok(SocketAddr::new(ip, *port)) } else { Err(RunError::NotYours(ip)) }
}

/// Whether an address is of this machine: the system lets a socket have it. Relay probes look like an attack to whoever did not
/// ask for them.
pub(super) fn is_local(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    if ip.is_multicast() || ip.is_unspecified() {
        return false;
    }
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

/// Looks how the server greets: its name stands there, and whether anybody serves.
async fn values(plan: &Plan, server: SocketAddr, times: Times) -> Result<Values, RunError> {
    let failed = |why: &WireFault| RunError::NotReached { server, why: shown(&why.to_string()) };
    let mut wire = Wire::connect(server, plan.source, times).await.map_err(|fault| failed(&fault))?;
    let greeting = wire.reply().await.map_err(|fault| failed(&fault))?;
    let own = wire.own_address();
    let _ = wire.send(b"QUIT\r\n").await;
    if greeting.code != 220 {
        return Err(failed(&WireFault::Unwelcome(greeting.to_string())));
    }
    let is_name = |it: char| it.is_ascii_alphanumeric() || ".-_".contains(it);
    let named = greeting.text.split_whitespace().next().filter(|name| name.contains('.') && name.chars().all(is_name));
    let local_host = named.map_or_else(|| format!("[{}]", literal(server.ip())), str::to_owned);
    let (local_user, local_domain) = match &plan.local_user {
        Some(mailbox) => split(mailbox),
        None => ("postmaster".to_owned(), domain_of(&local_host)),
    };
    let (target_user, target_domain) = match &plan.sink {
        Some(sink) => split(&sink.address),
        None => (TARGET[0].to_owned(), TARGET[1].to_owned()),
    };
    let helo =
        plan.helo.clone().unwrap_or_else(|| own.map_or("[127.0.0.1]".to_owned(), |ip| format!("[{}]", literal(ip))));
    Ok(Values { target_user, target_domain, local_user, local_domain, local_host, local_ip: server.ip(), helo })
}

/// As it is written on the wire.
fn split(mailbox: &Mailbox) -> (String, String) {
    let written = mailbox.to_string();
    let (user, host) = written.rsplit_once('@').unwrap_or((&written, ""));
    (user.to_owned(), host.to_owned())
}

/// The domain that a host is in; a name of two labels is taken for the domain itself.
fn domain_of(host: &str) -> String {
    match host.split_once('.') {
        Some((_, domain)) if domain.contains('.') && !host.starts_with('[') => domain.to_owned(),
        _ => host.to_owned(),
    }
}

async fn all(
    setting: &Setting<'_>,
    pace: Duration,
    told: &mut (dyn FnMut(&Played, usize) + Send),
) -> Result<Vec<Played>, RunError> {
    let probes = probes().map_err(|error| RunError::Broken(error.to_string()))?;
    let count = u32::try_from(probes.len()).unwrap_or(u32::MAX);
    let end = Instant::now() + RUN_MAX + pace.saturating_mul(count);
    let (mut played, mut unanswered) = (Vec::<Played>::new(), 0);
    for (number, probe) in (1..).zip(&probes) {
        let numbered = Numbered { number, probe };
        let mut one = if unanswered >= UNANSWERED_MAX || Instant::now() > end {
            talk::given_up(setting, numbered)
        } else {
            sleep(pace).await;
            talk::play(setting, numbered).await
        };
        if one.outcome == Outcome::Unanswered && unanswered == 0 {
            sleep(AGAIN.max(pace)).await;
            one = talk::play(setting, numbered).await;
        }
        match one.outcome {
            Outcome::Unanswered => unanswered += 1,
            Outcome::Skipped => {}
            _ => unanswered = 0,
        }
        told(&one, probes.len());
        played.push(one);
    }
    Ok(played)
}

/// Waits for mails in the sink's Maildir.
struct Watch<'a> {
    to: Option<Waited<'a>>,
    seen: BTreeSet<String>,
}

struct Waited<'a> {
    maildir: &'a Path,
    wait: Duration,
    token: &'a Token,
}

impl<'a> Watch<'a> {
    /// What lies there now is none of this run's.
    fn begin(sink: Option<&'a Sink>, token: Option<&'a Token>) -> Result<Self, RunError> {
        let to = sink
            .zip(token)
            .and_then(|(sink, token)| Some(Waited { maildir: sink.maildir.as_deref()?, wait: sink.wait, token }));
        let mut watch = Self { to, seen: BTreeSet::new() };
        watch.look()?;
        Ok(watch)
    }

    fn look(&mut self) -> Result<Vec<usize>, RunError> {
        let Some(to) = &self.to else { return Ok(Vec::new()) };
        let failed = |error: std::io::Error| RunError::NoSink { path: to.maildir.to_owned(), why: error.to_string() };
        sink::look(to.maildir, to.token, &mut self.seen).map_err(failed)
    }

    /// Waits until every mail that was sent has arrived, nothing more comes, or the time is over.
    async fn finish(&mut self, played: &mut [Played]) -> Result<(), RunError> {
        let Some(wait) = self.to.as_ref().map(|to| to.wait) else { return Ok(()) };
        let began = Instant::now();
        let mut came: Option<Instant> = None;
        loop {
            for number in self.look()? {
                came = Some(Instant::now());
                if let Some(one) = played.iter_mut().find(|one| one.number == number) {
                    one.outcome = Outcome::Delivered;
                }
            }
            let missing = played.iter().any(|one| one.outcome == Outcome::Sent);
            let is_settled = came.is_some_and(|came| came.elapsed() >= SETTLED);
            if !missing || is_settled || began.elapsed() >= wait {
                break;
            }
            sleep(LOOK).await;
        }
        // What may be an address of the server's own stayed there.
        for one in played.iter_mut().filter(|one| one.outcome == Outcome::Sent && one.may_be_local) {
            one.outcome = Outcome::Local;
        }
        Ok(())
    }
}
