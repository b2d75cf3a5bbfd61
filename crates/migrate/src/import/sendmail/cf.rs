//! `sendmail.cf`: the lines that say the same as a `sendmail.mc`, in the words of that.

use super::Said;
use crate::import::Spot;

/// Options, and what they are called in a `.mc`.
const OPTIONS: [(&str, &str); 15] = [
    ("MaxMessageSize", "confMAX_MESSAGE_SIZE"),
    ("MaxHopCount", "confMAX_HOP"),
    ("MaxRecipientsPerMessage", "confMAX_RCPTS_PER_MESSAGE"),
    ("Timeout.command", "confTO_COMMAND"),
    ("Timeout.queuereturn", "confTO_QUEUERETURN"),
    ("MinQueueAge", "confMIN_QUEUE_AGE"),
    ("ServerCertFile", "confSERVER_CERT"),
    ("ServerKeyFile", "confSERVER_KEY"),
    ("AuthMechanisms", "confAUTH_MECHANISMS"),
    ("AuthOptions", "confAUTH_OPTIONS"),
    ("BadRcptThrottle", "confBAD_RCPT_THROTTLE"),
    ("ConnectionRateThrottle", "confCONNECTION_RATE_THROTTLE"),
    ("MaxDaemonChildren", "confMAX_DAEMON_CHILDREN"),
    ("PrivacyOptions", "confPRIVACY_FLAGS"),
    ("InputMailFilters", "confINPUT_MAIL_FILTERS"),
];

/// Whether it is a `.cf`: it gives its version (`V10/…`) or has options.
pub fn is_cf(text: &str) -> bool {
    text.lines().any(|line| {
        line.starts_with("O ") || (line.starts_with('V') && line[1..].starts_with(|it: char| it.is_ascii_digit()))
    })
}

/// What it says. `file` is for the places.
pub fn parse(file: &str, text: &str) -> Vec<Said> {
    let mut said = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_end();
        for (name, args) in one(line) {
            said.push(Said { at: Spot::new(file, number), name: name.to_owned(), args });
        }
    }
    said
}

fn one(line: &str) -> Vec<(&'static str, Vec<String>)> {
    let mut signs = line.chars();
    let first = signs.next().unwrap_or_default();
    let rest = signs.as_str().trim();
    match first {
        '#' => trace(line).map(|feature| ("FEATURE", vec![feature])).into_iter().collect(),
        'O' => option(rest),
        'D' => macro_line(rest),
        'C' => class(rest),
        'F' => file_class(rest),
        'K' => [map(rest), vec![("line", vec![line.to_owned()])]].concat(),
        'X' => vec![filter(rest)],
        'S' | 'R' => vec![("line", vec![line.to_owned()])],
        'V' => vec![("OSTYPE", Vec::new())],
        _ => Vec::new(),
    }
}

/// Each feature leaves the mark of its file in the result.
fn trace(line: &str) -> Option<String> {
    let marked = line.trim_matches('#').trim();
    let name = marked.strip_prefix("$Id: ").or_else(|| marked.strip_prefix("@(#)"))?;
    let feature = name.split_once(".m4")?.0;
    let one = !feature.is_empty() && feature.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    // These have lines of their own, with what they are given.
    let said_better = ["access_db", "mailertable", "use_cw_file", "virtusertable", "genericstable", "domaintable"];
    (one && !said_better.contains(&feature)).then(|| feature.to_owned())
}

fn option(rest: &str) -> Vec<(&'static str, Vec<String>)> {
    let Some((name, value)) = rest.split_once('=') else { return Vec::new() };
    if name == "DaemonPortOptions" {
        return vec![("DAEMON_OPTIONS", vec![value.to_owned()])];
    }
    let known = OPTIONS.iter().find(|(theirs, _)| *theirs == name);
    known.map(|(_, ours)| ("define", vec![(*ours).to_owned(), value.to_owned()])).into_iter().collect()
}

/// `Djmail.example.net`, `DSrelay:[host]`.
fn macro_line(rest: &str) -> Vec<(&'static str, Vec<String>)> {
    let name = match rest.chars().next() {
        Some('j') => "confDOMAIN_NAME",
        Some('S') => "SMART_HOST",
        Some('M') => return masquerade(&rest[1..]),
        _ => return Vec::new(),
    };
    if rest.len() == 1 || rest.contains('$') {
        Vec::new()
    } else {
        vec![("define", vec![name.to_owned(), rest[1..].to_owned()])]
    }
}

fn masquerade(name: &str) -> Vec<(&'static str, Vec<String>)> {
    if name.is_empty() { Vec::new() } else { vec![("MASQUERADE_AS", vec![name.to_owned()])] }
}

/// `Cwlocalhost example.net`, `CR192.0.2`; `C{name}` is none of these.
fn class(rest: &str) -> Vec<(&'static str, Vec<String>)> {
    let name = match rest.chars().next() {
        Some('w') => "LOCAL_DOMAIN",
        Some('R') => "RELAY_DOMAIN",
        _ => return Vec::new(),
    };
    rest[1..].split_ascii_whitespace().map(|word| (name, vec![word.to_owned()])).collect()
}

/// `Fw/etc/mail/local-host-names`, `FR-o /etc/mail/relay-domains`.
fn file_class(rest: &str) -> Vec<(&'static str, Vec<String>)> {
    let path = rest.split_ascii_whitespace().find_map(|word| word.find('/').map(|at| word[at..].to_owned()));
    let Some(path) = path else { return Vec::new() };
    match rest.chars().next() {
        Some('w') => vec![("FEATURE", vec!["use_cw_file".to_owned(), path])],
        Some('R') => vec![("RELAY_DOMAIN_FILE", vec![path])],
        _ => Vec::new(),
    }
}

/// `Kaccess hash -T<TMPF> /etc/mail/access`.
fn map(rest: &str) -> Vec<(&'static str, Vec<String>)> {
    let (name, how) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let feature = match name {
        "access" => "access_db",
        "mailertable" => "mailertable",
        "virtuser" => "virtusertable",
        "generics" => "genericstable",
        "domaintable" => "domaintable",
        _ => return Vec::new(),
    };
    vec![("FEATURE", vec![feature.to_owned(), how.trim().to_owned()])]
}

/// `Xsekisho, S=inet:10033@127.0.0.1, F=T`.
fn filter(rest: &str) -> (&'static str, Vec<String>) {
    let (name, how) = rest.split_once(',').unwrap_or((rest, ""));
    ("INPUT_MAIL_FILTER", vec![name.trim().to_owned(), how.trim().to_owned()])
}
