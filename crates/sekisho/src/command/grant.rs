//! `sekisho grant`.

use super::{
    args::{Grant, full},
    client,
    fault::{Exit, Fault},
    global::Global,
    table::{list, show, when, yes},
};
use admin::client::{Method, percent};
use admin::wire;
use terminal::time;

pub(super) async fn run(command: Grant, global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    match command {
        Grant::Add { address, login, minutes } => {
            let new = wire::NewGrant { address: address.to_string(), login: login.full(global)?, minutes };
            let grant: wire::Grant = client.ask(Method::POST, "/v1/grants", Some(&new)).await?;
            show(global.form(), &grant, |it| {
                format!("{} may relay as {} until {}.", it.address, whose(it), time::shown(&it.expires_at))
            })
        }
        Grant::List => {
            let grants: Vec<wire::Grant> = client.get("/v1/grants").await?;
            show(global.form(), &grants, |grants| {
                let row = |it: &wire::Grant| {
                    let shared = yes(it.shared);
                    let device = it.device.clone().unwrap_or_default();
                    [it.address.clone(), whose(it), device, when(Some(&it.expires_at)), it.source.clone(), shared]
                };
                let header = ["ADDRESS", "LOGIN", "DEVICE", "UNTIL", "BY", "SHARED"];
                list(header, grants.iter().map(row), ["grant", "grants"])
            })
        }
        Grant::Revoke { address, login, all } => {
            let mut query = vec![format!("all={all}")];
            query.extend(address.map(|it| format!("address={}", percent(&it.to_string()))));
            query.extend(full(login.as_ref(), global)?.map(|it| format!("login={}", percent(&it))));
            let path = format!("/v1/grants?{}", query.join("&"));
            let count: wire::Count = client.ask(Method::DELETE, &path, None::<&()>).await?;
            show(global.form(), &count, |it| format!("{} taken back.", it.count))?;
            if count.count == 0 {
                Err(Fault::new(Exit::No, anyhow::anyhow!("there was no such grant")))
            } else {
                Ok(())
            }
        }
    }
}

/// The account, or the server that told of somebody's login there.
fn whose(grant: &wire::Grant) -> String {
    let of_server = || grant.server.as_ref().map(|server| format!("(somebody at {server})"));
    grant.login.clone().or_else(of_server).unwrap_or_default()
}
