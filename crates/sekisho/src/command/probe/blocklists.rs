//! `sekisho probe blocklists`.

use super::{Configured, Found, configured, ended, resolver};
use crate::command::{
    args::ProbeBlocklists,
    client,
    fault::{Exit, Fault},
    global::Global,
    table::{local_minute, show, table},
};
use ::report::{Gaps, Listed, Tracing};
use probe::blocklists::{self, Report, Subject};
use records::ReadError;
use std::time::{Duration, SystemTime};
use terminal::progress;

/// How far back a cause is looked for: lists forget most within a week.
const CAUSE_WITHIN: Duration = Duration::from_hours(7 * 24);

pub(super) async fn run(args: &ProbeBlocklists, global: &Global) -> Result<(), Fault> {
    let subject = Subject::parse(&args.subject).map_err(|error| Fault::new(Exit::Usage, error))?;
    let configured = configured(global)?;
    let dns = resolver(&configured.settings)?;
    let waiting = progress::waiting("asking the lists");
    let mut report = blocklists::probe(&dns, &subject, &configured.settings.dnsbl).await.map_err(anyhow::Error::new)?;
    drop(waiting);
    if report.listed > 0 {
        report = report.with_cause(&cause(&configured, &subject).await?);
    }
    show(global.form(), &report, |report| table(Report::HEADER, report.rows()) + "\n" + &report.told())?;
    ended(match (report.listed, report.answered) {
        (0, 0) => Found::Unsure,
        (0, _) => Found::Good,
        _ => Found::Wrong,
    })
}

/// Whether the cause still stands, from this server's own records; a server need not run.
async fn cause(configured: &Configured, subject: &Subject) -> Result<String, Fault> {
    let failed = |error: ReadError| Fault::new(Exit::Temporary, error);
    let settings = &configured.settings;
    if !configured.is_server || !settings.records.enabled {
        return Ok(
            "nothing is known: this machine keeps no records of mail that it relayed (records.enabled)".to_owned()
        );
    }
    let since = SystemTime::now().checked_sub(CAUSE_WITHIN).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut tracing = Tracing::new(match subject {
        Subject::Address(_) => Listed::Address,
        Subject::Domain(domain) => Listed::Domain(domain.clone()),
    });
    let mut all = serve::records_settings(settings).reader().since(since).map_err(failed)?;
    for kept in all.by_ref() {
        tracing.see(&kept.map_err(failed)?);
    }
    let gaps = Gaps { damaged: all.damaged(), dropped: client::dropped(settings).await? };
    let told = tracing.finish(records::kept::micros(since), gaps).text(|micros| local_minute(micros / 1_000_000));
    Ok(match subject {
        Subject::Address(address) if !judge::outside::here().own.contains(address) => {
            format!("{told} ({address} is no address of this machine: this holds where it sends from there)")
        }
        Subject::Address(_) | Subject::Domain(_) => told,
    })
}
