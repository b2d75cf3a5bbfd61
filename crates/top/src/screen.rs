//! `sekisho status` as text: what an operator looks at each day, on one screen.

use admin::wire::{CertificateStatus, RecordsStatus, Status};
use keep::size;
use terminal::time::{shown, span};

/// Lines of the log that are shown.
const ERRORS_SHOWN: usize = 3;

/// A name and a value a line; without listeners and alarms, which are tables of their own.
pub fn rows(status: &Status) -> Vec<(&'static str, String)> {
    let known = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let errors = status.errors.iter().rev().take(ERRORS_SHOWN).rev();
    let mut rows = vec![
        ("version", status.version.clone()),
        ("started", format!("{}, for {}", shown(&status.started_at), span(status.uptime_secs))),
        ("configuration", format!("{} of {}", status.file, shown(&status.loaded_at))),
        ("certificate", status.certificate.as_ref().map(certificate).unwrap_or_default()),
        ("queue", queue(status)),
        ("stores", stores(status)),
        ("sessions", format!("{}, {} logged in", status.sessions, status.sessions_logged_in)),
        ("pop grants", known(status.grants)),
        ("bans", status.bans.to_string()),
        (
            "relaying",
            if status.relay_locked { "LOCKED: see sekisho relay status" } else { "by every right" }.to_owned(),
        ),
        ("records", status.records.as_ref().map_or_else(|| "none are kept".to_owned(), records)),
        ("open files", format!("{} of {}", known(status.open_files), known(status.open_files_max))),
        ("never granted", [status.gateways.as_slice(), &status.own_addresses].concat().join(" ")),
    ];
    if let Some(renewal) = status.certificate.as_ref().and_then(|it| it.renewal.as_ref()) {
        let text = match (&renewal.error, &renewal.next_at) {
            (Some(error), next) => format!(
                "FAILS since {}, {} times, again at {}: {error}",
                renewal.failing_since.as_deref().map_or_else(|| "now".to_owned(), shown),
                renewal.failures,
                next.as_deref().map_or_else(|| "once".to_owned(), shown),
            ),
            (None, Some(next)) => format!("at {}", shown(next)),
            (None, None) => "under way".to_owned(),
        };
        rows.insert(4, ("renewal", text));
    }
    rows.extend(errors.map(|line| ("last errors", line.clone())));
    rows
}

fn certificate(status: &CertificateStatus) -> String {
    match status.days_left {
        days @ ..0 => format!("EXPIRED {} days ago, at {}", -days, shown(&status.not_after)),
        days => format!("{days} days left, until {}", shown(&status.not_after)),
    }
}

fn queue(status: &Status) -> String {
    let queue = &status.queue;
    let oldest =
        queue.oldest_secs.map_or_else(|| "nothing waits".to_owned(), |secs| format!("oldest waits {}", span(secs)));
    format!(
        "{} messages, {} active, {} deferred, {} held, {oldest}",
        queue.messages, queue.active, queue.deferred, queue.held
    )
}

fn stores(status: &Status) -> String {
    let faults: Vec<String> =
        status.faults.iter().map(|fault| format!("{} FAILS: {}", fault.part, fault.what)).collect();
    if faults.is_empty() { "queue, accounts and login records work".to_owned() } else { faults.join("; ") }
}

fn records(status: &RecordsStatus) -> String {
    let RecordsStatus { records, octets, first_at, dropped, counted_only } = status;
    let first = first_at.as_deref().map_or_else(|| "none".to_owned(), shown);
    format!("{records} in {}, oldest {first}, {dropped} dropped, {counted_only} only counted", size::about(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_work_stands_out() {
        let status = json!({
            "version": "1", "started_at": "then", "uptime_secs": 5, "file": "f", "loaded_at": "then", "listeners": [],
            "open_files_max": null, "open_files": null, "sessions": 1, "sessions_logged_in": 0, "bans": 0, "records": null,
            "gateways": [], "own_addresses": [], "relay_locked": true,
            "queue": {"messages": 2, "active": 0, "deferred": 1, "held": 0, "oldest_arrived_at": null, "oldest_secs": 90_061},
            "faults": [{"part": "spool", "what": "full"}],
            "errors": ["one", "two", "three", "four"],
            "certificate": {"not_before": "a", "not_after": "b", "days_left": -2, "warnings": [],
                "renewal": {"next_at": "c", "failures": 4, "failing_since": "d", "error": "e"}},
        });
        let rows = rows(&serde_json::from_value(status).expect("a status"));
        let of = |name: &str| rows.iter().filter(|row| row.0 == name).map(|row| &*row.1).collect::<Vec<_>>();
        assert_eq!(of("certificate"), ["EXPIRED 2 days ago, at b"]);
        assert_eq!(of("renewal"), ["FAILS since d, 4 times, again at c: e"]);
        assert_eq!(of("stores"), ["spool FAILS: full"]);
        assert_eq!(of("queue"), ["2 messages, 0 active, 1 deferred, 0 held, oldest waits 1 d 1 h"]);
        assert_eq!(of("pop grants"), ["?"]);
        assert_eq!(of("last errors"), ["two", "three", "four"]);
        assert!(of("relaying")[0].starts_with("LOCKED"));
    }
}
