//! Tables of accounts and aliases, out and in: CSV.

use super::{
    args::{Export, Table},
    fault::{Exit, Fault},
    global::Global,
    table::{line, show},
};
use admin::client::{Client, ClientError, Method};
use admin::wire::{self, RolledCount};
use anyhow::{Context as _, anyhow};
use keep::Accepts;
use roster::Placed;
use serde::Serialize;
use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};
use terminal::progress;

/// The accounts, to a file or to standard output.
pub(super) async fn export_users(client: &mut Client, args: &Export) -> Result<(), Fault> {
    let accounts: Vec<wire::Account> = client.get("/v1/accounts").await?;
    let hashes: Option<Vec<wire::Hash>> =
        if args.with_hashes { Some(client.ask(Method::POST, "/v1/roll/hashes", None::<&()>).await?) } else { None };
    written(args.file.as_deref(), &roster::users::write(&accounts, hashes.as_deref()))
}

/// The same for aliases.
pub(super) async fn export_aliases(client: &mut Client, file: Option<&Path>) -> Result<(), Fault> {
    let aliases: Vec<wire::Alias> = client.get("/v1/aliases").await?;
    written(file, &roster::aliases::write(&aliases))
}

/// The file is its owner's alone; hashes may be in it.
fn written(file: Option<&Path>, text: &str) -> Result<(), Fault> {
    let Some(path) = file else { return line(text) };
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let done = opened.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    done.with_context(|| path.display().to_string()).map_err(|error| Fault::new(Exit::Usage, error))
}

/// Accounts as a file says.
pub(super) async fn import_users(client: &mut Client, args: &Table, global: &Global) -> Result<(), Fault> {
    let (name, octets) = read(&args.file)?;
    let rows = roster::users::read(&name, &octets).map_err(|mistakes| Fault::new(Exit::Usage, mistakes))?;
    let (lines, rows): (Vec<Placed<()>>, Vec<_>) = rows.into_iter().map(parted).unzip();
    let roll = wire::AccountRoll { rows, new_domains: args.new_domains, dry_run: args.dry_run };
    let done = rolled(client, "/v1/roll/accounts", &roll).await;
    told(done.map_err(|error| at_lines(error, &name, &lines))?, args, global)
}

/// Aliases as a file says.
pub(super) async fn import_aliases(client: &mut Client, args: &Table, global: &Global) -> Result<(), Fault> {
    let (name, octets) = read(&args.file)?;
    let rows = roster::aliases::read(&name, &octets).map_err(|mistakes| Fault::new(Exit::Usage, mistakes))?;
    let (lines, rows): (Vec<Placed<()>>, Vec<_>) = rows.into_iter().map(parted).unzip();
    let roll = wire::AliasRoll { rows, new_domains: args.new_domains, dry_run: args.dry_run };
    let done = rolled(client, "/v1/roll/aliases", &roll).await;
    told(done.map_err(|error| at_lines(error, &name, &lines))?, args, global)
}

async fn rolled(client: &mut Client, path: &str, roll: &impl Serialize) -> Result<RolledCount, ClientError> {
    let _waiting = progress::waiting("taking the table over");
    client.ask(Method::POST, path, Some(roll)).await
}

fn parted<T>(placed: Placed<T>) -> (Placed<()>, T) {
    (Placed { line: placed.line, row: () }, placed.row)
}

fn read(path: &Path) -> Result<(String, Vec<u8>), Fault> {
    let name = path.display().to_string();
    let read = keep::read(path, roster::OCTETS_MAX, Accepts::RegularFile);
    let octets = read.map_err(|error| Fault::new(Exit::Usage, anyhow!("{name}: {error}")))?;
    Ok((name, octets))
}

/// What the server says of rows is said of the lines that they stand in.
fn at_lines(error: ClientError, name: &str, lines: &[Placed<()>]) -> Fault {
    match error {
        ClientError::Problem(problem) if !problem.rows.is_empty() => {
            Fault::new(Exit::Usage, roster::told(name, lines, &problem.rows))
        }
        error => error.into(),
    }
}

fn told(count: RolledCount, args: &Table, global: &Global) -> Result<(), Fault> {
    let would = if args.dry_run { "Nothing was changed. It would be: " } else { "" };
    show(global.form(), &count, |it| {
        format!("{would}{} made, {} changed, {} left as they were.", it.made, it.changed, it.same)
    })
}
