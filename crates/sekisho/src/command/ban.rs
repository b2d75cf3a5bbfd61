//! `sekisho ban`.

use super::{
    args::Ban,
    client,
    fault::{Exit, Fault},
    global::Global,
    table::{list, printable, show, when},
};
use admin::client::{Method, percent};
use admin::wire;
use terminal::time;

pub(super) async fn run(command: Ban, global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    match command {
        Ban::Add { address, minutes, reason } => {
            let new = wire::NewBan { address: address.to_string(), minutes, reason };
            let ban: wire::Ban = client.ask(Method::POST, "/v1/bans", Some(&new)).await?;
            show(global.form(), &ban, |it| format!("{} is banned until {}.", it.address, time::shown(&it.until)))
        }
        Ban::List => {
            let bans: Vec<wire::Ban> = client.get("/v1/bans").await?;
            show(global.form(), &bans, |bans| {
                let row = |it: &wire::Ban| {
                    let reason = printable(&it.reason);
                    [it.address.clone(), reason, when(Some(&it.since)), when(Some(&it.until)), it.before.to_string()]
                };
                let header = ["ADDRESS", "REASON", "SINCE", "UNTIL", "BEFORE"];
                list(header, bans.iter().map(row), ["ban", "bans"])
            })
        }
        Ban::Lift { address, all } => {
            let mut query = vec![format!("all={all}")];
            query.extend(address.map(|it| format!("address={}", percent(&it.to_string()))));
            let path = format!("/v1/bans?{}", query.join("&"));
            let count: wire::Count = client.ask(Method::DELETE, &path, None::<&()>).await?;
            show(global.form(), &count, |it| format!("{} lifted.", it.count))?;
            if count.count == 0 { Err(Fault::new(Exit::No, anyhow::anyhow!("there was no such ban"))) } else { Ok(()) }
        }
    }
}
