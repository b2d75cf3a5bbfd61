//! `sekisho probe relay`: whether a mail server relays for strangers.

use crate::command::{
    args::ProbeRelay,
    fault::{Exit, Fault},
    global::{Form, Global},
    table,
};
use indicatif::{ProgressBar, ProgressStyle};
use keep::Language;
use probe::relay::{Plan, Played, Report, Sink, Verdict, run as play};
use std::{path::PathBuf, time::Duration};

pub(super) async fn run(args: ProbeRelay, global: &Global) -> Result<(), Fault> {
    let lang = args.lang.map_or_else(Language::of_locale, Language::from);
    let html = args.html.clone();
    let plan = plan(args);
    let bar = bar();
    let report = play(&plan, &mut |played, total| tell(&bar, global.form(), played, total)).await;
    bar.finish_and_clear();
    let report = report.map_err(|error| {
        let exit = if error.is_misuse() { Exit::Usage } else { Exit::Temporary };
        Fault::new(exit, error)
    })?;
    if let Some(path) = html {
        write(&path, &report, lang)?;
    }
    table::show(global.form(), &report, Report::summary)?;
    match report.verdict {
        Verdict::Closed => Ok(()),
        Verdict::Open => Err(Fault::silent(Exit::No)),
        Verdict::Uncertain => Err(Fault::silent(Exit::Temporary)),
    }
}

fn plan(args: ProbeRelay) -> Plan {
    let wait = Duration::from_secs(args.sink_wait.into());
    Plan {
        target: args.target,
        is_confirmed: args.i_run_this_host,
        source: args.source,
        helo: args.helo,
        local_user: args.local_user,
        pace: Duration::from_secs(args.pace.into()),
        sink: args.sink.map(|address| Sink { address, maildir: args.sink_maildir, wait }),
    }
}

/// On a terminal only: elsewhere it draws nothing.
fn bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// A line for each probe that is done; the terminal shows how far it is.
fn tell(bar: &ProgressBar, form: Form, played: &Played, total: usize) {
    bar.set_length(u64::try_from(total).unwrap_or_default());
    bar.set_message(played.id.clone());
    if form == Form::Text {
        // A reader that has seen enough stops nothing.
        bar.suspend(|| table::line(&format!("{played}\n")).ok());
    }
    bar.inc(1);
}

fn write(path: &PathBuf, report: &Report, lang: Language) -> Result<(), Fault> {
    let text = report.html(lang).map_err(|error| Fault::new(Exit::Temporary, anyhow::anyhow!(error)))?;
    std::fs::write(path, text).map_err(|error| Fault::new(Exit::Usage, anyhow::anyhow!("{}: {error}", path.display())))
}
