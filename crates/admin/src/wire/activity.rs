//! What the server does now, for whoever watches.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Alarm;

/// The server at one moment. What is counted is counted since the start: two moments make a rate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// The program's version.
    pub version: String,
    /// Milliseconds since the start, by a clock that never goes back.
    pub uptime_millis: u64,
    /// Connections at each listener.
    pub listeners: Vec<Listening>,
    /// Sessions at our own listeners.
    pub sessions: u64,
    /// Those in which somebody has logged in.
    pub sessions_logged_in: u64,
    /// Clients that are banned.
    pub bans: u64,
    /// Memory that the process holds, in octets; null is not known.
    pub memory_octets: Option<u64>,
    /// Messages answered with 250, from strangers.
    pub messages_outside: u64,
    /// The same, by a right to relay or from somebody who logged in.
    pub messages_trusted: u64,
    /// Judgements by outcome: `proceed`, `hosted`, `relayed`, `refuse`, `defer`.
    pub decisions: Vec<Counter>,
    /// Refusals by reason (docs/refusals.md); only those that there were.
    pub refusals: Vec<Counter>,
    /// Logins by result: `proved`, `denied`, `throttled`, `unavailable`.
    pub logins: Vec<Counter>,
    /// What became of recipients in each attempt: `delivered`, `deferred`, `bounced`, `held`, `dropped`.
    pub deliveries: Vec<Counter>,
    /// The queue.
    pub queue: Waiting,
    /// Who sent most within the hour, with a right to.
    pub senders: Vec<Sending>,
    /// Alarms in force, the worst first.
    pub alarms: Vec<Alarm>,
}

/// So many of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counter {
    /// The kind, in a stable word.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// A listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listening {
    /// Its name.
    pub name: String,
    /// Connections now.
    pub open: u64,
    /// Connections that it may have.
    pub open_max: u64,
    /// Connections that were served.
    pub served: u64,
    /// Connections that were turned away at the door.
    pub turned_away: u64,
}

/// The queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// Messages.
    pub messages: u64,
    /// Of these in an attempt now.
    pub active: u64,
    /// Deferred at least once.
    pub deferred: u64,
    /// Held, or with a recipient that is.
    pub held: u64,
    /// Recipients that wait.
    pub recipients: u64,
    /// How long the oldest that is not held has waited, in seconds.
    pub oldest_secs: u64,
}

/// A sender within the hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sending {
    /// Who: a login, a device, a POP grant or a client.
    pub sender: String,
    /// Recipients.
    pub sent: u64,
    /// Recipients that other servers refused for good.
    pub refused: u64,
    /// Recipients in its greatest hour before this one.
    pub usual: u64,
}
