//! `sekisho relay`: whether relaying is locked down.
#![expect(clippy::format_push_string, reason = "text for people, not on the way of a mail")]

use super::{
    args::Relay,
    client,
    fault::{Exit, Fault},
    global::Global,
    table::{or_blank, printable, show},
};
use admin::client::Method;
use admin::wire;

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
    let mut text = format!("relaying       {locked}\n");
    if status.locked {
        text += &format!("since          {}\n", or_blank(status.since.as_ref()));
    }
    for cause in &status.causes {
        text += &format!("passed         {}\n", printable(cause));
    }
    let probed = status.probed_at.as_deref().unwrap_or("not yet since the start");
    text += &format!("probed         {probed}, {} recipients tried, {} passed\n", status.tried, status.passed.len());
    text += &format!("alarms         {}", status.alarms);
    text
}
