//! A record for people: what was asked, what was known, which rules held, how it came about, what came of it.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use guard::FactName;
use guard::facts::Source;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::kept::{Kept, KeptFact, KeptHit, KeptValue};

/// What a reason means, and the keys of the configuration that govern it: code, meaning, keys.
const REASONS: &[(&str, &str, &str)] = &[
    (
        "relay-denied",
        "nothing gives the client the right to relay",
        "relay.networks, relay.clients, relay.pop, listener.auth, domains.relay",
    ),
    ("unknown-user", "the domain is hosted here, the address is not", "sekisho user, sekisho alias"),
    ("configuration-fault", "the alias leads to itself or to nobody", "sekisho alias"),
    ("sender-not-yours", "the envelope sender does not belong to the login", "sekisho alias"),
    ("sender-not-granted", "the relay grant is of accounts that do not own the envelope sender", "relay.pop"),
    ("null-sender-not-granted", "a relay grant does not carry the null sender", "relay.pop"),
    ("authority-unavailable", "what decides could not be asked", ""),
    (
        "grant-exhausted",
        "the limit of the relay grant or of the device is used up",
        "relay.pop.messages_per_hour, relay.pop.recipients_per_hour, the device's messages per hour",
    ),
    ("routing-refused", "the local part is itself a route", ""),
    ("literal-refused", "the address literal is none of this server's", ""),
    ("recipient-out-of-scope", "the device may not send there", "sekisho user device add --anywhere"),
    (
        "access-denied",
        "an entry of an access map or of the listener refuses it",
        "access, listener.deny, listener.allow",
    ),
    (
        "access-deferred",
        "an entry of an access map defers it, or depends on a name that is not known now",
        "access, listener.deny, listener.allow",
    ),
    ("mailbox-full", "every mailbox of the recipient is over its quota", "the account's quota"),
    (
        "too-many-unknown",
        "the client tried too many recipients that nobody has",
        "limits.unknown_recipients_per_client, …_per_network, …_per_sender_domain, …_per_login",
    ),
    (
        "suspicious",
        "what weighs against the stranger adds up to too much",
        "guard.defaults, guard.rule, guard.refuse_score",
    ),
    ("listed", "a DNS list has the client or its domain", "dnsbl, guard.rule"),
    (
        "greylisted",
        "a stranger has to come back after a while",
        "guard.greylist_score, guard.greylist_delay_secs, guard.rule",
    ),
    ("helo-refused", "the greeting name is refused", "guard.rule"),
    (
        "relay-locked",
        "the server's own probe found that a stranger could relay: no right counts but a login",
        "sekisho relay status, sekisho relay unlock",
    ),
    (
        "too-many-connections",
        "the client or its network has too many connections, or begins them too fast",
        "limits.connections_per_client, limits.connections_per_network, limits.connections_per_minute_per_client, limits.connections_per_minute_per_network, listener.connections_per_client_max",
    ),
    ("busy", "the server was nearly full", "listener.connections_max, limits.memory_octets"),
    ("banned", "the client is banned", "sekisho ban list, sekisho ban lift"),
    ("refused-by-recipient", "the recipient does not take mail of this sender", "sekisho user choice"),
    ("domain-off", "the domain is switched off for a while", "sekisho domain on"),
    ("login-failed", "nobody proved that the login is theirs", ""),
    (
        "login-throttled",
        "too many logins failed lately; nothing was looked at",
        "auth.failures_per_client, auth.failures_per_account",
    ),
    ("message-refused", "the message could not be taken; the reply says why", "limits, spool"),
    (
        "forward-limited",
        "the alias has sent on as much as it may",
        "limits.forwards_per_alias, limits.forwards_per_client",
    ),
    ("destination-crowded", "too much mail waits for the recipient's server", "spool.held_percent"),
];

/// A time as people read it: local, to the second, with its offset.
pub fn local_time(at: SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(
        |_| "?".to_owned(),
        |at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string(),
    )
}

