//! What goes over the admin API. Times are RFC 3339 in UTC. Nothing here shows a stored secret but [`Hash`]; what carries one
//! has no `Debug`.

mod activity;
mod alarms;
mod backup;
mod bans;
mod choices;
mod dnsbl;
mod explain;
mod queue_stats;
mod records;
mod relay;
mod roll;
mod status;

pub use activity::{Activity, Counter, Listening, Sending, Waiting};
pub use alarms::{Alarm, FarSide, Taken};
pub use backup::BackupWanted;
pub use bans::{Ban, NewBan};
pub use choices::{ChoiceChange, Choices, OnOff};
pub use dnsbl::DnsList;
pub use explain::Explained;
pub use queue_stats::{Bucket, QueueStats};
pub use records::{Records, RecordsOfId, RecordsStatus};
pub use relay::Relay;
pub use roll::{AccountChange, AccountRoll, AccountRow, AliasRoll, AliasRow, Hash, RolledCount, RowMistake};
pub use status::{CertificateStatus, FaultStatus, ListenerStatus, QueueStatus, RenewalStatus, Status};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// For programs.
    pub kind: ProblemKind,
    /// For people.
    pub error: String,
    /// What is wrong with which rows, if it was a table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowMistake>,
}

/// What kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// There is no such thing.
    NotFound,
    /// There is such a thing already.
    Exists,
    /// It cannot go while something needs it.
    InUse,
    /// What was asked cannot be meant.
    Invalid,
    /// The old password is not right.
    WrongPassword,
    /// The new configuration has mistakes.
    Refused,
    /// It may work later.
    Temporary,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Configuration {
    /// The file it was read from.
    pub file: String,
    /// `--set` of the server, over it.
    #[serde(default)]
    pub sets: Vec<String>,
    /// When it was.
    pub loaded_at: String,
    /// Every key with its value, as `sekisho config show --json` prints it. Secrets stand in files of their own, which it names.
    #[schema(value_type = Object)]
    pub configuration: serde_json::Value,
}

/// Who may relay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rights {
    /// The report, as `sekisho audit --json` prints it.
    #[schema(value_type = Object)]
    pub report: serde_json::Value,
}

/// A session at one of our own listeners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id, as in the log.
    pub session: String,
    /// The listener's name.
    pub listener: String,
    /// What is spoken.
    pub protocol: String,
    /// The client's address.
    pub client: String,
    /// Who logged in.
    pub login: Option<String>,
    /// The device by which he did.
    pub device: Option<String>,
    /// When it began.
    pub begun_at: String,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// `user@domain`.
    pub login: String,
    /// Folder of its mailbox below `delivery.maildir_root`.
    pub maildir: String,
    /// Octets that the mailbox may hold; null is no bound of its own.
    pub quota_octets: Option<u64>,
    /// Only device secrets, and only by APOP or CRAM-MD5.
    pub apop_only: bool,
    /// Every login is refused.
    pub locked: bool,
    /// From then on every login is refused.
    pub expires_at: Option<String>,
    /// Whose it is, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// Scheme of the main password's hash; null is no main password.
    pub scheme: Option<String>,
    /// Devices that are not revoked.
    pub devices: u32,
    /// Addresses of its own; only where one account is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Aliases over these addresses: its mail goes where they lead; only where one account is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
}

/// An account to be made.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// `user@domain`, or `user` in the default domain.
    pub login: String,
    /// Main password; without one only devices log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// An existing hash with its scheme, instead of a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Octets that the mailbox may hold; null is no bound of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_octets: Option<u64>,
    /// Only device secrets, and only by APOP or CRAM-MD5.
    #[serde(default)]
    pub apop_only: bool,
    /// Whose it is, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Makes the domain too, if it is not there. Mail for it is taken from then on.
    #[serde(default)]
    pub new_domain: bool,
}

/// A new main password.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// An existing hash with its scheme, instead of a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The old one, if it is the user who changes it; it is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
}

/// A device of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// The account it belongs to.
    pub account: String,
    /// Its name within the account.
    pub name: String,
    /// What it logs in with.
    pub login: String,
    /// Networks that it may log in from; empty is everywhere.
    pub networks: Vec<String>,
    /// Messages that it may send an hour; null is no bound of its own.
    pub messages_per_hour: Option<u32>,
    /// `own-domains` or `anywhere`.
    pub recipients: String,
    /// From then on it is refused.
    pub expires_at: Option<String>,
    /// When it was cut off.
    pub revoked_at: Option<String>,
    /// When it logged in last; null: never, or not since this is remembered.
    #[serde(default)]
    pub last_used_at: Option<String>,
    /// From which address.
    #[serde(default)]
    pub last_used_from: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// A device to be made.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// Its name within the account.
    pub name: String,
    /// Networks that it may log in from; empty is everywhere.
    #[serde(default)]
    pub networks: Vec<String>,
    /// Messages that it may send an hour; null is no bound of its own.
    #[serde(default)]
    pub messages_per_hour: Option<u32>,
    /// `own-domains` (if not given) or `anywhere`.
    #[serde(default)]
    pub recipients: Option<String>,
    /// Days until it is refused; null is never.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A device that was made, with its secret: the only time that it is shown.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct MadeDevice {
    /// The device.
    #[serde(flatten)]
    pub device: Device,
    /// Its secret.
    pub secret: String,
}

