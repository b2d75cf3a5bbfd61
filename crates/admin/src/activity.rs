//! `/v1/activity`: what the server does now.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::pin::Pin;

use axum::{Json, extract::State};
use delivery::FateKind;
use guard::{Outcome, Reason, Stage};
use keep::tally::{COUNTED, LoginAt, LoginEnd, TakenAs};
use telemetry::{Numbers, Sender};

use super::{ApiError, Shared, alarms, wire};

/// The server in numbers, and for how many milliseconds it has run.
pub type NumbersNow = Box<dyn Fn() -> Pin<Box<dyn Future<Output = (Numbers, u64)> + Send>> + Send + Sync>;

/// Senders in one answer.
const SENDERS: usize = 50;

/// What the server does now; made for being asked for every second.
#[utoipa::path(get, path = "/v1/activity", tag = "server", responses((status = 200, body = wire::Activity)))]
pub(super) async fn show(State(backend): Shared) -> Result<Json<wire::Activity>, ApiError> {
    let server = backend.server()?;
    let (numbers, uptime_millis) = (server.numbers)().await;
    let mut activity = counted(&numbers);
    activity.uptime_millis = uptime_millis;
    activity.alarms = alarms::in_force(&server.watch);
    activity.senders = senders(server.watch.pads.look());
    Ok(Json(activity))
}

fn counted(numbers: &Numbers) -> wire::Activity {
    let listener = |it: &telemetry::Listening| wire::Listening {
        name: it.name.clone(),
        open: it.open[0],
        open_max: it.open[1],
        served: it.met[0],
        turned_away: it.met[1],
    };
    wire::Activity {
        version: numbers.version.to_owned(),
        listeners: numbers.listeners.iter().map(listener).collect(),
        sessions: numbers.sessions.iter().sum(),
        sessions_logged_in: numbers.sessions[1],
        bans: numbers.bans,
        memory_octets: numbers.memory_octets,
        messages_outside: COUNTED.taken.read(TakenAs::Outside as usize),
        messages_trusted: COUNTED.taken.read(TakenAs::Trusted as usize),
        decisions: decisions(),
        refusals: refusals(),
        logins: logins(),
        deliveries: deliveries(),
        queue: wire::Waiting {
            messages: numbers.queue.messages,
            active: numbers.queue.by_state[0],
            deferred: numbers.queue.by_state[1],
            held: numbers.queue.by_state[2],
            recipients: numbers.queue.recipients,
            oldest_secs: numbers.queue.oldest.as_secs(),
        },
        ..wire::Activity::default()
    }
}

fn decisions() -> Vec<wire::Counter> {
    let of = |at| Stage::ALL.iter().map(|stage| COUNTED.judged.read(*stage as usize, at)).sum();
    Outcome::CODES.iter().enumerate().map(|(at, code)| counter(code, of(at))).collect()
}

/// By their words, since some share one.
fn refusals() -> Vec<wire::Counter> {
    let mut by_code = BTreeMap::<&str, u64>::new();
    for reason in Reason::ALL {
        let of = |stage: &Stage| COUNTED.refused.read(*stage as usize, reason as usize);
        *by_code.entry(reason.code()).or_default() += Stage::ALL.iter().map(of).sum::<u64>();
    }
    by_code.into_iter().filter(|(_, count)| *count > 0).map(|(code, count)| counter(code, count)).collect()
}

fn logins() -> Vec<wire::Counter> {
    let ends = [
        (LoginEnd::Proved, "proved"),
        (LoginEnd::Denied, "denied"),
        (LoginEnd::Throttled, "throttled"),
        (LoginEnd::Unavailable, "unavailable"),
    ];
    let of = |end| [LoginAt::Smtp, LoginAt::Pop3].iter().map(|at| COUNTED.logins.read(*at as usize, end)).sum();
    ends.iter().map(|(end, name)| counter(name, of(*end as usize))).collect()
}

fn deliveries() -> Vec<wire::Counter> {
    let kinds = [FateKind::Delivered, FateKind::Deferred, FateKind::Bounced, FateKind::Held, FateKind::Dropped];
    let of = |kind| (0..delivery::WAYS.len()).map(|way| COUNTED.fates.read(way, kind as usize)).sum();
    kinds.iter().map(|kind| counter(&kind.to_string(), of(*kind))).collect()
}

fn counter(name: &str, count: u64) -> wire::Counter {
    wire::Counter { name: name.to_owned(), count }
}

/// Who sent most, first.
fn senders(mut seen: Vec<telemetry::Seen>) -> Vec<wire::Sending> {
    seen.sort_by(|a, b| (Reverse(a.sent), &a.sender).cmp(&(Reverse(b.sent), &b.sender)));
    let told = seen.into_iter().take(SENDERS).map(|it| wire::Sending {
        sender: name(&it.sender),
        sent: it.sent,
        refused: it.refused,
        usual: it.usual,
    });
    told.collect()
}

fn name(sender: &Sender) -> String {
    match sender {
        Sender::Login(login) => login.clone(),
        Sender::Device { account, name } => format!("{account} ({name})"),
        Sender::Grant { client, account: Some(account) } => format!("{account} (POP {client})"),
        Sender::Grant { client, account: None } => format!("DRAC {client}"),
        Sender::Client(client) => client.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_most_stands_first() {
        let of =
            |login: &str, sent| telemetry::Seen { sender: Sender::Login(login.to_owned()), sent, refused: 0, usual: 0 };
        let told = senders(vec![of("b", 1), of("c", 9), of("a", 1)]);
        let names: Vec<&str> = told.iter().map(|it| it.sender.as_str()).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }

    #[test]
    fn a_reason_is_told_once_with_all_its_stages() {
        COUNTED.refused.one(Stage::ALL[0] as usize, Reason::ALL[0] as usize);
        COUNTED.refused.one(Stage::ALL[1] as usize, Reason::ALL[0] as usize);
        let told = refusals();
        let of: Vec<_> = told.iter().filter(|it| it.name == Reason::ALL[0].code()).collect();
        assert!(matches!(of.as_slice(), [one] if one.count >= 2), "{told:?}");
    }
}
