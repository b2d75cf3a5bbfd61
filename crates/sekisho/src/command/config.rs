//! `sekisho config`.

use super::{
    args::Config,
    fault::{Exit, Fault},
    global::{Form, Global},
    table,
};
use anyhow::Context as _;
use config::{self, reference};
use judge::Terms;
use std::{path::Path, sync::Arc};

pub(super) fn run(command: &Config, global: &Global) -> Result<(), Fault> {
    match command {
        Config::Reference => table::show(global.form(), &reference::sections(), |_| reference::markdown()),
        Config::Schema => table::show(Form::Json, &reference::schema(), |_| String::new()),
        Config::Check => {
            let path = path(global);
            let loaded = config::read(path, &global.set)?;
            let terms = Terms::new(Arc::new(loaded.settings), 1).map_err(|error| Fault::new(Exit::Usage, error))?;
            let warnings: Vec<String> = terms.tables.warnings.iter().map(ToString::to_string).collect();
            table::show(global.form(), &serde_json::json!({ "ok": true, "warnings": warnings }), |_| {
                format!("{}{}: good", table::warnings(&warnings), path.display())
            })
        }
        Config::Show => {
            let loaded = config::read(path(global), &global.set)?;
            let toml = toml::to_string_pretty(&loaded.file).context("the configuration cannot be printed")?;
            table::show(global.form(), &loaded.file, |_| toml.trim_end().to_owned())
        }
    }
}

fn path(global: &Global) -> &Path {
    global.config.as_deref().unwrap_or(Path::new(config::DEFAULT_FILE))
}
