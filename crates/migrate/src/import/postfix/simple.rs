//! Settings that are one value of ours, and those that are Postfix's own affair or work for a person.

use super::Taking;
use crate::import::draft::Change;

/// How a value is written.
#[derive(Clone, Copy)]
enum Unit {
    /// A number.
    Plain,
    /// A time, here in seconds; without a unit it is in seconds.
    Secs,
    /// A time, here in hours; without a unit it is in days.
    HoursOfDays,
}

/// Name, section, key, unit.
const NUMBERS: [(&str, &str, &str, Unit); 10] = [
    ("message_size_limit", "limits", "message_octets", Unit::Plain),
    ("smtpd_recipient_limit", "limits", "recipients", Unit::Plain),
    ("hopcount_limit", "limits", "hops", Unit::Plain),
    ("smtpd_hard_error_limit", "limits", "errors", Unit::Plain),
    ("smtpd_timeout", "limits", "command_timeout_secs", Unit::Secs),
    ("maximal_queue_lifetime", "spool", "give_up_hours", Unit::HoursOfDays),
    ("minimal_backoff_time", "spool", "retry_first_secs", Unit::Secs),
    ("maximal_backoff_time", "spool", "retry_max_secs", Unit::Secs),
    ("default_destination_concurrency_limit", "delivery", "concurrency_per_destination", Unit::Plain),
    ("smtp_connect_timeout", "delivery", "connect_timeout_secs", Unit::Secs),
];

/// What a person has to do, by the beginning of the name.
const MANUAL: [(&str, &str); 25] = [
    ("virtual_mailbox_domains", "domains with accounts live in the directory: sekisho domain add, sekisho user add"),
    ("virtual_alias_domains", "sekisho domain add, then sekisho alias add for each address"),
    ("virtual_alias_maps", "sekisho alias add for each address"),
    ("virtual_mailbox_maps", "sekisho user add for each mailbox; --hash takes the password's hash over"),
    ("virtual_", "mailboxes are Maildirs below delivery.maildir_root, or delivery.local = \"lmtp:…\""),
    ("alias_", "sekisho alias add for each address; programs and files as targets have no counterpart"),
    ("local_recipient_maps", "who exists is known from the directory"),
    ("relay_recipient_maps", "recipients of relay domains are not checked; keep it in a Postfix in front"),
    ("canonical_maps", "addresses are not rewritten"),
    ("sender_canonical_maps", "addresses are not rewritten"),
    ("recipient_canonical_maps", "addresses are not rewritten"),
    ("smtp_generic_maps", "addresses are not rewritten"),
    ("header_checks", "messages are not searched; use a milter in a mail server beside"),
    ("body_checks", "messages are not searched; use a milter in a mail server beside"),
    ("mime_header_checks", "messages are not searched; use a milter in a mail server beside"),
    ("nested_header_checks", "messages are not searched; use a milter in a mail server beside"),
    ("content_filter", "no filter is called; keep it in a mail server behind us"),
    ("smtpd_milters", "we call no milters; keep them in a mail server behind us"),
    ("non_smtpd_milters", "we call no milters; keep them in a mail server behind us"),
    ("milter_", "we call no milters"),
    ("smtpd_sasl_", "logins are checked against our own directory: sekisho user add; --hash takes hashes over"),
    ("mailbox_transport", "delivery.local = \"lmtp:HOST:PORT\" or \"lmtp:/SOCKET\" hands mail over by LMTP"),
    ("mailbox_command", "no program is run for a mailbox; delivery.local = \"lmtp:…\" hands mail over by LMTP"),
    ("home_mailbox", "mailboxes are Maildirs below delivery.maildir_root, by address and not by system user"),
    ("smtpd_restriction_classes", "write the access maps of the classes as [[access]]"),
];