/// A domain whose mail is taken for accounts here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Domain {
    /// Its name.
    pub domain: String,
    /// Who gets what is for nobody else.
    pub catch_all: Option<String>,
    /// It is switched off: its mail is to come later.
    #[serde(default)]
    pub is_off: bool,
}

/// What is set at a domain.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainChange {
    /// Who gets what is for nobody else; null is nobody: it is refused.
    #[serde(default)]
    pub catch_all: Option<String>,
}

/// An address that leads to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alias {
    /// The address.
    pub address: String,
    /// Where it leads.
    pub targets: Vec<String>,
}

/// Where an address shall lead besides.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasTargets {
    /// Accounts here, or addresses anywhere.
    pub targets: Vec<String>,
    /// The address is an account's, which gets a copy of each mail. Without it such an alias is refused.
    #[serde(default)]
    pub keep_copy: bool,
}

/// Evidence of a POP login: while it lives, its address may relay as its account, or, when DRAC told of it, with the reverse-paths
/// of `relay.drac.senders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// The client's address.
    pub address: String,
    /// Who logged in; none when DRAC told of it.
    pub login: Option<String>,
    /// The device of that account that did, by its name; of several behind one address all, with blanks between.
    #[serde(default)]
    pub device: Option<String>,
    /// The server that told of it by DRAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// When.
    pub granted_at: String,
    /// Until when it counts.
    pub expires_at: String,
    /// Other accounts logged in from the address too.
    pub shared: bool,
    /// `pop3`, `operator`, `drac`, `auth-policy`, `dovecot-auth`, `log`.
    pub source: String,
}

/// A grant by hand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// The client's address.
    pub address: String,
    /// The account that it may relay as.
    pub login: String,
    /// How long, in minutes; as configured if not given.
    #[serde(default)]
    pub minutes: Option<u32>,
}

/// How many there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// How many.
    pub count: u64,
}

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Its queue id.
    pub id: String,
    /// Empty is the null reverse-path.
    pub reverse_path: String,
    /// `outside`, `account`, `bounce`.
    pub origin: String,
    /// The login that sent it.
    pub login: Option<String>,
    /// By which right it was taken.
    pub grant: Option<String>,
    /// When.
    pub arrived_at: String,
    /// Its size.
    pub message_octets: u64,
    /// Its session in the log.
    pub session: String,
    /// It, or a recipient of it, is kept until it is released.
    pub held: bool,
    /// Why all of it is kept: `operator`, `rule`, `right-ended`, `unreadable`, `earlier-release`. Absent where only
    /// recipients are held, which ends by itself.
    pub hold: Option<String>,
    /// An attempt is being made.
    pub active: bool,
    /// For whom.
    pub recipients: Vec<MessageRecipient>,
}

/// What came of trying messages at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retried {
    /// Messages tried, or about to be.
    pub messages: u64,
    /// Messages that are held, and were not: they are to be released.
    pub held: u64,
    /// Recipients whose attempt had not ended when this was answered.
    pub pending: u64,
    /// The attempts that had, 1,000 at most.
    pub attempts: Vec<Attempt>,
}

/// One attempt for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// The message.
    pub id: String,
    /// The forward-path.
    pub forward_path: String,
    /// `delivered`, `deferred`, `bounced`, `held`, `dropped`.
    pub outcome: String,
    /// Where.
    pub relay: String,
    /// What was said there.
    pub reply: String,
}

/// A recipient of a message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageRecipient {
    /// The forward-path.
    pub forward_path: String,
    /// `maildir:LOGIN`, `remote:HOST`, `smtp:SERVER`, `lmtp:SERVER`.
    pub target: String,
    /// What the client gave, where an alias led here.
    #[serde(default)]
    pub given: Option<String>,
    /// That alias; `@domain` is a catch-all.
    #[serde(default)]
    pub alias: Option<String>,
    /// `waiting`, `delivered`, `failed`, `expired`, `held`.
    pub state: String,
    /// Attempts made.
    pub attempts: u16,
    /// When it is tried next.
    pub due_at: String,
    /// Why it waits or failed.
    pub reason: Option<String>,
}

/// RFC 3339 of a number of seconds since 1970.
pub(super) fn time(secs: u64) -> String {
    let timestamp = i64::try_from(secs).ok().and_then(|secs| jiff::Timestamp::from_second(secs).ok());
    timestamp.unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// RFC 3339 of a system time, to the second.
pub fn system_time(time_of_it: std::time::SystemTime) -> String {
    time(time_of_it.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
