//! `main.cf` as Postfix reads it (postconf(5)): logical lines, the last value of a name, names in values.

use super::expand;
use std::collections::BTreeMap;

/// The lists that a mail passes, in the order in which Postfix asks them.
pub const MAIL_RESTRICTIONS: [&str; 7] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
];
/// The list of a command that sends no mail.
pub const ETRN_RESTRICTIONS: &str = "smtpd_etrn_restrictions";

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Line on which it begins, from 1.
    pub line: u32,
    /// The value without the blanks around it; names in it are not yet replaced.
    pub text: String,
}

/// A whole `main.cf`.
#[derive(Debug, Clone, Default)]
pub struct MainCf {
    values: BTreeMap<String, Written>,
    /// Lines that are no setting.
    pub unread: Vec<u32>,
    /// What `$config_directory` is; blank: where Postfix is usually installed.
    folder: String,
}

/// Logical lines with the number of the first: a line that begins with a blank continues the one before; comments and
/// empty lines between do not end it.
pub fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) => before.push_str(line.trim_end()),
            _ => lines.push((number, line.trim_end().to_owned())),
        }
    }
    lines
}

impl MainCf {
    /// Reads a text.
    pub fn parse(text: &str) -> Self {
        let mut main = Self::default();
        for (line, text) in logical_lines(text) {
            match text.split_once('=') {
                Some((name, value)) if is_name(name.trim()) => {
                    let written = Written { line, text: value.trim().to_owned() };
                    main.values.insert(name.trim().to_owned(), written);
                }
                _ => main.unread.push(line),
            }
        }
        main
    }

    /// The same, read in this folder.
    #[must_use]
    pub fn in_folder(self, folder: &str) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    /// The same with other values for some names, as `-o` gives them to a service.
    #[must_use]
    pub fn with(&self, overrides: &[(String, Written)]) -> Self {
        let mut main = self.clone();
        main.values.extend(overrides.iter().cloned());
        main
    }

    /// What is written, in the order of the lines.
    pub fn written(&self) -> Vec<(&str, &Written)> {
        let mut all: Vec<_> = self.values.iter().map(|(name, written)| (name.as_str(), written)).collect();
        all.sort_by_key(|(_, written)| written.line);
        all
    }

    /// The value as written.
    pub fn get(&self, name: &str) -> Option<&Written> {
        self.values.get(name)
    }

    /// The line of a value; 1 if it is not written.
    pub fn line(&self, name: &str) -> u32 {
        self.get(name).map_or(1, |written| written.line)
    }

    /// The value with its names replaced; Postfix's default if it is not written, blank if it has none.
    pub fn value(&self, name: &str) -> String {
        expand::value(
            &|name| self.get(name).map_or_else(|| self.default_of(name), |written| written.text.clone()),
            name,
        )
    }

    /// Whether it says yes.
    pub fn is_yes(&self, name: &str) -> bool {
        self.value(name).eq_ignore_ascii_case("yes")
    }

    /// Postfix's own default, unexpanded, where it matters here.
    pub(super) fn default_of(&self, name: &str) -> String {
        let fixed = match name {
            "mydomain" => return self.own_domain(),
            "config_directory" if !self.folder.is_empty() => return self.folder.clone(),
            "myhostname" => "localhost.localdomain",
            "myorigin" => "$myhostname",
            "mydestination" => "$myhostname, localhost.$mydomain, localhost",
            "inet_interfaces" | "inet_protocols" => "all",
            "smtpd_relay_restrictions" => "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
            "smtpd_policy_service_default_action" => "451 4.3.5 Server configuration problem",
            "milter_default_action" => "tempfail",
            "smtpd_delay_reject" => "yes",
            "parent_domain_matches_subdomains" => {
                "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps"
            }
            "config_directory" => "/etc/postfix",
            "queue_directory" => "/var/spool/postfix",
            "data_directory" => "/var/lib/postfix",
            "mail_name" => "Postfix",
            "default_database_type" => "hash",
            _ => "",
        };
        fixed.to_owned()
    }

    fn own_domain(&self) -> String {
        let host = self.value("myhostname");
        host.split_once('.').map_or("localdomain", |(_, domain)| domain).to_owned()
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_whitespace)
}

/// The words of a list: blanks and commas divide them, braces keep them together.
pub fn split_list(text: &str) -> Vec<String> {
    let (mut words, mut word, mut depth) = (Vec::new(), String::new(), 0_usize);
    for sign in text.chars() {
        match sign {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ' ' | '\t' | ',' | '\n' | '\r' if depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(sign);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
