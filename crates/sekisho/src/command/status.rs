//! `sekisho status`.

use super::{
    alarm, client,
    fault::Fault,
    global::Global,
    table::{printable, show, table, warnings},
};
use admin::wire::{ListenerStatus, Status};
use top::screen;

pub(super) async fn run(global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    let status: Status = client.get("/v1/status").await?;
    show(global.form(), &status, text)?;
    alarm::in_force(&status.alarms)
}

fn text(status: &Status) -> String {
    let lines = screen::rows(status).into_iter();
    let lines: String =
        lines.map(|(name, value)| format!("{name:<14} {}", printable(&value)).trim_end().to_owned() + "\n").collect();
    let row = |it: &ListenerStatus| {
        let connections = format!("{} of {}", it.connections, it.connections_max);
        [it.name.clone(), it.protocol.clone(), connections, it.load.clone(), it.bind.join(" ")]
    };
    let listeners = table(["LISTENER", "PROTOCOL", "CONNECTIONS", "LOAD", "AT"], status.listeners.iter().map(row));
    let faults = status.certificate.as_ref().map(|it| warnings(&it.warnings)).unwrap_or_default();
    let alarms = if status.alarms.is_empty() { String::new() } else { alarm::text(&status.alarms) + "\n\n" };
    format!("{alarms}{faults}{lines}\n{listeners}")
}
