//! `sekisho config`.

use super::{
    args::Config,
    fault::{Exit, Fault},
    global::{Form, Global},
    table,
};
use anyhow::Context as _;
use config::{self, Protocol, Settings, reference};
use judge::Terms;
use std::{path::Path, sync::Arc};

pub(super) fn run(command: &Config, global: &Global) -> Result<(), Fault> {
    match command {
        Config::Reference => table::show(global.form(), &reference::sections(), |_| reference::markdown()),
        Config::Schema => table::show(Form::Json, &reference::schema(), |_| String::new()),
        Config::Check => {
            let path = path(global);
            let loaded = config::read(path, &global.set)?;
            if let Some(exposed) = serve::secrets::exposed(&loaded.settings).into_iter().next() {
                return Err(Fault::new(Exit::Usage, exposed));
            }
            let terms = Terms::new(Arc::new(loaded.settings), 1).map_err(|error| Fault::new(Exit::Usage, error))?;
            let warnings: Vec<String> = terms.tables.warnings.iter().map(ToString::to_string).collect();
            let notes = notes(&terms.settings);
            let said = serde_json::json!({ "ok": true, "warnings": warnings, "notes": notes });
            table::show(global.form(), &said, |_| {
                format!("{}{}{}: good", table::warnings(&warnings), table::notes(&notes), path.display())
            })
        }
        Config::Show => {
            let loaded = config::read(path(global), &global.set)?;
            let toml = toml::to_string_pretty(&loaded.file).context("the configuration cannot be printed")?;
            table::show(global.form(), &loaded.file, |_| toml.trim_end().to_owned())
        }
    }
}

/// What is good, and could be narrower. Whoever speaks an interface of mail servers names clients: behind a Unix socket the
/// permissions say who may, while a TCP port of this host is open to each of its users and programs, a browser among them.
fn notes(settings: &Settings) -> Vec<String> {
    let beside = settings.listeners.iter().filter(|listener| {
        let protocol = listener.protocol;
        protocol.is_interface() && !matches!(protocol, Protocol::Dracd | Protocol::AuthPolicy)
    });
    let on_loopback = beside.flat_map(|listener| {
        let places = listener.bind.iter().filter(|place| place.ip().is_loopback());
        places.map(move |place| {
            let name = &listener.name;
            format!(
                "listener {name} at {place}: every program of this host may ask there; where the mail server can, \
                 bind = [\"unix:PATH\"] lets in only those that socket_mode admits"
            )
        })
    });
    on_loopback.collect()
}

fn path(global: &Global) -> &Path {
    global.config.as_deref().unwrap_or(Path::new(config::DEFAULT_FILE))
}
