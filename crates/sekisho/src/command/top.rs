//! `sekisho top`.

use super::{
    args::Top,
    client,
    fault::{Exit, Fault},
    global::{Form, Global},
    table::{line, show},
};
use admin::wire::Activity;
use keep::Language;
use std::{env, io::IsTerminal as _};
use top::{Settings, TopError};

pub(super) async fn run(args: Top, global: &Global) -> Result<(), Fault> {
    if global.form() == Form::Json {
        let activity: Activity = client::server(global).await?.get("/v1/activity").await?;
        return show(Form::Json, &activity, |_| String::new());
    }
    let known = client::settings(global)?;
    let settings = Settings {
        socket: known.admin.socket.clone(),
        host: known.hostname.clone(),
        language: args.lang.map_or_else(Language::of_locale, Language::from),
        secs: args.interval,
        colours: std::io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
    };
    if args.once { line(&top::once(&settings).await.map_err(fault)?) } else { top::run(settings).await.map_err(fault) }
}

fn fault(error: TopError) -> Fault {
    match error {
        TopError::Server(error) => error.into(),
        TopError::NoTerminal => Fault::new(Exit::Usage, error),
        TopError::Terminal(_) => Fault::new(Exit::Temporary, error),
    }
}
