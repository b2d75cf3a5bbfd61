//! All numbers: which there are, and the page of them. Whatever can be read when it is asked for is; what a mail's path counts stands
//! in [`keep::tally`].

use std::time::Duration;

use delivery::{FateKind, WAYS};
use guard::{Outcome, Reason, Stage};
use keep::tally::{COUNTED, LoginAt, LoginEnd, TakenAs};
use spool::Stats;

use crate::alarm::Kind;
use crate::page::{Family, Form, Page, Samples, seconds};
use crate::watch::Watch;

/// What the server knows of itself when it is asked.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    /// The program's version.
    pub version: &'static str,
    /// When it was started, in seconds since 1970.
    pub started_unix_secs: u64,
    /// Its listeners.
    pub listeners: Vec<Listening>,
    /// Sessions at our own listeners in which nobody, and in which somebody has logged in.
    pub sessions: [u64; 2],
    /// The queue.
    pub queue: Queue,
    /// Banned clients.
    pub bans: u64,
    /// Questions to DNS; `None`: there are no name servers.
    pub dns: Option<dns::Counts>,
    /// How long name servers were waited for.
    pub dns_waited: Duration,
    /// Lists in DNS by name: whether they count, and how often they were asked, listed and failed.
    pub lists: Vec<List>,
    /// When the certificate ends, in seconds since 1970.
    pub certificate_not_after_unix_secs: Option<u64>,
    /// Files open, and how many may be; `None`: not known.
    pub open_files: [Option<u64>; 2],
    /// Resident memory.
    pub memory_octets: Option<u64>,
    /// Decision records dropped.
    pub records_dropped: u64,
}

/// One listener.
#[derive(Debug, Clone, Default)]
pub struct Listening {
    /// Its name in the configuration.
    pub name: String,
    /// Connections now, and how many there may be.
    pub open: [u64; 2],
    /// What became of connections: by [`MET`].
    pub met: [u64; 3],
}

/// What becomes of connections.
pub const MET: [&str; 3] = ["served", "turned-away", "failed"];

/// The queue.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// Messages.
    pub messages: u64,
    /// Of these in an attempt now, deferred, held: one may be in several.
    pub by_state: [u64; 3],
    /// Waiting recipients.
    pub recipients: u64,
    /// Octets of the messages, and on the disk.
    pub octets: [u64; 2],
    /// How long the oldest has waited.
    pub oldest: Duration,
}

impl Queue {
    /// As it was counted; by this clock, in microseconds since 1970.
    pub fn of(stats: &Stats, now_unix_micros: u64) -> Self {
        Self {
            messages: stats.messages,
            by_state: [stats.active, stats.deferred, stats.held],
            recipients: stats.recipients,
            octets: [stats.message_octets, stats.disk_octets],
            oldest: oldest(stats, now_unix_micros),
        }
    }
}

/// How long the oldest has waited; a clock that was put back is no negative time.
pub fn oldest(stats: &Stats, now_unix_micros: u64) -> Duration {
    let arrived = stats.oldest_waiting_arrived_at_unix_micros;
    arrived.map_or(Duration::ZERO, |arrived| Duration::from_micros(now_unix_micros.saturating_sub(arrived)))
}

/// What this process holds in memory: `VmRSS` of `/proc/self/status`.
pub fn memory_octets() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok().map(|kib| kib * 1_024)
}

/// A list in DNS.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Its name in the configuration.
    pub name: String,
    /// It counts now.
    pub counts: bool,
    /// Clients and domains asked about, listed, and not answered.
    pub asked: [u64; 3],
}

