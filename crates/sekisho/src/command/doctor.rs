//! `sekisho doctor`: whether a Postfix or sendmail beside Sekisho really asks it, and what our own configuration leaves open.

use super::{
    fault::{Exit, Fault},
    global::Global,
    table,
};
use anyhow::anyhow;
use clap::{Args, ValueHint};
use migrate::doctor::{self, Severity};
use std::path::PathBuf;

/// `sekisho doctor`
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    /// main.cf (with the master.cf beside it), sendmail.mc, sendmail.cf, sekisho.toml, or the folder of one of them
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
}

pub(super) fn run(args: &Doctor, global: &Global) -> Result<(), Fault> {
    let findings = doctor::examine(&args.path).map_err(|error| Fault::new(Exit::Usage, error))?;
    table::show(global.form(), &findings, |findings| {
        if findings.is_empty() {
            return format!("{}: nothing found", args.path.display());
        }
        findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    let dangers = findings.iter().filter(|it| it.severity == Severity::Danger).count();
    match dangers {
        0 => Ok(()),
        count => Err(Fault::new(Exit::No, anyhow!("{count} of what was found are dangers"))),
    }
}
