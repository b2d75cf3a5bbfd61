//! When something is an alarm: pure, of what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::alarm::{Alarm, Kind, shell};
use crate::pad::{Seen, Sender};

/// A queue's share in percent that makes a sender a launching pad.
const SHARE_PERCENT: u64 = 50;
/// From so many recipients of one sender on, that share counts.
const SHARE_RECIPIENTS: u64 = 100;
/// How many times as much as usual is unusual.
const UNUSUAL: u64 = 3;
/// While nobody has a past yet, so many times as much is allowed.
const WITHOUT_PAST: u64 = 5;
/// Of what a sender sent in an hour, one in so many refused is too much.
const REFUSED_ONE_IN: u64 = 4;
/// From so many refusals on, that counts.
const REFUSED: u64 = 30;

/// From when on something is an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// How long mail may wait.
    pub queue_age: Duration,
    /// By how many messages the queue may grow within an hour.
    pub queue_growth: u64,
    /// How many recipients a sender may have within an hour, however few it usually has.
    pub sender_recipients: u64,
}

/// The server as it is seen by one look.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// How long the oldest mail has waited for delivery; what is held is not waiting.
    pub oldest: Duration,
    /// Messages in the queue.
    pub messages: u64,
    /// The same an hour ago, or at the start.
    pub messages_before: u64,
    /// Recipients that wait.
    pub recipients: u64,
    /// Of these, by the login that brought them.
    pub by_login: Vec<(String, u64)>,
    /// What senders did within the hour.
    pub pads: Vec<Seen>,
    /// The process is younger than an hour: what is usual for a sender is not known yet.
    pub is_young: bool,
    /// Days until the certificate ends; negative: since then. `None`: there is none.
    pub certificate_days: Option<i64>,
    /// Lists in DNS that weigh nothing, since they list too much.
    pub broken_lists: Vec<String>,
    /// Why the queue takes no mail; `None`: it does.
    pub store: Option<String>,
    /// What else does not answer, and why.
    pub sources: Vec<(&'static str, String)>,
    /// Decision records dropped since the look before.
    pub records_dropped: u64,
}

/// All that is in force now of what ends by itself.
pub(crate) fn alarms(look: &Look, bounds: &Bounds) -> Vec<Alarm> {
    let mut alarms = queue(look, bounds);
    alarms.extend(senders(look, bounds));
    for (login, recipients) in &look.by_login {
        let sender = Sender::Login(login.clone());
        let told = alarms.iter().any(|alarm| alarm.kind == Kind::LaunchingPad && alarm.subject == subject(&sender));
        if *recipients >= SHARE_RECIPIENTS && recipients * 100 >= look.recipients * SHARE_PERCENT && !told {
            let detail = format!("{recipients} of the {} recipients in the queue are of its mail", look.recipients);
            alarms.push(Alarm::new(Kind::LaunchingPad, subject(&sender), detail).with(commands(&sender)));
        }
    }
    alarms.extend(certificate(look.certificate_days));
    alarms.extend(
        look.broken_lists.iter().map(|list| Alarm::new(Kind::ListBroken, list, "it is asked, and weighs nothing")),
    );
    alarms.extend(look.store.iter().map(|why| Alarm::new(Kind::Store, "", why)));
    alarms.extend(look.sources.iter().map(|(source, why)| Alarm::new(Kind::Sources, *source, why)));
    if look.records_dropped > 0 {
        alarms.push(Alarm::new(Kind::RecordsDropped, "", format!("{} records", look.records_dropped)));
    }
    alarms
}

fn queue(look: &Look, bounds: &Bounds) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if look.oldest >= bounds.queue_age {
        let hours = look.oldest.as_secs() / 3_600;
        alarms.push(Alarm::new(Kind::QueueAge, "", format!("the oldest has waited for {hours} hours")));
    }
    let grown = look.messages.saturating_sub(look.messages_before);
    if grown >= bounds.queue_growth && look.messages >= 2 * look.messages_before {
        let detail = format!("{} messages, {grown} more than an hour ago", look.messages);
        alarms.push(Alarm::new(Kind::QueueGrowth, "", detail));
    }
    alarms
}

/// Who sends much more than usual, or is refused much. An account's devices count for it too: each may stay below what is unusual.
fn senders(look: &Look, bounds: &Bounds) -> Vec<Alarm> {
    let (mut alarms, mut told) = (Vec::new(), BTreeSet::new());
    for seen in &look.pads {
        if let Some(alarm) = flood(seen, look, bounds) {
            alarms.push(alarm);
            told.extend(account(&seen.sender));
        }
    }
    let accounts = accounts(&look.pads);
    let others = accounts.iter().filter(|(account, _)| !told.contains(*account));
    alarms.extend(others.filter_map(|(_, seen)| flood(seen, look, bounds)));
    // What is refused of a device's mail is noted by its account alone.
    let alone = look.pads.iter().filter(|seen| account(&seen.sender).is_none());
    alarms.extend(alone.chain(accounts.values()).filter_map(refused));
    alarms
}

