//! `sekisho audit`: who may relay, and what is dangerous in it.

use super::{
    client,
    fault::{Exit, Fault},
    global::Global,
    table,
};
use admin::{
    client::{Client, ClientError},
    wire,
};
use anyhow::{Context as _, anyhow};
use audit::{AskDns, Level, Report, show};
use clap::{Args, ValueEnum};
use config::Settings;
use directory::Directory;
use keep::Language;
use std::sync::Arc;
use terminal::progress;

/// `sekisho audit`
#[derive(Debug, Clone, Args)]
pub struct Audit {
    /// End with 1 if a finding is as bad as this
    #[arg(long, value_name = "LEVEL", default_value = "danger")]
    pub fail_on: FailOn,
    /// Also ask DNS: what your domains publish, and which relaying addresses are on your lists ([[dnsbl]])
    #[arg(long)]
    pub dns: bool,
}

/// How bad a finding must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Strangers may relay, or passwords can be read on the way
    Danger,
    /// This may happen
    Warning,
    /// Any finding
    Note,
}

pub(super) async fn run(args: Audit, global: &Global) -> Result<(), Fault> {
    let settings = client::settings(global)?;
    let waiting = progress::waiting("working out who may relay");
    let asked = if args.dns { AskDns::Yes } else { AskDns::No };
    let report = Box::pin(of(settings, asked, global)).await?;
    drop(waiting);
    let language = Language::of_locale();
    table::show(global.form(), &report, |report| show::text(report, language, &table::local_minute))?;
    let level = match args.fail_on {
        FailOn::Danger => Level::Danger,
        FailOn::Warning => Level::Warning,
        FailOn::Note => Level::Note,
    };
    match report.as_bad_as(level) {
        0 => Ok(()),
        count => Err(Fault::new(Exit::No, anyhow!("{count} of what was found: {} or worse", level.code()))),
    }
}

/// What the running server goes by; without one, what one would that starts now.
pub(super) async fn of(settings: Settings, ask: AskDns, global: &Global) -> Result<Report, Fault> {
    match Client::connect(&settings.admin.socket).await {
        Ok(mut server) => {
            client::without_sets(global, "the running server is asked")?;
            let path = if ask == AskDns::Yes { "/v1/rights?dns=true" } else { "/v1/rights" };
            let rights: wire::Rights = server.get(path).await?;
            Ok(serde_json::from_value(rights.report).context("the server's report is another version's")?)
        }
        Err(ClientError::NoServer { .. }) => of_file(settings, ask).await,
        Err(error) => Err(error.into()),
    }
}

/// Nothing is made.
async fn of_file(settings: Settings, ask: AskDns) -> Result<Report, Fault> {
    let settings = Arc::new(settings);
    let directory = accounts(&settings).await;
    let report = audit::of_file(&settings, directory.as_ref(), ask).await;
    report.map_err(|error| Fault::new(Exit::Usage, error))
}

/// The accounts, if they are there and can be opened.
async fn accounts(settings: &Settings) -> Option<Directory> {
    let is_there = settings.directory.path.exists() && settings.directory.key.exists();
    let key = is_there.then(|| serve::server_key(settings))?.ok()?;
    Directory::open(&settings.directory.path, &key, serve::directory_settings(settings)).await.ok()
}
