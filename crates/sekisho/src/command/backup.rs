//! `sekisho backup` and `sekisho restore`.

use super::{
    client,
    fault::{Exit, Fault},
    global::Global,
    table,
};
use admin::{
    client::{Client, ClientError, Method},
    wire,
};
use anyhow::anyhow;
use backup::{
    BackupError,
    args::{BackupArgs, RestoreArgs},
    command::{self, Configured},
    picture::WithMail,
    pipe::Inlet,
    told,
};
use config::Settings;
use indicatif::{ProgressBar, ProgressStyle};
use std::{path::Path, thread};

pub(super) fn backup(args: &BackupArgs, global: &Global) -> Result<(), Fault> {
    let bar = progress();
    let kept =
        command::backup(args, configured(global), |it| stream(it, args.with_mail()), |octets| bar.set_position(octets));
    bar.finish_and_clear();
    let manifest = kept?;
    table::show(global.form(), &told::made_json(&manifest, &args.to), |_| told::made(&manifest, &args.to))
}

pub(super) fn restore(args: &RestoreArgs, global: &Global) -> Result<(), Fault> {
    let Some(from) = args.from.as_deref() else { return client::block_on(release(global)) };
    let bar = progress();
    let restored = command::restore(args, from, configured(global), |octets| bar.set_position(octets));
    bar.finish_and_clear();
    let (restored, target) = restored?;
    let said = told::restored_json(&restored, from, &target);
    table::show(global.form(), &said, |_| told::restored(&restored, from, &target))
}

async fn release(global: &Global) -> Result<(), Fault> {
    let mut client = client::server(global).await?;
    let path = format!("/v1/queue/release?reason={}", spool::RESTORED);
    let released: wire::Count = client.ask(Method::POST, &path, None::<&()>).await?;
    table::show(global.form(), &released, |it| format!("released: {} messages of the restored queue", it.count))
}

fn configured(global: &Global) -> Configured<'_> {
    Configured { file: global.config.as_deref().unwrap_or(Path::new(config::DEFAULT_FILE)), sets: &global.set }
}

/// On a terminal only.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {bytes} {elapsed}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

impl From<BackupError> for Fault {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Config(error) => error.into(),
            error => Self::new(if error.is_of_use() { Exit::Usage } else { Exit::Temporary }, error),
        }
    }
}

/// From the running server, or, where none runs, from its files, which no server can take meanwhile.
fn stream(settings: Settings, mail: WithMail) -> Result<Inlet, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(Client::connect(&settings.admin.socket)) {
        Ok(mut client) => {
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            let wanted = wire::BackupWanted { mail: mail == WithMail::Yes };
            thread::spawn(move || {
                let asked = runtime.block_on(client.stream("/v1/backup", &wanted, sender.clone()));
                if let Err(error) = asked {
                    let _ = sender.blocking_send(Err(std::io::Error::other(error)));
                }
            });
            Ok(Inlet::new(receiver))
        }
        Err(ClientError::NoServer { .. }) => offline(settings, mail),
        Err(error) => Err(error.into()),
    }
}

fn offline(settings: Settings, mail: WithMail) -> Result<Inlet, Fault> {
    let accounts = &settings.directory.path;
    if !accounts.is_file() {
        let error = anyhow!("{}: there are no accounts, so there is nothing to back up", accounts.display());
        return Err(Fault::new(Exit::No, error));
    }
    client::block_on(client::settle(&settings))?;
    Ok(Inlet::new(serve::backup::of_stopped(settings, mail).map_err(anyhow::Error::from)?))
}