/// Who answers for what is sent by a login; a grant has an alarm of its own, since it is cut off in another way.
fn account(sender: &Sender) -> Option<&str> {
    match sender {
        Sender::Login(account) | Sender::Device { account, .. } => Some(account),
        Sender::Grant { .. } | Sender::Client(_) => None,
    }
}

/// What each account did, its devices together with it.
fn accounts(pads: &[Seen]) -> BTreeMap<&str, Seen> {
    let mut accounts = BTreeMap::new();
    for Seen { sender, sent, refused, usual } in pads {
        let Some(account) = account(sender) else { continue };
        let none = || Seen { sender: Sender::Login(account.to_owned()), sent: 0, refused: 0, usual: 0 };
        let all: &mut Seen = accounts.entry(account).or_insert_with(none);
        all.sent += sent;
        all.refused += refused;
        all.usual += usual;
    }
    accounts
}

fn flood(seen: &Seen, look: &Look, bounds: &Bounds) -> Option<Alarm> {
    let allowed = bounds.sender_recipients * if look.is_young { WITHOUT_PAST } else { 1 };
    if seen.sent < allowed || seen.sent < UNUSUAL * seen.usual {
        return None;
    }
    let detail = format!("{} recipients within the last hour, {} in its greatest hour before", seen.sent, seen.usual);
    Some(Alarm::new(Kind::LaunchingPad, subject(&seen.sender), detail).with(commands(&seen.sender)))
}

fn refused(seen: &Seen) -> Option<Alarm> {
    if seen.refused < REFUSED || seen.refused * REFUSED_ONE_IN < seen.sent {
        return None;
    }
    let detail = format!("{} recipients refused within the last hour, {} sent to", seen.refused, seen.sent);
    Some(Alarm::new(Kind::SenderRefused, subject(&seen.sender), detail).with(commands(&seen.sender)))
}

fn certificate(days: Option<i64>) -> Option<Alarm> {
    let days = days?;
    let detail = if days < 0 { "it has expired".to_owned() } else { format!("{days} days left") };
    match days {
        ..3 => Some(Alarm::new(Kind::CertificateEnded, "", detail)),
        3..14 => Some(Alarm::new(Kind::CertificateEnds, "", detail)),
        _ => None,
    }
}

/// Who it is, in words.
fn subject(sender: &Sender) -> String {
    match sender {
        Sender::Login(login) => format!("login {login}"),
        Sender::Device { account, name } => format!("device {name} of {account}"),
        Sender::Grant { client, account: Some(account) } => format!("grant of {client}, by the POP login of {account}"),
        Sender::Grant { client, account: None } => format!("grant of {client}, by DRAC"),
        Sender::Client(client) => format!("client {client}"),
    }
}

