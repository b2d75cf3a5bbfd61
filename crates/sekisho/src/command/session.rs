//! `sekisho session`.

use super::{
    args::{Session, full},
    client,
    fault::{Exit, Fault},
    global::Global,
    table::{list, show, when},
};
use admin::client::{Method, percent};
use admin::wire;

pub(super) async fn run(command: Session, global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    match command {
        Session::List => {
            let sessions: Vec<wire::Session> = client.get("/v1/sessions").await?;
            show(global.form(), &sessions, |sessions| {
                let row = |it: &wire::Session| {
                    let login = it.device.as_ref().or(it.login.as_ref()).cloned().unwrap_or_default();
                    let (listener, client) = (it.listener.clone(), it.client.clone());
                    [it.session.clone(), listener, client, login, when(Some(&it.begun_at))]
                };
                let header = ["SESSION", "LISTENER", "CLIENT", "LOGIN", "SINCE"];
                list(header, sessions.iter().map(row), ["session", "sessions"])
            })
        }
        Session::Cut { session, login, client: from, all } => {
            let mut query = vec![format!("all={all}")];
            query.extend(session.map(|it| format!("session={}", percent(&it))));
            query.extend(full(login.as_ref(), global)?.map(|it| format!("login={}", percent(&it))));
            query.extend(from.map(|it| format!("client={}", percent(&it.to_string()))));
            let path = format!("/v1/sessions?{}", query.join("&"));
            let count: wire::Count = client.ask(Method::DELETE, &path, None::<&()>).await?;
            show(global.form(), &count, |it| format!("{} cut.", it.count))?;
            if count.count == 0 {
                Err(Fault::new(Exit::No, anyhow::anyhow!("there was no such session")))
            } else {
                Ok(())
            }
        }
    }
}
