//! `sekisho import`: from another mail system's configuration to one of ours.

use super::{
    fault::{Exit, Fault},
    global::Global,
    table,
};
use anyhow::anyhow;
use clap::{Args, ValueEnum, ValueHint};
use migrate::import::{self, Imported, Source};
use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// `sekisho import`
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// Mail system
    pub from: From,
    /// main.cf, sendmail.mc, sendmail.cf, dracd.allow, a script that starts rpc.dracd, hosts.allow, or a folder of them
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Write the configuration to this file, which must not exist [default: standard output]
    #[arg(short = 'o', long = "output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// A mail system.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum From {
    /// Postfix
    Postfix,
    /// sendmail
    Sendmail,
    /// rpc.dracd
    Drac,
    /// TCP wrapper, for mail
    Hosts,
}

pub(super) fn run(args: &Import, global: &Global) -> Result<(), Fault> {
    let source = match args.from {
        From::Postfix => Source::Postfix,
        From::Sendmail => Source::Sendmail,
        From::Drac => Source::Drac,
        From::Hosts => Source::Hosts,
    };
    let imported = import::import(source, &args.path).map_err(|error| Fault::new(Exit::Usage, error))?;
    if let Some(file) = &args.output {
        write_new(file, &imported.config)?;
    }
    if global.json {
        return table::show(global.form(), &imported, |_| String::new());
    }
    tell(&imported);
    if args.output.is_none() {
        table::line(&imported.config)?;
    }
    Ok(())
}

fn tell(imported: &Imported) {
    let mut out = io::stderr().lock();
    for note in &imported.notes {
        // Nobody reads any more: the configuration is what counts.
        let _ = writeln!(out, "{note}");
    }
}

/// Never over a file that is there. It may name passwords' files: others need not know them.
fn write_new(file: &Path, text: &str) -> Result<(), Fault> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o640).open(file);
    let mut opened = match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let told = anyhow!("{} is there already; nothing was changed", file.display());
            return Err(Fault::new(Exit::No, told));
        }
        other => other.map_err(|error| Fault::new(Exit::Usage, anyhow!("{}: {error}", file.display())))?,
    };
    if let Err(error) = opened.write_all(text.as_bytes()) {
        // Half a configuration would stand in the way of the next try.
        let _ = std::fs::remove_file(file);
        return Err(error.into());
    }
    Ok(())
}
