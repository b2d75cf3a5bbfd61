//! `sekisho config`.

use super::{
    args::Config,
    client,
    fault::{Exit, Fault},
    global::{Form, Global},
    table,
};
use admin::wire;
use anyhow::Context as _;
use config::{self, reference};
use migrate::check::{self, Checked};
use std::{path::Path, sync::Arc};

pub(super) fn run(command: &Config, global: &Global) -> Result<(), Fault> {
    match command {
        Config::Reference => table::show(global.form(), &reference::sections(), |_| reference::markdown()),
        Config::Defaults => super::guard::defaults(global.form()),
        Config::Schema => table::show(Form::Json, &reference::schema(), |_| String::new()),
        Config::Check => {
            let path = path(global);
            let settings = Arc::new(config::read(path, &global.set)?.settings);
            let Checked { refusals, warnings } = check::check(&settings);
            if !refusals.is_empty() {
                // What can be found is found at once, so that a configuration is corrected once.
                return Err(Fault::new(Exit::Usage, anyhow::anyhow!(refusals.join("\n"))));
            }
            let notes = check::notes(&settings);
            let said = serde_json::json!({ "ok": true, "warnings": warnings, "notes": notes });
            table::show(global.form(), &said, |_| {
                format!("{}{}{}: good", table::warnings(&warnings), table::notes(&notes), path.display())
            })
        }
        Config::Diff => client::block_on(diff(global)),
        Config::Show { running: false } => shown(&config::read(path(global), &global.set)?.file, global),
        Config::Show { running: true } => client::block_on(in_force(global)),
    }
}

/// As a file that would say the same.
fn shown(file: &config::File, global: &Global) -> Result<(), Fault> {
    let text = file.text().context("the configuration cannot be printed")?;
    table::show(global.form(), file, |_| text.trim_end().to_owned())
}

/// What a reload would change.
async fn diff(global: &Global) -> Result<(), Fault> {
    client::without_sets(global, "the file is compared with each --set that the server was started with")?;
    let told: wire::Configuration = client::server(global).await?.get("/v1/configuration").await?;
    let running =
        serde_json::from_value(told.configuration).context("the server's configuration is another version's")?;
    let found = config::diff(&running, path(global), &told.sets)?;
    table::show(global.form(), &found, |found| {
        if found.is_empty() {
            return format!("{}: the same as the running configuration", path(global).display());
        }
        table::table(["KEY", "RUNNING", "FILE", "WHERE", "NEEDS"], found.iter().map(config::Difference::row))
    })?;
    if found.is_empty() { Ok(()) } else { Err(Fault::silent(Exit::No)) }
}

/// What the running server goes by. Secrets are no part of it: the configuration names their files.
async fn in_force(global: &Global) -> Result<(), Fault> {
    client::without_sets(global, "what is in force is shown")?;
    let mut client = client::server(global).await?;
    let told: wire::Configuration = client.get("/v1/configuration").await?;
    let file = serde_json::from_value(told.configuration);
    shown(&file.context("the server's configuration is another version's")?, global)
}

fn path(global: &Global) -> &Path {
    global.config.as_deref().unwrap_or(Path::new(config::DEFAULT_FILE))
}
