//! `sekisho explain`: why something was decided as it was, or what would become of a session.

use std::net::IpAddr;

use super::{
    args::{Explain, full},
    client,
    fault::{Exit, Fault},
    global::Global,
    records::{Source, damage, listing},
    table::{printable, show, warnings},
};
use ::records::{Kept, explain};
use admin::client::percent;
use admin::wire::{Explained, RecordsOfId};

pub(super) async fn run(args: Explain, global: &Global) -> Result<(), Fault> {
    match (&args.id, args.client) {
        (Some(id), _) => {
            let found = Source::open(global).await?.of_id(id).await?;
            show(global.form(), &found, text)
        }
        (None, Some(client)) => imagined(&args, client, global).await,
        (None, None) => Err(Fault::new(Exit::Usage, anyhow::anyhow!("an id, or --client IP"))),
    }
}

/// Of a session that nobody had.
async fn imagined(args: &Explain, client: IpAddr, global: &Global) -> Result<(), Fault> {
    let (client, tls) = (client.to_string(), args.tls.then_some("true"));
    let auth = full(args.auth.as_ref(), global)?;
    let told = [
        ("client", Some(client.as_str())),
        ("helo", args.helo.as_deref()),
        ("from", args.from.as_deref()),
        ("to", args.to.as_deref()),
        ("auth", auth.as_deref()),
        ("listener", args.listener.as_deref()),
        ("tls", tls),
    ];
    let told = told.iter().filter_map(|(name, value)| Some(format!("{name}={}", percent((*value)?))));
    let query: Vec<String> = told.collect();
    let mut server = client::server(global).await?;
    let explained: Explained = server.get(&format!("/v1/explain?{}", query.join("&"))).await?;
    let decision: Kept = serde_json::from_value(explained.decision.clone()).map_err(anyhow::Error::from)?;
    show(global.form(), &explained, |explained| {
        let banned = "The client is banned: it would get no further than the connection (sekisho ban lift)\n";
        let banned = if explained.banned { banned } else { "" };
        banned.to_owned() + lines(&decision, &explained.accepted_if).trim_end()
    })?;
    if explained.banned || decision.is_refusal() { Err(Fault::silent(Exit::No)) } else { Ok(()) }
}

fn lines(kept: &Kept, accepted_if: &[String]) -> String {
    explain::text(kept, accepted_if).lines().map(|line| printable(line) + "\n").collect()
}

fn text(found: &RecordsOfId) -> String {
    let mut text = warnings(&Vec::from_iter(damage(found.damaged)));
    for (at, kept) in found.records.iter().enumerate() {
        text += &lines(kept, found.accepted_if.get(at).map_or(&[], Vec::as_slice));
    }
    if !found.session.is_empty() {
        let heading = if found.records.is_empty() { "The session" } else { "Others of its session" };
        text.extend([heading, "\n", &listing(&found.session)]);
    }
    text.trim_end().to_owned()
}
