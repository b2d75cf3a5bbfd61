//! `sekisho log relay`, and `--verify` of both logs.

use super::super::{
    args::{RelayLog, Time, Verify},
    client,
    fault::{Exit, Fault},
    global::{Form, Global},
    table::{line, list, show, when},
};
use anyhow::Context as _;
use config::Settings;
use directory::ServerKey;
use judge::relayed::{self, Entry, Given, Which};
use keep::chain::{Chain, Verified};
use serde_json::json;
use terminal::progress;

pub(super) fn run(args: &RelayLog, global: &Global) -> Result<(), Fault> {
    let settings = client::settings(global)?;
    if args.verify.verify {
        return verify(&relayed::chain(&settings, &key(&settings)?), &args.verify, global);
    }
    let which = Which {
        since: args.since.map(|Time(since)| relayed::time(since)),
        login: args.login.as_ref().map(|login| login.full_by(&settings)),
        client: args.client.map(|client| client.to_canonical().to_string()),
        limit: usize::try_from(args.limit).unwrap_or(usize::MAX),
    };
    let ledger = relayed::ledger(&settings);
    let read = relayed::read(&ledger, &which).with_context(|| ledger.path().display().to_string());
    let (entries, unreadable) = read.map_err(|error| Fault::new(Exit::Temporary, error))?;
    show(global.form(), &json!({ "relayed": entries, "unreadable": unreadable }), |_| text(&entries, unreadable))
}

fn text(entries: &[Entry], unreadable: u64) -> String {
    let rows = entries.iter().flat_map(|entry| entry.rights.iter().map(move |given| row(entry, given)));
    let header = ["WHEN", "QUEUE ID", "CLIENT", "RIGHT", "BY", "FROM", "TO", "OCTETS", "EXPLAIN"];
    let text = list(header, rows, ["message", "messages"]);
    match unreadable {
        0 => text,
        lines => format!("{text}\n{lines} of the lines cannot be read: see --verify."),
    }
}

fn row(entry: &Entry, given: &Given) -> [String; 9] {
    let by = match (&given.login, &given.device, &given.evidence) {
        (Some(login), Some(device), _) => format!("{login} ({device})"),
        (Some(login), None, _) => login.clone(),
        (None, _, Some(evidence)) => evidence.by.clone(),
        (None, _, None) => given.line.clone().unwrap_or_default(),
    };
    let first = given.to.first().cloned().unwrap_or_default();
    let to = if given.recipients > 1 { format!("{first} +{}", given.recipients - 1) } else { first };
    [
        when(Some(&entry.at)),
        entry.queue_id.clone(),
        entry.client.clone(),
        given.right.clone(),
        by,
        entry.reverse_path.clone(),
        to,
        entry.octets.to_string(),
        given.explain.first().cloned().unwrap_or_default(),
    ]
}

/// The key that sums are made with. None is made: without it nothing is proved.
pub(super) fn key(settings: &Settings) -> Result<ServerKey, Fault> {
    let path = &settings.directory.key;
    if !path.is_file() {
        let error = anyhow::anyhow!("{}: no server key: without it no sum can be proved", path.display());
        return Err(Fault::new(Exit::Usage, error));
    }
    // Whose it is and who may read it is the server's care; here it is only read, perhaps by root.
    let any = keep::secret::Permissions::Any;
    let key = ServerKey::load(path, any).and_then(|key| directory::rotation::chain_key(path, &key, any));
    key.map_err(|error| Fault::new(Exit::Temporary, error))
}

/// Walks a chain; ends with 1 if it is broken.
pub(super) fn verify(chain: &Chain, args: &Verify, global: &Global) -> Result<(), Fault> {
    let path = chain.ledger().path();
    let waiting = progress::waiting("walking the lines");
    let found = chain.verify(args.head).with_context(|| path.display().to_string());
    let found = found.map_err(|error| Fault::new(Exit::Temporary, error))?;
    drop(waiting);
    let said = match global.form() {
        Form::Json => format!("{:#}\n", as_json(&found)),
        Form::Text => told(chain, &found, args),
    };
    line(&said)?;
    if found.is_intact() { Ok(()) } else { Err(Fault::silent(Exit::No)) }
}

fn as_json(found: &Verified) -> serde_json::Value {
    let broken = found.broken.iter().map(|broken| {
        json!({ "file": broken.file.display().to_string(), "line": broken.line, "what": broken.flaw.to_string() })
    });
    json!({
        "intact": found.is_intact(), "files": found.files, "lines": found.lines, "first": found.first,
        "head": found.head.to_string(), "before_the_chain": found.before, "torn": found.torn,
        "broken": broken.collect::<Vec<_>>(), "more": found.more,
    })
}

fn told(chain: &Chain, found: &Verified, args: &Verify) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for broken in &found.broken {
        let _ = writeln!(text, "{}:{}: {}", broken.file.display(), broken.line, broken.flaw);
    }
    if found.more > 0 {
        let _ = writeln!(text, "… and {} more", found.more);
    }
    if found.before > 0 {
        let _ = writeln!(text, "{} lines are from before the chain began: nothing is known of them", found.before);
    }
    if found.torn > 0 {
        let _ = writeln!(text, "a crash tore {} lines; the lines after them answer for that", found.torn);
    }
    let state = if found.is_intact() { "intact" } else { "BROKEN" };
    let first = found.first.map(|first| format!(", from {first}")).unwrap_or_default();
    let path = chain.ledger().path().display();
    let _ = writeln!(text, "{path}: {state}: {} lines in {} files{first}", found.lines, found.files);
    let _ = writeln!(text, "head {}", found.head);
    if args.head.is_none() && found.is_intact() {
        text.push_str("a cut-off end is only found with --head and what was noted elsewhere (log event relay_chain)\n");
    }
    text
}
