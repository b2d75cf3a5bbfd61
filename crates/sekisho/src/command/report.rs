//! `sekisho report`.

use super::{
    args::{About, LoginName, Report, Time},
    audit, client,
    fault::{Exit, Fault},
    global::Global,
    table::{line, show},
};
use ::audit::{AskDns, Finding, Level};
use admin::audit::{Audit, Which, entry::Change};
use admin::client::Client;
use admin::wire;
use anyhow::Context as _;
use config::Settings;
use jiff::{Timestamp, tz::TimeZone};
use keep::Language;
use records::Kept;
use report::abuse::Looking;
use report::{Danger, Digesting, Gaps, Page, Subject, Wrong};
use std::{net::IpAddr, path::Path, time::SystemTime};
use terminal::progress;

/// Changes of administrators that are looked through for what they did about a login.
const CHANGES_MAX: usize = 10_000;
/// Such changes that a statement tells.
const CHANGES_TOLD: usize = 10;

pub(super) async fn run(args: &Report, global: &Global) -> Result<(), Fault> {
    let settings = client::settings(global)?;
    let language = args.lang.map_or_else(Language::of_locale, Language::from);
    let Time(since) = args.since;
    let asked = Asked { settings, since, language, args, global };
    match &args.about {
        None => Box::pin(asked.digest()).await,
        Some(About::Abuse { login, client }) => asked.abuse(login.as_ref(), *client).await,
    }
}

/// What is asked for.
struct Asked<'a> {
    settings: Settings,
    since: SystemTime,
    language: Language,
    args: &'a Report,
    global: &'a Global,
}

impl Asked<'_> {
    async fn digest(&self) -> Result<(), Fault> {
        let mut digesting = Digesting::default();
        let damaged = self.read(|kept| digesting.see(kept))?;
        let mut digest = digesting.finish(self.since_micros(), records::kept::micros(SystemTime::now()));
        digest.gaps = Gaps { damaged, dropped: client::dropped(&self.settings).await? };
        // A server that does not run has no list in DNS that it was wrong about.
        if let Ok(mut client) = Client::connect(&self.settings.admin.socket).await {
            let lists: Vec<wire::DnsList> = client.get("/v1/dnsbl").await?;
            digest.wrongly = lists.iter().flat_map(wrongly_listed).collect();
        }
        match Box::pin(audit::of(self.settings.clone(), AskDns::No, self.global)).await {
            Ok(audited) => digest.dangers = self.dangers(audited),
            Err(fault) => digest.not_audited = Some(fault.said()),
        }
        self.show(&digest, &digest.page(self.language, local))
    }

    /// What is good to know is left to `sekisho audit`.
    fn dangers(&self, audited: ::audit::Report) -> Vec<Danger> {
        let found = audited.findings.into_iter().filter(|it| it.level <= Level::Warning);
        let danger = |it: Finding| {
            let what = it.what.of(self.language);
            Danger {
                level: it.level.code().to_owned(),
                what: it.at.map_or_else(|| what.to_owned(), |at| format!("{what} ({at})")),
                todo: it.todo.of(self.language).to_owned(),
            }
        };
        found.map(danger).collect()
    }

    async fn abuse(&self, login: Option<&LoginName>, client: Option<IpAddr>) -> Result<(), Fault> {
        let subject = match (login, client) {
            (Some(login), _) => Subject::Login(login.full_by(&self.settings)),
            (None, Some(client)) => Subject::Client(client),
            (None, None) => Subject::Everybody,
        };
        let changes = match &subject {
            Subject::Login(login) => self.changes(login)?,
            Subject::Client(client) => self.changes(&client.to_string())?,
            Subject::Everybody => Vec::new(),
        };
        let mut looking = Looking::new(subject);
        let damaged = self.read(|kept| looking.see(kept))?;
        let abuse =
            looking.finish(self.since_micros(), Gaps { damaged, dropped: client::dropped(&self.settings).await? });
        self.show(&abuse, &abuse.page(self.language, &self.settings.hostname, &changes, local))
    }

    fn since_micros(&self) -> u64 {
        records::kept::micros(self.since)
    }

    /// Shows every record; how many stretches of the files cannot be read.
    fn read(&self, mut see: impl FnMut(&Kept)) -> Result<u64, Fault> {
        let _waiting = progress::waiting("reading the records");
        let reader = serve::records_settings(&self.settings).reader();
        let failed = |error: records::ReadError| Fault::new(Exit::Temporary, error);
        let mut all = reader.since(self.since).map_err(failed)?;
        for kept in all.by_ref() {
            see(&kept.map_err(failed)?);
        }
        Ok(all.damaged())
    }

    /// What administrators did about a login or a client since, oldest first.
    fn changes(&self, on: &str) -> Result<Vec<String>, Fault> {
        let hours = SystemTime::now().duration_since(self.since).unwrap_or_default().as_secs().div_ceil(3_600);
        let which = Which { count: Some(CHANGES_MAX), hours: u32::try_from(hours).ok() };
        let read = Audit::read_in(&self.settings.data_dir, which).context("audit.jsonl");
        let changes = read.map_err(|error| Fault::new(Exit::Temporary, error))?.changes;
        let about = |change: &&Change| change.done && change.on.eq_ignore_ascii_case(on);
        let mut told: Vec<String> =
            changes.iter().filter(about).take(CHANGES_TOLD).map(|change| self.told(change)).collect();
        told.reverse();
        Ok(told)
    }

    fn told(&self, change: &Change) -> String {
        let at = change.at.parse::<Timestamp>().map_or_else(|_| change.at.clone(), in_local_time);
        let (what, on) = (&change.change, &change.on);
        self.language.pick(
            format!("{at}: an administrator did `{what}` on {on}."),
            format!("{at}: 管理者が {on} に `{what}` を実行しました。"),
        )
    }

    /// As what was asked for: JSON, a page in a file, a mail, or text.
    fn show<T: serde::Serialize>(&self, value: &T, page: &Page) -> Result<(), Fault> {
        if let Some(file) = &self.args.html {
            return write(file, &page.html());
        }
        if let Some(to) = &self.args.mail_to {
            let domain =
                self.settings.domains.default.as_ref().map_or(self.settings.hostname.clone(), ToString::to_string);
            let from = format!("postmaster@{domain}");
            let now = records::kept::micros(SystemTime::now());
            let mail = page.mail(&from, to, now).context("the mail")?;
            return line(&String::from_utf8_lossy(&mail));
        }
        show(self.global.form(), value, |_| page.text().trim_end().to_owned())
    }
}

fn write(file: &Path, html: &str) -> Result<(), Fault> {
    let written = std::fs::write(file, html).with_context(|| file.display().to_string());
    written.map_err(|error| Fault::new(Exit::Temporary, error))
}

fn wrongly_listed(list: &wire::DnsList) -> Vec<Wrong> {
    list.amends.iter().map(|subject| Wrong { list: list.name.clone(), subject: subject.clone() }).collect()
}

/// Microseconds since 1970 as the clock on the wall has them.
fn local(micros: u64) -> String {
    let at = i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    at.map_or_else(|| "?".to_owned(), in_local_time)
}

fn in_local_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}
