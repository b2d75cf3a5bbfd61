//! `sekisho records`: decisions that were kept.

use super::{
    args::{RecordId, Records, RecordsList, Time},
    client,
    fault::{Exit, Fault},
    global::{Form, Global},
    table::{self, line, show, warnings},
};
use ::records::{Kept, Reader};
use admin::client::{Client, ClientError, percent};
use admin::wire::{self, Problem};
use admin::{WhichRecords, find_records, records_of_id};
use anyhow::anyhow;
use terminal::time;

pub(super) async fn run(command: Records, global: &Global) -> Result<(), Fault> {
    match command {
        Records::List(args) => list(args, global).await,
        Records::Show(args) => shown(args, global).await,
    }
}

/// Where records are asked for: the running server, or without one the files.
pub(super) enum Source {
    Server(Client),
    Files(Reader),
}

impl Source {
    pub(super) async fn open(global: &Global) -> Result<Self, Fault> {
        let settings = client::settings(global)?;
        match Client::connect(&settings.admin.socket).await {
            Ok(client) => Ok(Self::Server(client)),
            Err(ClientError::NoServer { .. }) => Ok(Self::Files(serve::records_settings(&settings).reader())),
            Err(error) => Err(error.into()),
        }
    }

    /// What is kept of an id; nothing ends the command with 1.
    pub(super) async fn of_id(&mut self, id: &str) -> Result<wire::RecordsOfId, Fault> {
        match self {
            Self::Server(client) => Ok(client.get(&format!("/v1/records/{}", percent(id))).await?),
            Self::Files(reader) => records_of_id(reader, id).map_err(|error| Problem::from(error).into()),
        }
    }

    async fn find(&mut self, which: WhichRecords) -> Result<wire::Records, Fault> {
        match self {
            Self::Server(client) => Ok(client.get(&format!("/v1/records?{}", query(&which))).await?),
            Self::Files(reader) => find_records(reader, which).map_err(|error| Problem::from(error).into()),
        }
    }
}

fn query(which: &WhichRecords) -> String {
    let WhichRecords { id, session, client, login, short, address, reason, since, until, limit } = which;
    let limit = limit.map(|limit| limit.to_string());
    let pairs = [
        ("id", id),
        ("session", session),
        ("client", client),
        ("login", login),
        ("short", short),
        ("address", address),
        ("reason", reason),
        ("since", since),
        ("until", until),
        ("limit", &limit),
    ];
    let given = pairs.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", percent(value.as_ref()?))));
    given.collect::<Vec<_>>().join("&")
}

async fn list(args: RecordsList, global: &Global) -> Result<(), Fault> {
    let RecordsList { client: of, login, address, reason, session, since, until, limit } = args;
    let [since, until] = [since, until].map(|time| time.map(|Time(at)| wire::system_time(at)));
    let limit = usize::try_from(limit).ok();
    let settings = client::settings(global)?;
    let login = login.map(|login| login.full_by(&settings));
    let short = login.as_deref().and_then(|login| short(login, &settings));
    let which = WhichRecords { id: None, session, client: of, login, short, address, reason, since, until, limit };
    let found = Source::open(global).await?.find(which).await?;
    show(global.form(), &found, |found| {
        let mut told = Vec::new();
        if found.more {
            told.push("there may be more: narrow the search, or give a larger --limit".to_owned());
        }
        told.extend(damage(found.damaged));
        if found.dropped > 0 {
            told.push(format!(
                "{} decisions since the server's start were not kept: the disk was too slow or full",
                found.dropped
            ));
        }
        format!("{}{}", warnings(&told), listing(&found.records))
    })
}

/// A login of the default domain as its owner may have typed it.
fn short(login: &str, settings: &config::Settings) -> Option<String> {
    let domain = settings.domains.default.as_ref()?.as_str();
    let (local, _) = login.rsplit_once('@').filter(|(_, host)| host.eq_ignore_ascii_case(domain))?;
    Some(local.to_owned())
}

/// What is missing where files are damaged.
pub(super) fn damage(stretches: u64) -> Option<String> {
    let text =
        || format!("{stretches} stretches of the files cannot be read and were skipped; the log names the files");
    (stretches > 0).then(text)
}

/// One line for each.
pub(super) fn listing(records: &[Kept]) -> String {
    let row = |kept: &Kept| {
        let client = kept.client.map(|client| client.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let reason = kept.reason().or(kept.right.as_ref().map(|right| right.code.as_str())).unwrap_or_default();
        [
            time::brief(&wire::system_time(kept.time())),
            kept.id.clone(),
            kept.of.session.clone(),
            kept.stage.clone(),
            client,
            text(&kept.login),
            text(&kept.reverse_path),
            text(&kept.forward_path),
            kept.outcome.clone(),
            reason.to_owned(),
        ]
    };
    let header = ["WHEN", "ID", "SESSION", "STAGE", "CLIENT", "LOGIN", "FROM", "TO", "OUTCOME", "REASON"];
    table::list(header, records.iter().map(row), ["record", "records"])
}

async fn shown(args: RecordId, global: &Global) -> Result<(), Fault> {
    let found = Source::open(global).await?.of_id(&args.id).await?;
    match global.form() {
        Form::Json => show(Form::Json, &found, |_| String::new()),
        Form::Text => {
            let all = found.records.iter().chain(&found.session);
            let texts: Result<Vec<String>, _> = all.map(serde_json::to_string_pretty).collect();
            let texts = texts.map_err(|error| Fault::new(Exit::Temporary, anyhow!(error)))?;
            line(&(texts.join("\n") + "\n"))
        }
    }
}