/// What cuts it off and holds its mail.
fn commands(sender: &Sender) -> Vec<String> {
    let of_login = |login: &str| {
        let login = shell(login);
        [format!("sekisho session cut --login {login}"), format!("sekisho queue hold --login {login}")]
    };
    match sender {
        Sender::Login(login) => {
            [vec![format!("sekisho user lock {}", shell(login))], of_login(login).to_vec()].concat()
        }
        Sender::Device { account, name } => {
            [vec![format!("sekisho user device revoke {}", shell(name))], of_login(account).to_vec()].concat()
        }
        Sender::Grant { client, account } => {
            let mut commands = vec![
                format!("sekisho grant revoke --address {client}"),
                format!("sekisho session cut --client {client}"),
            ];
            match account {
                Some(account) => {
                    commands.insert(0, format!("sekisho user lock {}", shell(account)));
                    commands.push(format!("sekisho queue hold --login {}", shell(account)));
                }
                None => commands.push(format!("sekisho queue hold --client {client}")),
            }
            commands
        }
        // A listed client cannot be banned: the line that lists it goes.
        Sender::Client(client) => vec![
            format!("sekisho session cut --client {client}"),
            format!("sekisho queue hold --client {client}"),
            "sekisho reload   # after the line of the network that holds it is gone from [relay]".to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        Bounds { queue_age: Duration::from_hours(24), queue_growth: 1_000, sender_recipients: 200 }
    }

    fn kinds(look: &Look) -> Vec<&'static str> {
        alarms(look, &bounds()).iter().map(|alarm| alarm.kind.about().code).collect()
    }

    #[test]
    fn a_quiet_server_raises_nothing() {
        let calm =
            Look { certificate_days: Some(60), messages: 900, oldest: Duration::from_hours(23), ..Look::default() };
        assert!(kinds(&calm).is_empty());
        let usual = Look { messages: 5_000, messages_before: 4_000, ..Look::default() };
        assert!(kinds(&usual).is_empty(), "a queue that is always long");
    }

    #[test]
    fn each_trouble_has_its_alarm() {
        let table = [
            (Look { oldest: Duration::from_hours(24), ..Look::default() }, "queue-age"),
            (Look { messages: 2_000, messages_before: 900, ..Look::default() }, "queue-growth"),
            (Look { certificate_days: Some(13), ..Look::default() }, "certificate-ends"),
            (Look { certificate_days: Some(2), ..Look::default() }, "certificate-ended"),
            (Look { certificate_days: Some(-1), ..Look::default() }, "certificate-ended"),
            (Look { broken_lists: vec!["l".to_owned()], ..Look::default() }, "list-broken"),
            (Look { store: Some("full".to_owned()), ..Look::default() }, "store"),
            (Look { sources: vec![("directory", "away".to_owned())], ..Look::default() }, "sources"),
            (Look { records_dropped: 1, ..Look::default() }, "records-dropped"),
        ];
        for (look, expected) in table {
            assert_eq!(kinds(&look), [expected]);
        }
    }

    /// D6: it names who it is, and what cuts it.
    #[test]
    fn a_launching_pad_is_named_with_the_commands_that_cut_it() {
        let client = "192.0.2.9".parse().unwrap();
        let (account, name) = ("alice@example.test".to_owned(), "alice+scanner".to_owned());
        let table = [
            (
                Sender::Login(account.clone()),
                "login alice@example.test",
                "sekisho user lock alice@example.test; sekisho session cut --login alice@example.test; \
                 sekisho queue hold --login alice@example.test",
            ),
            (
                Sender::Device { account: account.clone(), name },
                "device alice+scanner of alice@example.test",
                "sekisho user device revoke alice+scanner; sekisho session cut --login alice@example.test; \
                 sekisho queue hold --login alice@example.test",
            ),
            (
                Sender::Grant { client, account: Some(account) },
                "grant of 192.0.2.9, by the POP login of alice@example.test",
                "sekisho user lock alice@example.test; sekisho grant revoke --address 192.0.2.9; \
                 sekisho session cut --client 192.0.2.9; sekisho queue hold --login alice@example.test",
            ),
        ];
        for (sender, subject, commands) in table {
            let seen = Seen { sender, sent: 200, refused: 0, usual: 66 };
            let raised = alarms(&Look { pads: vec![seen.clone()], ..Look::default() }, &bounds());
            assert_eq!((raised[0].subject.as_str(), raised[0].commands.join("; ").as_str()), (subject, commands));
            assert_eq!(raised.len(), 1);
            let young = Look { pads: vec![seen.clone()], is_young: true, ..Look::default() };
            assert!(kinds(&young).is_empty(), "nobody knows yet what is usual");
            for harmless in [Seen { sent: 199, ..seen.clone() }, Seen { usual: 67, ..seen }] {
                assert!(kinds(&Look { pads: vec![harmless], ..Look::default() }).is_empty());
            }
        }
    }

    /// Devices that each stay below what is unusual are one launching pad together, and what is refused of their mail is too.
    #[test]
    fn the_mail_of_devices_counts_for_their_account() {
        let account = || "alice@example.test".to_owned();
        let device = |name: &str, sent| Seen {
            sender: Sender::Device { account: account(), name: name.to_owned() },
            sent,
            refused: 0,
            usual: 10,
        };
        let own = |sent, refused| Seen { sender: Sender::Login(account()), sent, refused, usual: 10 };
        let raised = |pads: Vec<Seen>| alarms(&Look { pads, ..Look::default() }, &bounds());
        let together = raised(vec![device("alice+a", 90), device("alice+b", 90), own(20, 0)]);
        assert_eq!((together.len(), &*together[0].subject), (1, "login alice@example.test"));
        assert!(together[0].detail.starts_with("200 recipients") && together[0].detail.contains("30 in its greatest"));
        assert!(raised(vec![device("alice+a", 90), device("alice+b", 90), own(19, 0)]).is_empty());
        let alone = raised(vec![device("alice+a", 300), own(20, 0)]);
        assert_eq!((alone.len(), &*alone[0].subject), (1, "device alice+a of alice@example.test"));
        let refused = |refused| raised(vec![device("alice+a", 120), own(0, refused)]);
        assert_eq!(refused(30)[0].kind, Kind::SenderRefused);
        assert!(refused(29).is_empty());
    }

    #[test]
    fn who_fills_the_queue_or_is_refused_everywhere_is_one_too() {
        let filled = Look { recipients: 200, by_login: vec![("a@x.test".to_owned(), 100)], ..Look::default() };
        assert_eq!(kinds(&filled), ["launching-pad"]);
        let some = Look { recipients: 201, by_login: vec![("a@x.test".to_owned(), 100)], ..Look::default() };
        let few = Look { recipients: 99, by_login: vec![("a@x.test".to_owned(), 99)], ..Look::default() };
        assert!(kinds(&some).is_empty() && kinds(&few).is_empty());
        let sender = Sender::Login("a@x.test".to_owned());
        let seen = Seen { sender, sent: 120, refused: 30, usual: 500 };
        assert_eq!(kinds(&Look { pads: vec![seen.clone()], ..Look::default() }), ["sender-refused"]);
        assert!(kinds(&Look { pads: vec![Seen { refused: 29, ..seen }], ..Look::default() }).is_empty());
        // Both reasons for one login are one alarm.
        let seen = Seen { sender: Sender::Login("a@x.test".to_owned()), sent: 900, refused: 0, usual: 0 };
        assert_eq!(kinds(&Look { pads: vec![seen], ..filled }), ["launching-pad"]);
    }
}
