//! A session that nobody had: what would become of it at the running server, by what is known now. Nothing is counted, remembered or
//! kept, and no next hop is asked.

use std::net::IpAddr;
use std::time::SystemTime;

use config::{Listener, RelayMode};
use guard::case::{Conduct, Depth, Manner};
use guard::circumstances::{Before, Circumstances, OpenTransaction, Stood};
use guard::{Record, Stage};
use judge::Judge;
use serde::Serialize;
use smtp::{ForwardPath, Host, ReversePath};

use crate::again::again;
use crate::known::By;
use crate::subject::{Places, Subject};
use crate::what_if;

/// A session as it is imagined.
#[derive(Debug, Clone)]
pub struct Imagined {
    /// The client.
    pub client: IpAddr,
    /// What it calls itself.
    pub helo: Option<String>,
    /// The reverse-path, with or without its brackets; empty: the null one.
    pub from: Option<String>,
    /// The forward-path, with or without its brackets.
    pub to: Option<String>,
    /// Who logged in.
    pub auth: Option<String>,
    /// The listener's name; `None`: our own first one for mail.
    pub listener: Option<String>,
    /// Whether it uses TLS.
    pub security: Security,
}

/// Whether a session uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// It does.
    Tls,
    /// It does not.
    PlainText,
}

/// What would become of it.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The decision that ends it, as a record would tell it: the first refusal, else the last command.
    pub decision: Record,
    /// Each ends the sentence "would be accepted if …"; none: it would be accepted, or nothing of what is tried does it.
    pub accepted_if: Vec<String>,
    /// The client is banned: it would get no further than the connection, whatever the rest says.
    pub banned: bool,
}

/// What would become of a session.
pub async fn imagined(imagined: &Imagined, judge: Judge<'_>) -> Result<Explained, String> {
    let manner = manner(imagined, &judge.terms.settings.listeners)?;
    let by = By::terms(judge.terms, manner).looking(judge);
    let stages = stages(imagined)?;
    let banned = judge.sources.state.ban_of(imagined.client).await.is_ok_and(|ban| ban.is_some());
    let mut last = None;
    for stage in stages {
        let subject = subject(imagined, manner, stage)?;
        let again = again(subject, &by).await;
        let refused = !again.came.is_accepted();
        let Some(decision) = again.record else { return Err("the guard came to no end".to_owned()) };
        last = Some((*decision, refused));
        if refused {
            break;
        }
    }
    let Some((decision, refused)) = last else { return Err("nothing is asked".to_owned()) };
    let accepted_if = if refused { accepted_if(&decision, &by).await } else { Vec::new() };
    Ok(Explained { decision, accepted_if, banned })
}

/// By what was found out for it, as if it had been recorded.
async fn accepted_if(decision: &Record, by: &By<'_>) -> Vec<String> {
    let kept = serde_json::to_value(decision).and_then(serde_json::from_value::<records::Kept>);
    let Ok(kept) = kept else { return Vec::new() };
    Box::pin(what_if::accepted_if(&kept, by)).await.unwrap_or_default()
}

/// Up to the last that is told.
fn stages(imagined: &Imagined) -> Result<Vec<Stage>, String> {
    match (&imagined.from, &imagined.to) {
        (None, None) => Ok(vec![Stage::Connect]),
        (Some(_), None) => Ok(vec![Stage::Connect, Stage::Mail]),
        (Some(_), Some(_)) => Ok(vec![Stage::Connect, Stage::Mail, Stage::Rcpt]),
        (None, Some(_)) => Err("a recipient needs a sender: --from ADDRESS, or --from '' for the null one".to_owned()),
    }
}

fn subject(imagined: &Imagined, manner: Manner, stage: Stage) -> Result<Subject, String> {
    let bracketed = |text: &str| if text.starts_with('<') { text.to_owned() } else { format!("<{text}>") };
    let open = match imagined.from.as_deref().filter(|_| stage != Stage::Connect) {
        Some(text) => {
            let read = ReversePath::parse(&bracketed(text)).map_err(|error| format!("\"{text}\": {error}"))?;
            Some(OpenTransaction { reverse_path: read, declared_octets: None, before: Before::default() })
        }
        None => None,
    };
    let (path, source_route) = match imagined.to.as_deref().filter(|_| stage == Stage::Rcpt) {
        Some(text) => {
            let read = ForwardPath::parse(&bracketed(text)).map_err(|error| format!("\"{text}\": {error}"))?;
            (Some(read.path), read.had_source_route)
        }
        None => (None, false),
    };
    // As our own server takes it.
    let shown =
        |text: &str| Host::read_greeting(text.as_bytes()).map_or_else(|| text.to_owned(), |host| host.to_string());
    let conduct = Conduct { plain_text: imagined.security == Security::PlainText, ..Conduct::default() };
    Ok(Subject {
        stage,
        at: SystemTime::now(),
        stood: Stood {
            manner,
            conduct,
            distrusted: false,
            claims_login: imagined.auth.is_some(),
            client: Some(imagined.client),
            helo: imagined.helo.as_deref().map(shown),
            open,
        },
        path,
        confirms: false,
        under: Circumstances { source_route, ..Circumstances::default() },
        known: Vec::new(),
        turned: Vec::new(),
        tried_lists: Vec::new(),
        places: Places::AsRecorded,
        told: imagined.auth.clone(),
    })
}

/// How the listener has its cases judged.
fn manner(imagined: &Imagined, listeners: &[Listener]) -> Result<Manner, String> {
    let Some(name) = &imagined.listener else { return Ok(Manner::OWN) };
    let listener = listeners.iter().find(|listener| *listener.name == **name);
    let listener = listener.ok_or_else(|| format!("there is no listener \"{name}\""))?;
    Ok(match (listener.protocol.is_interface(), listener.relay) {
        (false, _) => Manner::OWN,
        (true, RelayMode::Restrict) => Manner::asked_by_mail_server(Depth::Hosting),
        (true, RelayMode::Permit) => Manner::asked_by_mail_server(Depth::Relaying),
    })
}