macro_rules! families {
    ($($id:ident $form:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(static $id: Family = Family { name: $name, form: Form::$form, labels: &[$($label),*], help: $help };)*
        /// Every family, in the order of the page.
        pub static FAMILIES: &[&Family] = &[$(&$id),*];
    };
}

families! {
    BUILD Info "sekisho_build" ["version"] "The running version.";
    START Gauge "sekisho_start_time_seconds" [] "When the process started, as Unix time.";
    CONNECTIONS Counter "sekisho_connections" ["listener", "outcome"] "New connections, by outcome: accepted, or why not.";
    OPEN Gauge "sekisho_connections_open" ["listener"] "Open connections.";
    OPEN_MAX Gauge "sekisho_connections_max" ["listener"] "Limit of open connections.";
    SESSIONS Gauge "sekisho_sessions_open" ["login"] "SMTP and POP3 sessions, with and without a login.";
    DECISIONS Counter "sekisho_decisions" ["stage", "outcome"] "Decisions, over all interfaces.";
    REFUSALS Counter "sekisho_refusals" ["stage", "reason"] "Refusals by reason (docs/refusals.md).";
    GREYLIST Counter "sekisho_greylist" ["result"] "Recipients of strangers that were greylisted: new, too early, or passed.";
    LOGINS Counter "sekisho_logins" ["protocol", "result"] "Logins.";
    COLLAPSES Counter "sekisho_trust_collapses" [] "Addresses of relay networks behind which strangers seem to be.";
    TLS Counter "sekisho_tls_handshakes_failed" [] "Failed TLS handshakes with clients.";
    BANS Gauge "sekisho_bans" [] "Banned clients.";
    MESSAGES Counter "sekisho_messages_accepted" ["from"] "Messages answered with 250: from strangers, or by a relay grant or a login.";
    NULL Counter "sekisho_messages_null_sender" [] "Accepted messages with the null sender.";
    OCTETS Counter "sekisho_messages_accepted_bytes" [] "Size of the accepted messages.";
    RELAYED Counter "sekisho_recipients_relayed" [] "Recipients to which accepted messages were relayed.";
    COMMIT Histogram "sekisho_message_commit_seconds" [] "From the end of a message until it was on disk, ready for 250.";
    POP3 Histogram "sekisho_pop3_login_seconds" [] "From a POP3 password until its answer.";
    QUEUE Gauge "sekisho_queue_messages" [] "Messages in the queue.";
    QUEUE_STATE Gauge "sekisho_queue_messages_state" ["state"] "Messages being tried now, deferred at least once, or held; one may be in several.";
    QUEUE_RECIPIENTS Gauge "sekisho_queue_recipients" [] "Waiting recipients.";
    QUEUE_BYTES Gauge "sekisho_queue_bytes" [] "Size of the messages in the queue.";
    QUEUE_DISK Gauge "sekisho_queue_disk_bytes" [] "Space of the queue on the disk.";
    QUEUE_OLDEST Gauge "sekisho_queue_oldest_seconds" [] "How long the oldest message has waited for delivery; held messages do not count.";
    STALLS Counter "sekisho_spool_stalls" [] "Times that the disk refused the queue.";
    DELIVERIES Counter "sekisho_deliveries" ["way", "result"] "Outcome for each recipient of each delivery attempt.";
    REPLIES Counter "sekisho_delivery_replies" ["class"] "Replies of other servers about recipients, by the first digit; 4 also without an answer.";
    DNS Counter "sekisho_dns_questions" ["result"] "DNS look-ups.";
    DNS_WAIT Counter "sekisho_dns_wait_seconds" [] "Time waited for name servers.";
    LISTS Gauge "sekisho_dnsbl_counts" ["list"] "1: the DNS list counts. 0: it failed its test, rests or lists too much.";
    LISTED Counter "sekisho_dnsbl_answers" ["list", "result"] "Questions to a DNS list.";
    CERTIFICATE Gauge "sekisho_certificate_not_after_seconds" [] "When the TLS certificate expires, as Unix time.";
    FILES Gauge "sekisho_open_files" [] "Open files and connections of the process.";
    FILES_MAX Gauge "sekisho_open_files_max" [] "Limit of open files and connections.";
    MEMORY Gauge "sekisho_resident_memory_bytes" [] "Memory of the process.";
    RECORDS Counter "sekisho_records_dropped" [] "Decision records that were dropped because the disk was too slow.";
    ALARMS Gauge "sekisho_alarms" ["alarm"] "Alarms in force.";
    ALARMS_TOLD Counter "sekisho_alarm_messages" ["result"] "Messages to the receivers of alarms: accepted, failed attempts, dropped.";
}

const _: () =
    assert!(Reason::ALL.len() <= 64 && Stage::ALL.len() <= 8 && Outcome::CODES.len() <= 8, "the tables have room");

/// The page.
pub fn page(numbers: &Numbers, watch: &Watch) -> String {
    let mut page = Page::default();
    page.family(&BUILD).is(&[numbers.version], 1);
    page.family(&START).is(&[], numbers.started_unix_secs);
    doors(&mut page, numbers);
    judgements(&mut page);
    page.family(&COLLAPSES).is(&[], COUNTED.collapses.read());
    page.family(&TLS).is(&[], COUNTED.tls_failed.read());
    page.family(&BANS).is(&[], numbers.bans);
    messages(&mut page);
    queue(&mut page, &numbers.queue);
    deliveries(&mut page);
    dns(&mut page, numbers);
    process(&mut page, numbers);
    alarms(&mut page, watch);
    page.end()
}

fn doors(page: &mut Page, numbers: &Numbers) {
    let mut samples = page.family(&CONNECTIONS);
    for listener in &numbers.listeners {
        for (outcome, count) in MET.iter().zip(listener.met) {
            samples.is(&[&listener.name, outcome], count);
        }
    }
    for (family, at) in [(&OPEN, 0), (&OPEN_MAX, 1)] {
        let mut samples = page.family(family);
        for listener in &numbers.listeners {
            samples.is(&[&listener.name], listener.open[at]);
        }
    }
    page.family(&SESSIONS).is(&["no"], numbers.sessions[0]).is(&["yes"], numbers.sessions[1]);
}

fn judgements(page: &mut Page) {
    let mut samples = page.family(&DECISIONS);
    for stage in Stage::ALL {
        for (at, outcome) in Outcome::CODES.iter().enumerate() {
            samples.is(&[stage.code(), outcome], COUNTED.judged.read(stage as usize, at));
        }
    }
    let mut samples = page.family(&REFUSALS);
    for stage in Stage::ALL {
        for reason in Reason::ALL {
            samples.is(&[stage.code(), reason.code()], COUNTED.refused.read(stage as usize, reason as usize));
        }
    }
    each(page.family(&GREYLIST), ["new", "early", "passed"], |at| COUNTED.greylist.read(at));
    let mut samples = page.family(&LOGINS);
    for (at, protocol) in [(LoginAt::Smtp, "smtp"), (LoginAt::Pop3, "pop3")] {
        for (end, result) in [
            (LoginEnd::Proved, "proved"),
            (LoginEnd::Denied, "denied"),
            (LoginEnd::Throttled, "throttled"),
            (LoginEnd::Unavailable, "unavailable"),
        ] {
            samples.is(&[protocol, result], COUNTED.logins.read(at as usize, end as usize));
        }
    }
}

fn messages(page: &mut Page) {
    let taken = |by: TakenAs| COUNTED.taken.read(by as usize);
    page.family(&MESSAGES).is(&["outside"], taken(TakenAs::Outside)).is(&["trusted"], taken(TakenAs::Trusted));
    page.family(&NULL).is(&[], COUNTED.taken_null.read());
    page.family(&OCTETS).is(&[], COUNTED.taken_octets.read());
    page.family(&RELAYED).is(&[], COUNTED.relayed.read());
    page.family(&COMMIT).times(&COUNTED.commit);
    page.family(&POP3).times(&COUNTED.pop3_login);
}

fn queue(page: &mut Page, queue: &Queue) {
    page.family(&QUEUE).is(&[], queue.messages);
    each(page.family(&QUEUE_STATE), ["active", "deferred", "held"], |at| queue.by_state[at]);
    page.family(&QUEUE_RECIPIENTS).is(&[], queue.recipients);
    page.family(&QUEUE_BYTES).is(&[], queue.octets[0]);
    page.family(&QUEUE_DISK).is(&[], queue.octets[1]);
    page.family(&QUEUE_OLDEST).is(&[], queue.oldest.as_secs());
    page.family(&STALLS).is(&[], COUNTED.spool_stalls.read());
}

fn deliveries(page: &mut Page) {
    let mut samples = page.family(&DELIVERIES);
    for (at, way) in WAYS.iter().enumerate() {
        for kind in FateKind::ALL {
            samples.is(&[way, kind.code()], COUNTED.fates.read(at, kind as usize));
        }
    }
    each(page.family(&REPLIES), ["2", "4", "5"], |at| COUNTED.replies.read([2, 4, 5][at]));
}

fn dns(page: &mut Page, numbers: &Numbers) {
    let counts = numbers.dns.unwrap_or_default();
    let answered = counts.asked.saturating_sub(counts.from_cache + counts.failed + counts.timed_out);
    each(page.family(&DNS), ["answered", "cached", "failed", "timed-out"], |at| {
        [answered, counts.from_cache, counts.failed, counts.timed_out][at]
    });
    page.family(&DNS_WAIT).is(&[], seconds(u64::try_from(numbers.dns_waited.as_micros()).unwrap_or(u64::MAX)));
    let mut samples = page.family(&LISTS);
    for list in &numbers.lists {
        samples.is(&[&list.name], u8::from(list.counts));
    }
    let mut samples = page.family(&LISTED);
    for list in &numbers.lists {
        let [asked, listed, failed] = list.asked;
        let clear = asked.saturating_sub(listed + failed);
        samples
            .is(&[&list.name, "listed"], listed)
            .is(&[&list.name, "clear"], clear)
            .is(&[&list.name, "failed"], failed);
    }
}

fn process(page: &mut Page, numbers: &Numbers) {
    for (family, number) in [
        (&CERTIFICATE, numbers.certificate_not_after_unix_secs),
        (&FILES, numbers.open_files[0]),
        (&FILES_MAX, numbers.open_files[1]),
        (&MEMORY, numbers.memory_octets),
    ] {
        // What is not known is left out.
        let mut samples = page.family(family);
        if let Some(number) = number {
            samples.is(&[], number);
        }
    }
    page.family(&RECORDS).is(&[], numbers.records_dropped);
}

fn alarms(page: &mut Page, watch: &Watch) {
    let in_force = watch.in_force();
    let mut samples = page.family(&ALARMS);
    for kind in Kind::ALL {
        samples.is(&[kind.about().code], in_force.iter().filter(|(alarm, _)| alarm.kind == kind).count());
    }
    let told = &watch.told;
    let told = [told.sent.read(), told.failed.read(), told.dropped.read()];
    each(page.family(&ALARMS_TOLD), ["sent", "failed", "dropped"], |at| told[at]);
}

fn each<const N: usize>(mut samples: Samples<'_>, values: [&str; N], number: impl Fn(usize) -> u64) {
    for (at, value) in values.into_iter().enumerate() {
        samples.is(&[value], number(at));
    }
}

/// The table of `docs/monitoring.md`.
pub fn markdown() -> String {
    let row = |family: &&Family| {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        format!(
            "| `{}{}` | {} | {} | {} |\n",
            family.name,
            family.form.suffix(),
            family.form.code(),
            labels.join(" "),
            family.help
        )
    };
    let rows: String = FAMILIES.iter().map(row).collect();
    format!("| name | type | labels | meaning |\n|---|---|---|---|\n{rows}")
}
