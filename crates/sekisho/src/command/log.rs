//! `sekisho log`.

mod relay;

use super::{
    args::{Log, Verify},
    client,
    fault::{Exit, Fault},
    global::Global,
    table::{list, printable, show, when},
};
use admin::audit::{Audit, Which, entry};
use admin::client::{Client, ClientError};
use anyhow::Context as _;
use keep::chain::Key;
use serde_json::Value;

pub(super) async fn run(command: Log, global: &Global) -> Result<(), Fault> {
    match command {
        Log::Admin { limit, hours, verify } => admin(limit, hours, &verify, global).await,
        Log::Relay(args) => relay::run(&args, global),
    }
}

async fn admin(limit: u32, hours: Option<u32>, verify: &Verify, global: &Global) -> Result<(), Fault> {
    if verify.verify {
        let settings = client::settings(global)?;
        let key = relay::key(&settings)?.derive(serve::CHANGES_PURPOSE);
        return relay::verify(Audit::new(&settings.data_dir, Key::new(key)).chain(), verify, global);
    }
    let which = Which { count: usize::try_from(limit).ok(), hours };
    let settings = client::settings(global)?;
    // The file says the same whether a server runs or not; who may only ask the server asks it.
    let changes: entry::Changes = match Client::connect(&settings.admin.socket).await {
        Ok(mut client) => {
            let hours = hours.map(|hours| format!("&hours={hours}")).unwrap_or_default();
            client.get(&format!("/v1/audit?count={limit}{hours}")).await?
        }
        Err(ClientError::NoServer { .. }) => {
            let read = Audit::read_in(&settings.data_dir, which).context("audit.jsonl");
            read.map_err(|error| Fault::new(Exit::Temporary, error))?
        }
        Err(error) => return Err(error.into()),
    };
    show(global.form(), &changes, text)
}

fn text(changes: &entry::Changes) -> String {
    let row = |it: &entry::Change| {
        let user = it.who.user.clone().unwrap_or_else(|| it.who.uid.to_string());
        let pid = it.who.pid.map(|pid| pid.to_string()).unwrap_or_default();
        let outcome = if it.done { "done".to_owned() } else { it.error.clone().unwrap_or_default() };
        [when(Some(&it.at)), user, pid, it.change.clone(), it.on.clone(), with(it), outcome]
    };
    let header = ["WHEN", "USER", "PID", "CHANGE", "ON", "WITH", "OUTCOME"];
    let text = list(header, changes.changes.iter().map(row), ["change", "changes"]);
    match changes.unreadable {
        0 => text,
        lines => format!("{text}\n{lines} of the lines cannot be read: most likely a write that a crash cut off."),
    }
}

/// `key=value`, lists with commas.
fn with(change: &entry::Change) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    let pairs = change.with.iter().map(|(key, value)| format!("{key}={}", printable(&shown(value))));
    pairs.collect::<Vec<_>>().join(" ")
}