/// Beginnings of names that say how Postfix itself is laid out and logs.
const OWN: [&str; 27] = [
    "command_directory",
    "daemon_directory",
    "data_directory",
    "queue_directory",
    "config_directory",
    "meta_directory",
    "shlib_directory",
    "html_directory",
    "manpage_directory",
    "readme_directory",
    "sample_directory",
    "sendmail_path",
    "newaliases_path",
    "mailq_path",
    "mail_owner",
    "setgid_group",
    "compatibility_level",
    "debug",
    "biff",
    "append_dot_mydomain",
    "unknown_local_recipient_reject_code",
    "default_database_type",
    "disable_vrfy_command",
    "smtpd_helo_required",
    "smtpd_delay_reject",
    "smtpd_tls_session_cache_database",
    "smtp_tls_session_cache_database",
];

/// Whether it is Postfix's own affair, and nothing of the mail's.
pub(super) fn is_postfix_own(name: &str) -> bool {
    OWN.iter().any(|own| name.starts_with(own)) || name == "mydomain"
}

impl Taking<'_> {
    pub(super) fn numbers(&mut self) {
        for (name, section, key, unit) in NUMBERS {
            let Some((at, value)) = self.take_value(name) else { continue };
            let Some(number) = number(&value, unit) else {
                self.making.not_taken(&at, name, &format!("\"{value}\" is no value for it"));
                continue;
            };
            if number == 0 {
                self.making.not_taken(&at, name, &format!("there is always a bound here: {section}.{key}"));
                continue;
            }
            self.making.offer(&at, Change { what: name, key: &format!("{section}.{key}") }, |draft| {
                draft.set(section, key, number);
            });
        }
        if let Some((at, value)) = self.take_value("broken_sasl_auth_clients") {
            let wanted = value.eq_ignore_ascii_case("yes");
            self.making.offer(&at, Change { what: "broken_sasl_auth_clients", key: "auth.ehlo_equals" }, |draft| {
                draft.set("auth", "ehlo_equals", wanted);
            });
        }
        // What Postfix does by default it does for addresses; who writes it down has clients that type names so.
        if let Some((at, value)) = self.take_value("allow_percent_hack") {
            let wanted = value.eq_ignore_ascii_case("yes");
            self.making.offer(&at, Change { what: "allow_percent_hack", key: "auth.percent_logins" }, |draft| {
                draft.set("auth", "percent_logins", wanted);
            });
            if wanted {
                self.making.differs(&at, "allow_percent_hack", "logins only: a recipient user%domain is no route here");
            }
        }
        if let Some((at, delimiter)) = self.take_value("recipient_delimiter") {
            let first: String = delimiter.chars().take(1).collect();
            let put = |draft: &mut crate::import::draft::Draft| draft.set("domains", "detail_delimiter", first);
            if self.making.offer(&at, Change { what: "recipient_delimiter", key: "domains.detail_delimiter" }, put)
                && delimiter.len() > 1
            {
                self.making.differs(&at, "recipient_delimiter", "there is one sign only; the first is taken");
            }
        } else if self.main.get("recipient_delimiter").is_some() {
            self.making.draft.set("domains", "detail_delimiter", "");
        }
    }

    pub(super) fn manual(&mut self) {
        let names: Vec<String> = self.main.written().into_iter().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            let found = MANUAL.iter().find(|(begin, _)| name.starts_with(begin));
            if let Some((_, instead)) = found.filter(|_| !self.seen.contains(&name)) {
                let Some((at, _)) = self.take_value(&name) else { continue };
                self.making.not_taken(&at, &name, instead);
            }
        }
    }
}

/// A number in our unit, rounded up; `None`: it is none.
fn number(text: &str, unit: Unit) -> Option<i64> {
    let digits = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let number: i64 = number.parse().ok()?;
    let secs = match (suffix, unit) {
        ("", Unit::Plain) => return Some(number),
        (_, Unit::Plain) => return None,
        ("", Unit::Secs) | ("s", _) => 1,
        ("m", _) => 60,
        ("h", _) => 3_600,
        ("", Unit::HoursOfDays) | ("d", _) => 86_400,
        ("w", _) => 7 * 86_400,
        _ => return None,
    };
    let secs = number.checked_mul(secs)?;
    Some(if matches!(unit, Unit::HoursOfDays) { secs.checked_add(3_599)? / 3_600 } else { secs })
}
