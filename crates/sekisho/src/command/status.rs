//! `sekisho status`.

use super::{
    alarm, client,
    fault::Fault,
    global::Global,
    table::{or_blank, printable, show, table, warnings},
};
use admin::wire::{ListenerStatus, RecordsStatus, Status};

pub(super) async fn run(global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    let status: Status = client.get("/v1/status").await?;
    show(global.form(), &status, text)?;
    alarm::in_force(&status.alarms)
}

fn text(status: &Status) -> String {
    let known = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let queue = &status.queue;
    let mut lines = vec![
        ("version", status.version.clone()),
        ("started", format!("{} ({} ago)", status.started_at, span(status.uptime_secs))),
        ("configuration", format!("{} of {}", printable(&status.file), status.loaded_at)),
        ("open files", format!("{} of {}", known(status.open_files), known(status.open_files_max))),
        ("sessions", format!("{}, {} logged in", status.sessions, status.sessions_logged_in)),
        ("bans", status.bans.to_string()),
        (
            "relaying",
            if status.relay_locked { "LOCKED: see sekisho relay status" } else { "by every right" }.to_owned(),
        ),
        (
            "queue",
            format!(
                "{} messages, {} active, {} deferred, {} held, oldest {}",
                queue.messages,
                queue.active,
                queue.deferred,
                queue.held,
                queue.oldest_arrived_at.as_deref().unwrap_or("none")
            ),
        ),
        ("records", status.records.as_ref().map_or_else(|| "none are kept".to_owned(), records)),
        ("never granted", [status.gateways.as_slice(), &status.own_addresses].concat().join(" ")),
    ];
    let certificate = status.certificate.as_ref();
    lines.push(("certificate", or_blank(certificate.map(|it| format!("until {}", it.not_after)).as_ref())));
    let lines: String =
        lines.iter().map(|(name, value)| format!("{name:<14} {value}").trim_end().to_owned() + "\n").collect();
    let row = |it: &ListenerStatus| {
        let connections = format!("{} of {}", it.connections, it.connections_max);
        [it.name.clone(), it.protocol.clone(), connections, it.load.clone(), it.bind.join(" ")]
    };
    let listeners = table(["LISTENER", "PROTOCOL", "CONNECTIONS", "LOAD", "AT"], status.listeners.iter().map(row));
    let faults = certificate.map(|it| warnings(&it.warnings)).unwrap_or_default();
    let alarms = if status.alarms.is_empty() { String::new() } else { alarm::text(&status.alarms) + "\n\n" };
    format!("{alarms}{faults}{lines}\n{listeners}")
}

fn records(status: &RecordsStatus) -> String {
    let RecordsStatus { records, octets, first_at, dropped, counted_only } = status;
    let first = first_at.as_deref().unwrap_or("none");
    format!("{records} in {octets} octets, oldest {first}, {dropped} dropped, {counted_only} only counted")
}

/// Seconds in the two largest units that they have.
fn span(secs: u64) -> String {
    let (minutes, hours, days) = (secs / 60, secs / 3_600, secs / 86_400);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min {} s", secs % 60),
        () => format!("{secs} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_span_has_two_units() {
        for (secs, text) in [(0, "0 s"), (61, "1 min 1 s"), (3_600, "1 h 0 min"), (90_061, "1 d 1 h")] {
            assert_eq!(span(secs), text);
        }
    }
}