/// The record for people. `accepted_if`: what would have made it accepted, a line each.
pub fn text(kept: &Kept, accepted_if: &[String]) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} {}: {}", subject(kept), kept.id, outcome(kept));
    head(kept, &mut out);
    why(kept, &mut out);
    rules(kept, &mut out);
    facts(kept, &mut out);
    steps(kept, &mut out);
    if !accepted_if.is_empty() {
        out.push_str("Would be accepted if\n");
        for line in accepted_if {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

fn subject(kept: &Kept) -> &'static str {
    match kept.stage.as_str() {
        "connect" => "Connection",
        "login" => "Login",
        "rcpt" => "Recipient",
        "message" => "Message",
        _ => "Command",
    }
}

fn outcome(kept: &Kept) -> String {
    let again = if kept.seen.again { ", when its message was there" } else { "" };
    let reason = kept.reason().unwrap_or_default();
    match kept.outcome.as_str() {
        "hosted" => "accepted for this server".to_owned(),
        "relayed" => {
            format!("accepted for relaying, by {}", kept.right.as_ref().map_or("?", |right| right.code.as_str()))
        }
        "proceed" => format!("nothing against it{again}"),
        "refuse" => format!("refused, {reason}{again}"),
        "defer" => format!("put off, {reason}{again}"),
        other => other.to_owned(),
    }
}

fn head(kept: &Kept, out: &mut String) {
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(out, "  {name:<10} {value}");
        }
    };
    let login = || {
        let device = kept.device.as_ref().map(|device| format!(", device {device}")).unwrap_or_default();
        kept.login.as_ref().map(|login| format!("{login}{device}"))
    };
    row("when", Some(local_time(kept.time())));
    row("where", Some(format!("listener {}, session {}, stage {}", kept.of.listener, kept.of.session, kept.stage)));
    row("client", Some(kept.client.map_or_else(|| "not known".to_owned(), |client| client.to_string())));
    row("greeting", kept.helo.clone());
    row("login", login());
    row("from", kept.reverse_path.clone());
    row("to", kept.forward_path.clone());
    row("seen", seen(kept));
    row("reply", kept.reply.clone());
    row("redacted", kept.redacted.as_ref().map(|what| format!("{what} (records.redact when it was made)")));
}

/// What was seen of the client without asking anybody.
fn seen(kept: &Kept) -> Option<String> {
    let seen = &kept.seen;
    seen.manner.as_ref()?;
    let mut all = Vec::new();
    all.push(if seen.plain_text { "no TLS".to_owned() } else { "TLS, or not known".to_owned() });
    all.extend(seen.pipelined.then(|| "sent commands ahead".to_owned()));
    all.extend(seen.distrusted.then(|| "others seem to come by its address".to_owned()));
    all.extend(seen.declared_octets.map(|octets| format!("{octets} octets declared")));
    all.extend(seen.octets.map(|octets| format!("{octets} octets came")));
    all.push(format!("server {} % full", seen.load_percent));
    Some(all.join(", "))
}

fn why(kept: &Kept, out: &mut String) {
    if let Some(right) = &kept.right {
        let _ = writeln!(out, "Right\n  {:<10} {}", right.code, right.line.as_deref().unwrap_or("(no line)"));
    }
    let Some(refused) = &kept.refused else { return };
    let _ = writeln!(out, "Why");
    let known = REASONS.iter().find(|(code, ..)| *code == refused.reason);
    let meaning = known.map(|(_, meaning, _)| format!(": {meaning}")).unwrap_or_default();
    let _ = writeln!(out, "  {:<10} {}{meaning}", "reason", refused.reason);
    if let Some(cause) = refused.cause.as_ref().filter(|cause| !cause.is_empty()) {
        let _ = writeln!(out, "  {:<10} {cause}", "cause");
    }
    for line in decided_by(kept) {
        let _ = writeln!(out, "  {:<10} {line}", "decided by");
    }
    if let Some((.., keys)) = known.filter(|(.., keys)| !keys.is_empty()) {
        let _ = writeln!(out, "  {:<10} {keys}", "see");
    }
}

