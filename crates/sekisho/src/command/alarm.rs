//! `sekisho alarm`.

use super::{
    args::Alarm,
    client,
    fault::{Exit, Fault},
    global::Global,
    table::{printable, show},
};
use admin::client::Method;
use admin::wire;
use terminal::time;

pub(super) async fn run(command: Alarm, global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    match command {
        Alarm::List => {
            let alarms: Vec<wire::Alarm> = client.get("/v1/alarms").await?;
            show(global.form(), &alarms, |alarms| text(alarms))?;
            in_force(&alarms)
        }
        Alarm::Test => {
            client.tell(Method::POST, "/v1/alarms/test", None::<&()>).await?;
            show(global.form(), &serde_json::json!({ "ok": true }), |_| {
                "Sent; what became of it stands in the log.".to_owned()
            })
        }
    }
}

/// Each with what to do.
pub(super) fn text(alarms: &[wire::Alarm]) -> String {
    if alarms.is_empty() {
        return "No alarm is in force.".to_owned();
    }
    let told = alarms.iter().map(|alarm| {
        let of = if alarm.subject.is_empty() { String::new() } else { format!(" ({})", printable(&alarm.subject)) };
        let mut lines = vec![
            format!("{}: {}{of}, since {}", alarm.level, alarm.title, time::shown(&alarm.since)),
            format!("  {}", printable(&alarm.detail)),
            format!("  {}", alarm.todo),
        ];
        lines.extend(alarm.commands.iter().map(|command| format!("    {}", printable(command))));
        lines.join("\n")
    });
    told.collect::<Vec<_>>().join("\n")
}

/// The exit code for monitoring.
pub(super) fn in_force(alarms: &[wire::Alarm]) -> Result<(), Fault> {
    if alarms.is_empty() { Ok(()) } else { Err(Fault::silent(Exit::No)) }
}
