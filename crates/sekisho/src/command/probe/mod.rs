//! `sekisho probe`: a file for each subcommand.

mod blocklists;
mod dns;
mod relay;
mod tls;

use super::{
    args::Probe,
    client,
    fault::{Exit, Fault},
    global::Global,
};
use ::probe::asking::{self, Resolver};
use config::Settings;
use std::path::Path;

pub(super) async fn run(command: Probe, global: &Global) -> Result<(), Fault> {
    match command {
        Probe::Blocklists(args) => blocklists::run(&args, global).await,
        Probe::Dns(args) => dns::run(&args, global).await,
        Probe::Relay(args) => relay::run(args, global).await,
        Probe::Tls(args) => tls::run(&args, global).await,
    }
}

/// Stands for a file where there is none: probes need no server. Its name is nobody's.
const NO_FILE: &str = "hostname = \"probe.invalid\"";

/// The configuration; whether it is that of a server on this machine.
struct Configured {
    settings: Settings,
    is_server: bool,
}

/// The configuration that the command line means. Where none is named and there is none, `--set` alone.
fn configured(global: &Global) -> Result<Configured, Fault> {
    if global.config.is_some() || Path::new(config::DEFAULT_FILE).exists() {
        return Ok(Configured { settings: client::settings(global)?, is_server: true });
    }
    let text = config::Text { name: "(no configuration)", text: NO_FILE, base_dir: Path::new("/") };
    let loaded = config::parse(&text, &global.set).map_err(config::ConfigError::Mistaken)?;
    Ok(Configured { settings: loaded.settings, is_server: false })
}

fn resolver(settings: &Settings) -> Result<Resolver, Fault> {
    asking::resolver(&settings.dns).map_err(|error| Fault::new(Exit::Temporary, error))
}

/// The exit code of what was found.
fn ended(found: Found) -> Result<(), Fault> {
    match found {
        Found::Good => Ok(()),
        Found::Wrong => Err(Fault::silent(Exit::No)),
        Found::Unsure => Err(Fault::silent(Exit::Temporary)),
    }
}

/// What a probe came to.
#[derive(Clone, Copy)]
enum Found {
    Good,
    Wrong,
    Unsure,
}
