//! `sekisho relay`: whether relaying is locked down.

use super::{
    args::Relay,
    client,
    fault::{Exit, Fault},
    global::Global,
    table::{printable, show},
};
use admin::client::Method;
use admin::wire;
use terminal::time;

pub(super) async fn run(command: Relay, global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    match command {
        Relay::Status => {
            let status: wire::Relay = client.get("/v1/relay").await?;
            show(global.form(), &status, text)?;
            if status.locked { Err(Fault::silent(Exit::No)) } else { Ok(()) }
        }
        Relay::Unlock => {
            let count: wire::Count = client.ask(Method::DELETE, "/v1/relay/lock", None::<&()>).await?;
            show(global.form(), &count, |it| format!("{} unlocked.", it.count))?;
            if count.count == 0 { Err(Fault::new(Exit::No, anyhow::anyhow!("nothing was locked"))) } else { Ok(()) }
        }
    }
}

fn text(status: &wire::Relay) -> String {
    let locked = if status.locked { "locked: only SMTP AUTH relays" } else { "by every right" };
    let mut lines = vec![format!("relaying       {locked}")];
    lines.extend(
        status
            .locked
            .then(|| format!("since          {}", status.since.as_deref().map(time::shown).unwrap_or_default())),
    );
    lines.extend(status.causes.iter().map(|cause| format!("passed         {}", printable(cause))));
    let probed = status.probed_at.as_deref().map_or_else(|| "not yet since the start".to_owned(), time::shown);
    lines.push(format!("probed         {probed}, {} recipients tried, {} passed", status.tried, status.passed.len()));
    lines.push(format!("alarms         {}", status.alarms));
    lines.join("\n")
}