/// The lines of the configuration that decided a refusal: the entry or rule that refused, or those that weighed.
pub fn decided_by(kept: &Kept) -> Vec<String> {
    let Some(refused) = &kept.refused else { return Vec::new() };
    if let Some(line) = &refused.line {
        return vec![line.clone()];
    }
    let named = |hit: &KeptHit| match &hit.rule {
        Some(rule) => format!("{} {rule} ({})", hit.line, did(hit)),
        None => format!("{} ({})", hit.line, did(hit)),
    };
    let in_force = || kept.rules.iter().filter(|hit| hit.mode == "enforce");
    let acting: Vec<String> = in_force().filter(|hit| is_refusal(hit)).map(named).collect();
    if refused.said.is_some() || !acting.is_empty() {
        return acting.into_iter().next_back().into_iter().collect();
    }
    if matches!(refused.reason.as_str(), "suspicious" | "listed" | "greylisted" | "helo-refused") {
        return in_force().map(named).collect();
    }
    kept.steps()
        .filter(|step| step.found.starts_with("refused") || step.found == "exceeded")
        .filter_map(|step| step.line)
        .map(str::to_owned)
        .collect()
}

fn is_refusal(hit: &KeptHit) -> bool {
    let act = &hit.outcome["act"];
    act == "greylist" || act.get("refuse").is_some() || act.get("deny").is_some()
}

