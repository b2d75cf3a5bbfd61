//! `sekisho probe tls`.

use super::{Found, configured, ended, resolver};
use crate::command::{
    args::{ProbeTls, StartTls},
    fault::{Exit, Fault},
    global::Global,
    table::{show, table},
};
use probe::tls::{Question, Report, Start, trusted};
use terminal::progress;

pub(super) async fn run(args: &ProbeTls, global: &Global) -> Result<(), Fault> {
    let target = args.target.clone();
    let start = match args.starttls {
        Some(StartTls::Smtp) => Start::Smtp,
        Some(StartTls::Pop3) => Start::Pop3,
        Some(StartTls::None) => Start::Implicit,
        None => Start::usual(target.port),
    };
    let trusted = match &args.trust {
        Some(file) => trusted(file).map_err(|error| Fault::new(Exit::Usage, error))?,
        None => Vec::new(),
    };
    let settings = configured(global)?.settings;
    // A machine without name servers can look at itself.
    let dns = if target.is_known() { None } else { Some(resolver(&settings)?) };
    let question = Question { target, start, trusted };
    let waiting = progress::waiting("looking at TLS");
    let report = probe::tls::probe(dns.as_ref(), &question, jiff::Timestamp::now().as_second()).await;
    drop(waiting);
    show(global.form(), &report, |report| {
        let at = report.address.map(|address| format!(" ({address})")).unwrap_or_default();
        format!("{}{at}\n{}\n{}", report.host, table(Report::HEADER, report.rows()), report.told())
    })?;
    ended(match () {
        () if report.is_wrong() => Found::Wrong,
        () if report.is_unsure() => Found::Unsure,
        () => Found::Good,
    })
}
