//! `sekisho probe dns`.

use super::{Found, configured, ended, resolver};
use crate::command::{
    args::ProbeDns,
    fault::{Exit, Fault},
    global::Global,
    table::{show, table},
};
use anyhow::anyhow;
use config::Settings;
use probe::dns::{Question, Report};
use terminal::progress;

pub(super) async fn run(args: &ProbeDns, global: &Global) -> Result<(), Fault> {
    let usage = |what: String| Fault::new(Exit::Usage, anyhow!(what));
    let domain = Question::domain(&args.domain).ok_or_else(|| usage(format!("{:?} is no domain", args.domain)))?;
    if let Some(wrong) = args.selectors.iter().find(|selector| !Question::is_selector(selector)) {
        return Err(usage(format!("{wrong:?} is no DKIM selector")));
    }
    let configured = configured(global)?;
    let settings = &configured.settings;
    let ours = configured.is_server && is_ours(settings, &domain);
    let mut addresses = args.addresses.clone();
    if ours && addresses.is_empty() {
        addresses = judge::outside::here().own;
    }
    let host = ours.then(|| settings.hostname.clone());
    let question = Question { domain, selectors: args.selectors.clone(), addresses, host };
    let waiting = progress::waiting("asking DNS");
    let report = probe::dns::probe(&resolver(settings)?, &question).await;
    drop(waiting);
    show(global.form(), &report, |report| table(Report::HEADER, report.rows()) + "\n" + &report.told())?;
    ended(match () {
        () if report.is_wrong() => Found::Wrong,
        () if report.is_unsure() => Found::Unsure,
        () => Found::Good,
    })
}

/// Whether this server takes the domain's mail, as far as the configuration says.
fn is_ours(settings: &Settings, domain: &str) -> bool {
    let same = |name: &str| name.eq_ignore_ascii_case(domain);
    let default = settings.domains.default.as_ref().is_some_and(|default| same(default.as_str()));
    let below = settings.hostname.split_once('.').is_some_and(|(_, above)| same(above));
    default || below || same(&settings.hostname)
}
