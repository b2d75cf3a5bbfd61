//! The commands' way to the admin API: over the socket of the running server, or, where the accounts alone will do and no
//! server runs, to the same routes within this process.

use super::{
    fault::{Exit, Fault},
    global::Global,
};
use admin::client::{Client, ClientError};
use config::Settings;
use std::{path::Path, sync::Arc};

/// Runs a command that talks; one thread is enough for it.
pub(super) fn block_on(command: impl Future<Output = Result<(), Fault>>) -> Result<(), Fault> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

/// The configuration that the command line means.
pub(super) fn settings(global: &Global) -> Result<Settings, Fault> {
    let path = global.config.as_deref().unwrap_or(Path::new(config::DEFAULT_FILE));
    Ok(config::read(path, &global.set)?.settings)
}

/// Refuses `--set` where it could change nothing, and would be believed to.
pub(super) fn without_sets(global: &Global, why: &str) -> Result<(), Fault> {
    match global.set.first() {
        None => Ok(()),
        Some(set) => {
            Err(Fault::new(Exit::Usage, anyhow::anyhow!("--set {set} has no effect here: {why}; change the file")))
        }
    }
}

/// To the running server; without one, exit code 75.
pub(super) async fn server(global: &Global) -> Result<Client, Fault> {
    Ok(Client::connect(&settings(global)?.admin.socket).await?)
}

/// To the running server, or to the accounts alone if none runs.
pub(super) async fn accounts(global: &Global) -> Result<Client, Fault> {
    let settings = settings(global)?;
    match Client::connect(&settings.admin.socket).await {
        Err(ClientError::NoServer { .. }) => here(&settings).await,
        client => Ok(client?),
    }
}

/// To the accounts of a configuration, in this process.
pub(super) async fn here(settings: &Settings) -> Result<Client, Fault> {
    let temporary = |error: directory::OpenError| Fault::new(Exit::Temporary, error);
    settle(settings).await?;
    let key = serve::server_key(settings).map_err(temporary)?;
    let open = directory::Directory::open(&settings.directory.path, &key, serve::directory_settings(settings));
    let directory = Arc::new(open.await.map_err(temporary)?);
    let chains = serve::chain_key(settings, &key).map_err(temporary)?;
    let changes = keep::chain::Key::new(chains.derive(serve::CHANGES_PURPOSE));
    let audit = admin::audit::Audit::new(&settings.data_dir, changes);
    Ok(Client::here(admin::router(admin::Backend { directory, audit, server: None })))
}

/// Decisions that a running server did not keep since its start; 0 without one.
pub(super) async fn dropped(settings: &Settings) -> Result<u64, Fault> {
    let Ok(mut client) = Client::connect(&settings.admin.socket).await else { return Ok(0) };
    let status: admin::wire::Status = client.get("/v1/status").await?;
    Ok(status.records.map_or(0, |records| records.dropped))
}

/// Ends a rotation of the server key that was broken off.
pub(super) async fn settle(settings: &Settings) -> Result<(), Fault> {
    let places = &settings.directory;
    let settled = directory::rotation::settle(&places.path, &places.key, serve::secrets::allowed(places.permissions));
    settled.await.map_err(|error| Fault::new(Exit::Temporary, error))
}
