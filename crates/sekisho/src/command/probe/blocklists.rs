//! `sekisho probe blocklists`.

use super::{Found, configured, ended, resolver};
use crate::command::{
    args::ProbeBlocklists,
    fault::{Exit, Fault},
    global::Global,
    table::{show, table},
};
use probe::blocklists::{self, Report, Subject};

pub(super) async fn run(args: &ProbeBlocklists, global: &Global) -> Result<(), Fault> {
    let subject = Subject::parse(&args.subject).map_err(|error| Fault::new(Exit::Usage, error))?;
    let settings = configured(global)?.settings;
    let dns = resolver(&settings)?;
    let report = blocklists::probe(&dns, &subject, &settings.dnsbl).await.map_err(anyhow::Error::new)?;
    show(global.form(), &report, |report| table(Report::HEADER, report.rows()) + "\n" + &report.told())?;
    ended(match (report.listed, report.answered) {
        (0, 0) => Found::Unsure,
        (0, _) => Found::Good,
        _ => Found::Wrong,
    })
}