/// What a rule did, in a few words.
fn did(hit: &KeptHit) -> String {
    if let Some(weight) = hit.outcome.get("weigh").and_then(Value::as_i64) {
        return format!("weighs {weight:+}");
    }
    match &hit.outcome["act"] {
        Value::String(word) => word.clone(),
        Value::Object(fields) => {
            let of = |(word, value): (&String, &Value)| match value.get("text").or(Some(value)) {
                Some(value) => format!("{word} {}", plain(value)),
                None => word.clone(),
            };
            fields.iter().map(of).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn rules(kept: &Kept, out: &mut String) {
    if kept.rules.is_empty() {
        return;
    }
    out.push_str("Rules that held, in their order\n");
    for hit in &kept.rules {
        let tried = if hit.mode == "observe" { "  (only observed)" } else { "" };
        let name = hit.rule.as_deref().unwrap_or("map entry");
        let _ = writeln!(out, "  {name:<18} {:<10} {:<24} {}{tried}", hit.part, did(hit), hit.line);
    }
    let crate::kept::Score { enforced, observed } = kept.score;
    let _ = writeln!(out, "  score {enforced}; of rules only observed {observed}");
}

fn facts(kept: &Kept, out: &mut String) {
    if kept.facts.is_empty() {
        return;
    }
    out.push_str("Facts\n");
    for fact in &kept.facts {
        let about = fact.of.map(|of| format!(" of {}", of.address)).unwrap_or_default();
        let name = format!("{}{about}", fact.fact);
        let value = match &fact.value {
            KeptValue::Known(value) => plain(value),
            KeptValue::Unknown(why) => format!("not known ({why})"),
        };
        let _ = writeln!(out, "  {name:<18} {value:<36} {}, {}", source(&fact.fact), age(kept, fact));
    }
}

/// Who was asked.
fn source(code: &str) -> &'static str {
    let found = FactName::ALL.iter().find(|fact| fact.code() == code);
    match found.map(|fact| fact.row().source) {
        Some(Source::Directory) => "accounts",
        Some(Source::State) => "state",
        Some(Source::Dns) => "DNS",
        Some(Source::Maps) => "maps",
        None => "?",
    }
}

fn age(kept: &Kept, fact: &KeptFact) -> String {
    let before = Duration::from_micros(kept.at.saturating_sub(fact.at));
    if before < Duration::from_millis(1) {
        return "asked then".to_owned();
    }
    let rounded = if before < Duration::from_secs(10) {
        format!("{:.3} s", before.as_secs_f64())
    } else {
        format!("{:#}", SignedDuration::from_secs(i64::try_from(before.as_secs()).unwrap_or(i64::MAX)))
    };
    format!("{rounded} old")
}

fn steps(kept: &Kept, out: &mut String) {
    let mut steps = kept.steps().peekable();
    if steps.peek().is_none() {
        return;
    }
    out.push_str("Steps\n");
    for (number, step) in steps.enumerate() {
        let line = step.line.map(|line| format!("  {line}")).unwrap_or_default();
        let _ = writeln!(out, "  {:>2} {:<16} {}{line}", number + 1, step.asked, step.found);
    }
}

/// A value in a few words.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let shown = fields.iter().filter(|(_, value)| !value.is_null());
            shown.map(|(name, value)| format!("{name} {}", timed(name, value))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Times within a value are microseconds.
fn timed(name: &str, value: &Value) -> String {
    match value.as_u64() {
        Some(micros) if name.ends_with("_at") => local_time(crate::kept::time(micros)),
        _ => plain(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept() -> Kept {
        serde_json::from_value(json!({
            "form": 1, "id": "7kq2m4xd", "of": { "session": "e1x", "listener": "mx" }, "policy": 3, "at": 1_700_000_000_000_000u64,
            "stage": "rcpt", "client": "192.0.2.7", "helo": "pc", "reverse_path": "<a@b.example>", "forward_path": "<c@d.example>",
            "seen": { "manner": { "rules": "rcpt" }, "plain_text": true, "load_percent": 3 },
            "facts": [
                { "fact": "hosting", "value": { "known": "mailbox" }, "at": 1_700_000_000_000_000u64 },
                { "fact": "client-name", "value": { "unknown": "dns:timed-out" }, "at": 1_699_999_940_000_000u64 },
                { "fact": "pop-evidence", "of": { "address": "192.0.2.7" }, "value": { "known": [{ "subject": "x", "granted_at": 0 }] }, "at": 1_699_999_999_000_000u64 },
            ],
            "rules": [
                { "rule": "no-name", "part": "client", "outcome": { "weigh": 5 }, "line": "defaults:3", "mode": "enforce" },
                { "rule": "tried", "part": "helo", "outcome": { "act": { "refuse": { "code": 550, "text": "no" } } }, "line": "sekisho.toml:9", "mode": "observe" },
            ],
            "score": { "enforced": 5, "observed": 0 }, "outcome": "defer",
            "refused": { "reason": "greylisted", "of": "client" },
            "trace": "asked=client found=192.0.2.7; asked=network found=no line=a file:12; asked=verdict found=refused:greylisted",
            "reply": "451 4.7.1 later [7kq2m4xd]",
        }))
        .unwrap()
    }

    #[test]
    fn a_refusal_is_told_with_its_rules_facts_and_steps() {
        let told = text(&kept(), &["the client logs in".to_owned()]);
        for expected in [
            "Recipient 7kq2m4xd: put off, greylisted\n",
            "  where      listener mx, session e1x, stage rcpt\n",
            "  decided by defaults:3 no-name (weighs +5)\n",
            "  tried              helo       refuse no                sekisho.toml:9  (only observed)\n",
            "  client-name        not known (dns:timed-out)            DNS, ",
            "  hosting            mailbox                              accounts, asked then\n",
            "pop-evidence of 192.0.2.7 subject x, granted_at 19",
            "   2 network          no  a file:12\n",
            "Would be accepted if\n  the client logs in\n",
            "451 4.7.1 later [7kq2m4xd]\n",
        ] {
            assert!(told.contains(expected), "{expected:?} is not in\n{told}");
        }
    }

    #[test]
    fn the_line_that_decided_is_the_one_that_refused() {
        let mut kept = kept();
        kept.rules[1].mode = "enforce".to_owned();
        assert_eq!(decided_by(&kept), ["sekisho.toml:9 tried (refuse no)"]);
        kept.refused.as_mut().unwrap().line = Some("sekisho.toml:4".to_owned());
        assert_eq!(decided_by(&kept), ["sekisho.toml:4"]);
        kept.refused = None;
        assert!(decided_by(&kept).is_empty());
    }

    #[test]
    fn every_reason_of_the_guard_is_told() {
        for reason in guard::Reason::ALL {
            assert!(REASONS.iter().any(|(code, ..)| *code == reason.code()), "{}", reason.code());
        }
    }
}
