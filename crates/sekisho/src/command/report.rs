//! `sekisho report`.
#![expect(clippy::needless_pass_by_value, reason = "the caller has no more use for it")]

use super::{
    args::{About, Report},
    client,
    fault::{Exit, Fault},
    global::{Form, Global},
    table::{line, show},
};
use admin::audit::{Audit, Which, entry::Change};
use admin::client::Client;
use admin::wire;
use anyhow::Context as _;
use config::Settings;
use jiff::{Timestamp, tz::TimeZone};
use keep::Language;
use records::Kept;
use report::abuse::Looking;
use report::{Digesting, Page, Subject, Wrong};
use std::{net::IpAddr, path::Path, time::SystemTime};

/// Changes of administrators that are looked through for what they did about a login.
const CHANGES_MAX: usize = 10_000;
/// Such changes that a statement tells.
const CHANGES_TOLD: usize = 10;

pub(super) async fn run(args: Report, global: &Global) -> Result<(), Fault> {
    let settings = client::settings(global)?;
    let since = records::search::when(&args.since, SystemTime::now()).ok_or_else(|| {
        let form = "30m, 12h, 7d, 2026-11-29 or 2026-11-29T06:00";
        Fault::new(Exit::Usage, anyhow::anyhow!("--since {}: it is no time; write it as {form}", args.since))
    })?;
    let language = args.lang.map_or_else(Language::of_locale, Language::from);
    let asked = Asked { settings: &settings, since, language, args: &args, form: global.form() };
    match &args.about {
        None => asked.digest().await,
        Some(About::Abuse { login, client }) => asked.abuse(login.as_deref(), *client),
    }
}

/// What is asked for.
struct Asked<'a> {
    settings: &'a Settings,
    since: SystemTime,
    language: Language,
    args: &'a Report,
    form: Form,
}

impl Asked<'_> {
    async fn digest(&self) -> Result<(), Fault> {
        let mut digesting = Digesting::default();
        self.read(|kept| digesting.see(kept))?;
        let mut digest = digesting.finish(self.since_micros(), records::kept::micros(SystemTime::now()));
        // A server that does not run has no list in DNS that it was wrong about.
        if let Ok(mut client) = Client::connect(&self.settings.admin.socket).await {
            let lists: Vec<wire::DnsList> = client.get("/v1/dnsbl").await?;
            digest.wrongly = lists.iter().flat_map(wrongly_listed).collect();
            let status: wire::Status = client.get("/v1/status").await?;
            digest.dropped = status.records.map_or(0, |records| records.dropped);
        }
        self.show(&digest, digest.page(self.language, local))
    }

    fn abuse(&self, login: Option<&str>, client: Option<IpAddr>) -> Result<(), Fault> {
        let subject = match (login, client) {
            (Some(login), _) => Subject::Login(self.in_full(login)),
            (None, Some(client)) => Subject::Client(client),
            (None, None) => Subject::Everybody,
        };
        let changes = match &subject {
            Subject::Login(login) => self.changes(login)?,
            Subject::Client(client) => self.changes(&client.to_string())?,
            Subject::Everybody => Vec::new(),
        };
        let mut looking = Looking::new(subject);
        self.read(|kept| looking.see(kept))?;
        let abuse = looking.finish(self.since_micros());
        self.show(&abuse, abuse.page(self.language, &self.settings.hostname, &changes, local))
    }

    /// A login with its domain.
    fn in_full(&self, login: &str) -> String {
        match &self.settings.domains.default {
            Some(domain) if !login.contains('@') => format!("{login}@{domain}"),
            _ => login.to_owned(),
        }
    }

    fn since_micros(&self) -> u64 {
        records::kept::micros(self.since)
    }

    fn read(&self, mut see: impl FnMut(&Kept)) -> Result<(), Fault> {
        let reader = serve::records_settings(self.settings).reader();
        let failed = |error: records::ReadError| Fault::new(Exit::Temporary, error);
        for kept in reader.since(self.since).map_err(failed)? {
            see(&kept.map_err(failed)?);
        }
        Ok(())
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
    fn show<T: serde::Serialize>(&self, value: &T, page: Page) -> Result<(), Fault> {
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
        show(self.form, value, |_| page.text().trim_end().to_owned())
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
