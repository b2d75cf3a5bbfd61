//! A spool with delivery on it, and the hosts it talks to: a mail sink and a name server on loopback.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several tests, each of which uses a part of it"
)]

#[path = "../../../dns/tests/name_server/mod.rs"]
pub mod name_server;
pub mod sink;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use delivery::{Config, Delivery, FateKind, Limits, Lookups, Mailbox, Mx, OverQuota, Own, RemoteRoute, Smarthost, Tls};
use maildir::Quota;
use spool::{Envelope, Origin, Ownership, QueueId, Recipient, Sender, Spool, SpoolConfig, Target};
use tokio::sync::mpsc;

/// Longest wait for anything that is bound to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A fate as told, owned.
#[derive(Debug, Clone)]
pub struct Told {
    pub queue_id: QueueId,
    pub forward_path: String,
    pub kind: FateKind,
    pub relay: String,
    pub reply: String,
}

/// Everything on one temporary folder.
pub struct Station {
    pub dir: tempfile::TempDir,
    pub spool: Arc<Spool>,
    pub delivery: Delivery,
    fates: mpsc::UnboundedReceiver<Told>,
}

impl Station {
    pub fn start(route: impl FnOnce(&Path) -> RemoteRoute, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(SpoolConfig::new(dir.path().join("spool"))).unwrap();
        let mut mailboxes = HashMap::new();
        for (login, quota) in [("alice", Quota::NONE), ("full", Quota { octets: Some(10), messages: None })] {
            let path = dir.path().join(login);
            maildir::create(&path).unwrap();
            mailboxes.insert(format!("{login}@example.test"), Mailbox { path, quota });
        }
        maildir::create(&dir.path().join("sink")).unwrap();
        let mut config = config(route(dir.path()));
        change(&mut config);
        let (sender, fates) = mpsc::unbounded_channel();
        let on_fate: delivery::OnFate = Arc::new(move |fate| {
            let _ = sender.send(Told {
                queue_id: fate.queue_id,
                forward_path: fate.forward_path.to_owned(),
                kind: fate.kind,
                relay: fate.relay.to_owned(),
                reply: fate.reply.to_owned(),
            });
        });
        let lookups = lookups(mailboxes, dir.path().join("mail"));
        let delivery = Delivery::start(config, Arc::clone(&spool), lookups, on_fate).unwrap();
        Self { dir, spool, delivery, fates }
    }

    /// Queues a message; it is durable when this returns.
    pub async fn post(&self, envelope: Envelope, message: &str) -> QueueId {
        self.spool.incoming().commit(envelope, message.as_bytes().to_vec()).await.unwrap()
    }

    pub async fn fate(&mut self) -> Told {
        tokio::time::timeout(PATIENCE, self.fates.recv()).await.expect("a fate in time").unwrap()
    }

    pub async fn fates(&mut self, count: usize) -> Vec<Told> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(self.fate().await);
        }
        all
    }

    /// The messages in a mailbox, with LF.
    pub fn mailbox(&self, login: &str) -> Vec<String> {
        let new = self.dir.path().join(login).join("new");
        let mut files: Vec<PathBuf> = std::fs::read_dir(new).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

fn lookups(mailboxes: HashMap<String, Mailbox>, root: PathBuf) -> Lookups {
    Lookups {
        maildir_root: Arc::new(move || root.clone()),
        mailbox: Arc::new(move |login| {
            let found = mailboxes.get(login).cloned();
            Box::pin(async move { Ok(found) })
        }),
        targets: Arc::new(|address| {
            let account = address.to_owned();
            Box::pin(async move { Ok(vec![Target::Maildir { account }]) })
        }),
    }
}

fn config(route: RemoteRoute) -> Config {
    Config {
        hostname: "mx.example.test".into(),
        route,
        own: Own { names: vec!["mx.example.test".into()], addresses: Vec::new(), loopback_is_foreign: true },
        over_quota: OverQuota::Fail,
        verified_tls: sink::trusting_config(),
        limits: Limits { connect: Duration::from_secs(5), reply: Duration::from_secs(10), ..Limits::default() },
    }
}

pub fn smarthost(to: SocketAddr, tls: Tls) -> RemoteRoute {
    RemoteRoute::Smarthost(Smarthost { host: "localhost".into(), port: to.port(), tls, credentials: None })
}

pub fn mx(port: u16, name_server: SocketAddr) -> RemoteRoute {
    let settings = dns::Settings { servers: vec![name_server], timeout: Duration::from_secs(3) };
    let resolver = Arc::new(dns::Resolver::new(&settings).unwrap());
    RemoteRoute::Mx(Mx { port, tls: Tls::Opportunistic, resolver })
}

pub fn account() -> Origin {
    Origin::Account(sender(Some("alice@example.test"), Ownership::Proved))
}

/// From a network, with a reverse-path that nobody proved.
pub fn network() -> Origin {
    Origin::Account(sender(None, Ownership::Unproved))
}

fn sender(login: Option<&str>, reverse_path: Ownership) -> Sender {
    let grant = if login.is_some() { "auth" } else { "network" };
    Sender { login: login.map(str::to_owned), account_id: None, grant: grant.to_owned(), client: None, reverse_path }
}

pub fn micros_ago(age: Duration) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(now.saturating_sub(age).as_micros()).unwrap()
}

/// From alice, for addresses elsewhere.
pub fn remote(origin: Origin, addresses: &[&str]) -> Envelope {
    let target = |address: &str| Target::Remote { host: address.rsplit_once('@').unwrap().1.to_owned() };
    envelope(origin, addresses, target)
}

pub fn envelope(origin: Origin, addresses: &[&str], target: impl Fn(&str) -> Target) -> Envelope {
    let recipient = |address: &&str| Recipient {
        forward_path: (*address).to_owned(),
        target: target(address),
        notify: 0,
        orcpt: None,
        via: None,
    };
    Envelope {
        reverse_path: "alice@example.test".into(),
        recipients: addresses.iter().map(recipient).collect(),
        origin,
        arrived_at_unix_micros: micros_ago(Duration::ZERO),
        session: "s1".into(),
        smtputf8: false,
        eight_bit: false,
        envid: None,
        ret: None,
        message_octets: 20,
    }
}
