//! `master.cf` as Postfix reads it (master(5)): which services there are and what `-o` gives them.

use super::main_cf::{Written, logical_lines, split_list};

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Line on which it begins, from 1.
    pub line: u32,
    /// `smtp`, `10025`, `192.0.2.1:25`, `pickup`.
    pub name: String,
    /// `inet`, `unix`, `pass`, `fifo`.
    pub kind: String,
    /// The program and its arguments.
    pub command: String,
    /// Settings of its own, `-o name=value`.
    pub overrides: Vec<(String, Written)>,
}

impl Service {
    /// Where an `inet` service listens: the host if one is named, and the port's number or name.
    pub fn endpoint(&self) -> (Option<&str>, &str) {
        match self.name.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() => (Some(host.trim_start_matches('[').trim_end_matches(']')), port),
            Some((_, port)) => (None, port),
            None => (None, &self.name),
        }
    }

    /// The number of its port, where the name is one of mail's.
    pub fn port(&self) -> Option<u16> {
        match self.endpoint().1 {
            "smtp" => Some(25),
            "submission" => Some(587),
            "smtps" | "submissions" | "urd" | "ssmtp" => Some(465),
            number => number.parse().ok(),
        }
    }

    /// Whether SMTP is spoken there: by smtpd itself, or by postscreen before it.
    pub fn is_smtp(&self) -> bool {
        matches!(self.command.as_str(), "smtpd" | "postscreen")
    }
}

/// All services, in the order of the file.
pub fn parse(text: &str) -> Vec<Service> {
    logical_lines(text).into_iter().filter_map(|(line, text)| service(line, &text)).collect()
}

fn service(line: u32, text: &str) -> Option<Service> {
    let mut fields = fields(text).into_iter();
    let (name, kind) = (fields.next()?, fields.next()?);
    // private, unprivileged, chroot, wakeup, maxproc
    let command = fields.nth(5)?;
    let arguments: Vec<String> = fields.collect();
    let mut overrides = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let value = match argument.strip_prefix("-o") {
            Some("") => arguments.get(index + 1).map(String::as_str),
            Some(attached) => Some(attached),
            None => None,
        };
        let value = value.map(|text| text.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(text));
        if let Some((name, value)) = value.and_then(|text| text.split_once('=')) {
            let written = Written { line, text: value.trim().to_owned() };
            overrides.push((name.trim().to_owned(), written));
        }
    }
    Some(Service { line, name, kind, command, overrides })
}

/// Blanks divide fields; commas do not, and braces keep blanks.
fn fields(text: &str) -> Vec<String> {
    let masked = text.replace(',', "\u{1}");
    split_list(&masked).into_iter().map(|word| word.replace('\u{1}', ",")).collect()
}
