//! `sekisho serve`, `demo`, `reload`.

use super::{
    args::{Demo, Reload},
    client,
    fault::{Exit, Fault},
    global::Global,
    table,
};
use crate::demo;
use crate::run::{self, Source};
use admin::{client::Method, wire};
use anyhow::anyhow;

pub(super) fn serve(global: &Global) -> Result<(), Fault> {
    let file = global.config.clone().unwrap_or_else(|| config::DEFAULT_FILE.into());
    let loaded = config::read(&file, &global.set)?;
    if let Some(why) = migrate::check::idle(&loaded.settings) {
        return Err(Fault::new(Exit::Usage, anyhow!(why)));
    }
    let source = Source { file, sets: global.set.clone() };
    Ok(in_runtime(run::serve(loaded, source, || Ok(())))?)
}

pub(super) fn demo(args: Demo, global: &Global) -> Result<(), Fault> {
    let options = demo::Options { dir: args.dir, sets: global.set.clone(), port_base: args.port_base };
    Ok(in_runtime(async {
        let demo = demo::Demo::prepare(&options).await?;
        let source = Source { file: demo.config().to_owned(), sets: options.sets.clone() };
        let served = Box::pin(run::serve(demo.loaded().clone(), source, || demo.announce())).await;
        demo.clean_up();
        served
    })?)
}

/// Runs it to its end. Threads that hang then, since a disk does not answer, are not waited for: everything that must be on disk
/// was waited for before.
pub(super) fn in_runtime<T>(served: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(served);
    runtime.shutdown_background();
    ended
}

pub(super) async fn reload(args: Reload, global: &Global) -> Result<(), Fault> {
    client::without_sets(global, "the running server reads its file again, with each --set that it was started with")?;
    let mut client = client::server(global).await?;
    let path = if args.rollback { "/v1/reload/rollback" } else { "/v1/reload" };
    client.tell(Method::POST, path, None::<&()>).await?;
    let now: wire::Configuration = client.get("/v1/configuration").await?;
    let good = config::Good::new(&client::settings(global)?.data_dir);
    table::show(global.form(), &serde_json::json!({ "ok": true }), |_| {
        if args.rollback { good.taken_back(&now.file) } else { "The new configuration is in force.".to_owned() }
    })
}
