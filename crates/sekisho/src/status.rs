//! The running server in numbers, for `sekisho status`.

use std::sync::Arc;
use std::time::SystemTime;

use admin::wire::{
    self, CertificateStatus, DnsList, FaultStatus, ListenerStatus, QueueStatus, RecordsStatus, Relay, RenewalStatus,
    Status,
};
use listen::open_files;
use serve::border::Border;
use serve::certificate;
use serve::site::{ListenerSite, Site};
use telemetry::Health;

use crate::watching::days_until;

/// What only the process knows.
pub struct Process {
    /// When it was started.
    pub started: SystemTime,
    /// The configuration's file.
    pub file: String,
    /// When that was read.
    pub loaded: SystemTime,
    /// How the certificate is renewed; `None`: not by us.
    pub renewal: Option<acme::State>,
    /// The last errors of the log.
    pub errors: Vec<String>,
    /// What works.
    pub health: Health,
}

/// All of it, now.
pub fn status(border: &Border, process: Process, queue: QueueStatus) -> Status {
    let site = border.site.load_full();
    let sessions = border.sessions.all();
    let never = site.terms.policy.relay.never();
    let logged_in = sessions.iter().filter(|open| open.now().login.is_some()).count();
    let texts = |addresses: &[std::net::IpAddr]| addresses.iter().map(ToString::to_string).collect();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: wire::system_time(process.started),
        // A clock that was put back is no negative time.
        uptime_secs: process.started.elapsed().map_or(0, |since| since.as_secs()),
        file: process.file,
        loaded_at: wire::system_time(process.loaded),
        listeners: site.listeners.iter().map(|it| listener(border, it)).collect(),
        open_files_max: open_files::limit(),
        open_files: open_files::used(),
        sessions: sessions.len() as u64,
        sessions_logged_in: logged_in as u64,
        bans: border.sources.state.bans_count() as u64,
        relay_locked: border.sources.relay_lock.relaying() == guard::Relaying::Locked,
        relay_alarms: border.sources.relay_lock.status().alarms,
        grants: None,
        faults: faults(process.health),
        errors: process.errors,
        queue,
        records: border.records.as_ref().map(|store| records(border, &store.status())),
        gateways: texts(never.gateways()),
        own_addresses: texts(never.own()),
        certificate: certificate_of(&site, process.renewal.as_ref()),
        alarms: Vec::new(),
    }
}

fn faults(health: Health) -> Vec<FaultStatus> {
    let Health { spool, directory, state, listeners } = health;
    let parts = [("spool", spool), ("directory", directory), ("state", state), ("listeners", listeners)];
    parts.into_iter().filter_map(|(part, what)| Some(FaultStatus { part: part.to_owned(), what: what? })).collect()
}

fn records(border: &Border, status: &records::Status) -> RecordsStatus {
    RecordsStatus {
        records: status.records,
        octets: status.octets,
        first_at: status.first.map(wire::system_time),
        dropped: status.dropped,
        counted_only: border.sources.records.flooded(),
    }
}

fn listener(border: &Border, site: &Arc<ListenerSite>) -> ListenerStatus {
    let set = &site.settings;
    let unix = set.unix.iter().map(|path| format!("unix:{}", path.display()));
    ListenerStatus {
        name: set.name.to_string(),
        protocol: set.protocol.name().to_owned(),
        bind: set.bind.iter().map(ToString::to_string).chain(unix).collect(),
        connections: site.gate.held() as u64,
        connections_max: set.connections_max as u64,
        load: serve::door::load(border, site).code().to_owned(),
    }
}

fn certificate_of(site: &Site, renewal: Option<&acme::State>) -> Option<CertificateStatus> {
    let shown = site.certificate()?;
    let faults = certificate::faults(&shown, &site.settings.hostname, SystemTime::now());
    Some(CertificateStatus {
        not_before: certificate::at(shown.not_before),
        not_after: certificate::at(shown.not_after),
        days_left: days_until(shown.not_after),
        warnings: faults.iter().map(|fault| fault.told(&site.settings)).collect(),
        renewal: renewal.map(|it| RenewalStatus {
            next_at: it.next.map(wire::system_time),
            failures: it.failures,
            failing_since: it.failing_since.map(wire::system_time),
            error: it.error.clone(),
        }),
    })
}

/// Whether relaying is locked down, for `sekisho relay status`.
pub(super) fn relay(border: &Border) -> Relay {
    let status = border.sources.relay_lock.status();
    let (locked, last) = (status.locked, status.last.unwrap_or_default());
    Relay {
        locked: locked.is_some(),
        alarms: status.alarms,
        since: locked.as_ref().map(|locked| locked.since.clone()),
        causes: locked.map(|locked| locked.causes).unwrap_or_default(),
        probed_at: Some(last.at).filter(|at| !at.is_empty()),
        tried: last.tried,
        passed: last.passed,
    }
}

/// The lists in DNS, for `sekisho dnsbl list`.
pub(super) fn lists(border: &Border) -> Vec<DnsList> {
    let lists = border.sources.reputation.lists.status();
    let told = lists.into_iter().map(|list| DnsList {
        counts: list.counts(),
        name: list.name.to_string(),
        kind: list.settings.kind.code().to_owned(),
        mode: list.settings.mode.code().to_owned(),
        standing: list.standings.iter().map(ToString::to_string).collect(),
        tripped: list.tripped,
        rests: list.rests,
        asked: list.asked,
        listed: list.listed,
        failed: list.failed,
        errors: list.errors,
        amends: list.amends,
        amends_count: list.amends_count as u64,
    });
    told.collect()
}
