//! TCP wrapper's `hosts.allow` and `hosts.deny`: who may talk to a POP or SMTP server at all.
//!
//! An allow list bars nobody by itself. The lists are taken as they stand, as `allow` and `deny` of the listener.

use super::{
    ImportError, Spot,
    draft::{Change, Making},
    read,
};
use std::path::Path;
use toml::Value;

/// A listener and the names that daemons for it have.
const SERVICES: [(&str, u16, &[&str]); 4] = [
    (
        "pop3",
        110,
        &[
            "popd",
            "pop3",
            "pop-3",
            "pop3d",
            "ipop3d",
            "popper",
            "qpopper",
            "in.popper",
            "in.qpopper",
            "in.pop3d",
            "pop3-login",
            "teapop",
            "courierpop3d",
        ],
    ),
    ("pop3s", 995, &["pop3s", "spop3d", "pop3ds"]),
    ("smtp", 25, &["smtp", "smtpd", "sendmail", "sm-mta", "in.smtpd", "tcp-env", "exim", "postfix", "qmail-smtpd"]),
    ("submission", 587, &["submission", "msp", "sm-msa"]),
];

/// A rule: who, for what, and whether he may.
struct Rule {
    at: Spot,
    daemons: Vec<String>,
    clients: Vec<String>,
    permits: bool,
}

/// Reads `hosts.allow` and the `hosts.deny` beside it.
pub(super) fn import(path: &Path, making: &mut Making) -> Result<(), ImportError> {
    let allow = if path.is_dir() { path.join("hosts.allow") } else { path.to_owned() };
    let mut rules = rules(&read::text(&allow)?, &allow, true, making);
    let deny = allow.with_file_name("hosts.deny");
    if deny.exists() && deny != allow {
        rules.extend(self::rules(&read::text(&deny)?, &deny, false, making));
    }
    for (protocol, port, daemons) in SERVICES {
        let mine: Vec<&Rule> = rules.iter().filter(|rule| rule.is_for(daemons)).collect();
        if mine.iter().any(|rule| !rule.daemons.contains(&"all".to_owned())) {
            service(making, Served { protocol, port }, &mine);
        }
    }
    for rule in &rules {
        if !SERVICES.iter().any(|(.., daemons)| rule.is_for(daemons)) {
            making.not_taken(
                &rule.at,
                &rule.daemons.join(" "),
                "this is no service of mail; the rule stays where it is",
            );
        }
    }
    making.notes.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(())
}

impl Rule {
    fn is_for(&self, daemons: &[&str]) -> bool {
        self.daemons.iter().any(|it| it == "all" || daemons.contains(&it.as_str()))
    }

    fn has_exceptions(&self) -> bool {
        self.clients.iter().any(|it| it.eq_ignore_ascii_case("except"))
    }

    fn is_everybody(&self) -> bool {
        self.clients.iter().any(|it| it.eq_ignore_ascii_case("all")) && !self.has_exceptions()
    }
}

/// What a listener serves, and where.
#[derive(Debug, Clone, Copy)]
struct Served {
    protocol: &'static str,
    port: u16,
}

/// Makes the listener, with the lists as they stand: what is allowed is asked first, then what is denied.
fn service(making: &mut Making, served: Served, rules: &[&Rule]) {
    let Served { protocol, port } = served;
    let bars = rules.iter().position(|rule| !rule.permits && rule.is_everybody());
    let before = &rules[..bars.unwrap_or(rules.len())];
    let last_permit = before.iter().rposition(|rule| rule.permits);
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    for (number, rule) in before.iter().enumerate() {
        let text = rule.clients.join(" ");
        let what = format!("{protocol}: {text}");
        if let Err(why) = maps::Clients::parse(&text) {
            making.not_taken(&rule.at, &what, &why);
        } else if rule.permits {
            allow.push(Value::from(text));
        } else if last_permit.is_some_and(|last| number < last) {
            making.not_taken(&rule.at, &what, "a later rule lets clients in; write these there, behind EXCEPT");
        } else {
            deny.push(Value::from(text));
        }
    }
    if bars.is_some() && !before.iter().any(|rule| rule.permits && rule.is_everybody()) {
        deny.push(Value::from("ALL"));
    }
    if deny.is_empty() {
        for rule in before.iter().filter(|rule| rule.permits) {
            let what = format!("{protocol}: {}", rule.clients.join(" "));
            making.not_taken(&rule.at, &what, "it bars nobody: everybody else may connect too");
        }
        allow.clear();
    }
    let at = rules.first().map_or_else(|| Spot::new("hosts.allow", 1), |rule| rule.at.clone());
    let bind = Value::Array(vec![Value::from(format!("0.0.0.0:{port}")), Value::from(format!("[::]:{port}"))]);
    let mut keys = vec![("name", Value::from(protocol)), ("protocol", Value::from(protocol)), ("bind", bind)];
    let key = if deny.is_empty() { "[[listener]], for everybody" } else { "allow and deny of [[listener]]" };
    for (key, list) in [("allow", allow), ("deny", deny)] {
        if !list.is_empty() {
            keys.push((key, Value::Array(list)));
        }
    }
    making.offer(&at, Change { what: &format!("the rules for {protocol}"), key }, |draft| draft.push("listener", keys));
}

fn rules(text: &str, file: &Path, permits: bool, making: &mut Making) -> Vec<Rule> {
    let file = file.display().to_string();
    let mut rules = Vec::new();
    for (line, text) in logical_lines(text) {
        let at = Spot::new(&file, line);
        let fields = fields(&text);
        let [daemons, clients, options @ ..] = fields.as_slice() else {
            making.not_taken(&at, "the line", "it is no rule: DAEMONS : CLIENTS");
            continue;
        };
        let (daemons, clients) = (split_list(daemons), split_list(clients));
        if daemons.iter().any(|word| word.eq_ignore_ascii_case("except")) {
            making.not_taken(&at, &text, "services have no exceptions here; write `allow` and `deny` by hand");
            continue;
        }
        let mut permits = permits;
        for option in options {
            match option.trim().to_ascii_lowercase().as_str() {
                "allow" => permits = true,
                "deny" => permits = false,
                "" => {}
                other => making.not_taken(&at, other, "no program is run and nothing is set for a connection"),
            }
        }
        let daemons = daemons.iter().map(|it| it.split('@').next().unwrap_or(it).to_ascii_lowercase()).collect();
        rules.push(Rule { at, daemons, clients, permits });
    }
    rules
}

/// A backslash at the end joins the next line.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let (line, more) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        match lines.last_mut() {
            Some((_, before)) if open => before.push_str(line),
            _ => lines.push((number, line.to_owned())),
        }
        open = more;
    }
    lines.retain(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    lines
}

/// Colons divide, but not those within brackets.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut brackets = 0_usize;
    for sign in line.chars() {
        match sign {
            '[' => brackets += 1,
            ']' => brackets = brackets.saturating_sub(1),
            ':' if brackets == 0 => {
                fields.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(field) = fields.last_mut() {
            field.push(sign);
        }
    }
    fields
}

fn split_list(text: &str) -> Vec<String> {
    text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
