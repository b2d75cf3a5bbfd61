//! `sekisho key`.

use super::{args::Key, client, fault::Exit, fault::Fault, global::Global, table};
use directory::rotation::{self, Rotated};
use spool::Spool;
use std::fmt::Write as _;

pub(super) fn run(command: &Key, global: &Global) -> Result<(), Fault> {
    match command {
        Key::Rotate => rotate(global),
    }
}

/// A server has the key in its memory: none may run, nor start meanwhile.
fn rotate(global: &Global) -> Result<(), Fault> {
    let settings = client::settings(global)?;
    let places = &settings.directory;
    let _lock = Spool::keep_out(&settings.spool.path).map_err(|error| Fault::new(Exit::Temporary, error))?;
    let permissions = serve::secrets::allowed(places.permissions);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rotated = runtime.block_on(rotation::rotate(&places.path, &places.key, permissions));
    let Rotated { devices, damaged } = rotated.map_err(|error| Fault::new(Exit::Temporary, error))?;
    let said = serde_json::json!({ "key": places.key, "devices": devices, "damaged": damaged });
    table::show(global.form(), &said, |_| {
        let mut text = format!("{}: new; the secrets of {devices} devices are sealed with it\n", places.key.display());
        if !damaged.is_empty() {
            let _ = writeln!(
                text,
                "These could not be read before either: {}. Give each a new secret.",
                damaged.join(", ")
            );
        }
        text + "Earlier backups need the earlier key. Make a new backup now, and start the server."
    })
}
