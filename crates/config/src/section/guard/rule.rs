//! `[[guard.rule]]`: a rule of the operator's own.

use super::condition;
use crate::reading::Reading;
use crate::section::access;
use crate::section::dnsbl::Dnsbl;
use crate::value::{Unreadable, unreadable};
use guard::Reason;
use guard::rule::{Action, Mode, Said};
use guard::suspicion::{Condition, Effect, Rule, SLOW_SECS_MAX, WEIGHT_MAX, defaults};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Rules of one's own.
const RULES_MAX: usize = 1_000;
/// Longest name of a rule, in octets.
const NAME_OCTETS_MAX: usize = 40;
/// Longest header field that is put above a message, in octets: a line has at most 998 (RFC 5322 §2.1.1).
const FIELD_OCTETS_MAX: usize = 998;
/// Longest text of a refusal, in octets: a reply line has at most 512 (RFC 5321 §4.5.3.1.5), and the recipient stands in it.
const TEXT_OCTETS_MAX: usize = 200;

/// `[[guard.rule]]`: what is held against a stranger's mail to a recipient of this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "GuardRule", deny_unknown_fields)]
pub struct WrittenRule {
    /// Name in log and records: small letters, digits and hyphens, at most 40. Required.
    pub name: String,
    /// Conditions, all of which must hold: `always`, `listed ZONE …`, `no-name`, `name-unconfirmed`, `dynamic-name`,
    /// `helo-invalid`, `helo-ours`, `helo-mismatch`, `pipelining`, `plain-text`, `spf RESULT …`, `null-sender`,
    /// `sender-domain-dead`, `country CODE …` and `asn NUMBER …` (by `guard.mmdb`), `load PERCENT`, `score POINTS`. A condition
    /// that cannot be found out does not hold. Required.
    pub when: Vec<String>,
    /// Conditions that must all be known, and must not hold. Default `[]`.
    #[serde(default)]
    pub not: Vec<String>,
    /// What the rule adds to the score, -1,000 to 1,000. Default none: the rule does its `action`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1_000, max = 1_000))]
    pub weight: Option<i32>,
    /// What the rule does: `ok` (no further rule is asked), `refuse`, `refuse TEXT`, `greylist`, `slow SECONDS` (1 to 20),
    /// `hold`, `discard`, `tag FIELD: VALUE`, `warn TEXT` (a line in the log). Default none: the rule adds its `weight`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Whether it is in force, or only writes to the log what it would have done. Default `"enforce"`.
    #[serde(default)]
    pub mode: access::Mode,
}

/// All of `[[guard.rule]]`, as meant.
pub(super) fn meant(written: &[WrittenRule], reading: &mut Reading<'_>) -> Vec<Rule> {
    if written.len() > RULES_MAX {
        reading.wrong("guard.rule", format!("there are more than {RULES_MAX} rules"), "");
    }
    let (mut names, mut rules) = (BTreeSet::new(), Vec::new());
    for (index, rule) in written.iter().enumerate() {
        let path = format!("guard.rule[{index}]");
        if !names.insert(rule.name.as_str()) || defaults::find(&rule.name).is_some() {
            let message = format!("there is another rule \"{}\"", rule.name);
            reading.wrong(&format!("{path}.name"), message, "give it a name of its own");
        }
        rules.extend(rule.meant(&path, reading));
    }
    rules
}

/// A rule that goes by a list which nobody asks would never hold, and say nothing of it.
pub(super) fn check_lists(written: &[WrittenRule], lists: &[Dnsbl], reading: &mut Reading<'_>) {
    for Wanted { path, condition, .. } in wanted(written) {
        let Condition::Listed(zones) = condition else { continue };
        let is_asked = |zone: &str| lists.iter().any(|list| *list.name == *zone);
        if let Some(zone) = zones.iter().find(|zone| !is_asked(zone)) {
            let message = format!("no [[dnsbl]] is called \"{zone}\"");
            reading.wrong(&path, message, "the name of one, or its zone where it has no name");
        } else if lists.is_empty() {
            reading.wrong(&path, "no [[dnsbl]] is configured, so the rule never holds", "configure one");
        }
    }
}

/// A rule that goes by where clients are, with no file that says it.
pub(super) fn check_origins(written: &[WrittenRule], reading: &mut Reading<'_>) {
    for Wanted { path, text, condition } in wanted(written) {
        if matches!(condition, Condition::Country(_) | Condition::Asn(_)) {
            let message = format!("\"{text}\": no file says where clients are, so the rule never holds");
            let hint = "name a MaxMind DB file, as in guard.mmdb = [\"/var/lib/GeoIP/GeoLite2-Country.mmdb\"]";
            reading.wrong(&path, message, hint);
        }
    }
}

/// A condition of a rule of one's own, and where it stands.
struct Wanted<'a> {
    path: String,
    text: &'a str,
    condition: Condition,
}

/// All that can be read.
fn wanted(written: &[WrittenRule]) -> Vec<Wanted<'_>> {
    let mut all = Vec::new();
    for (index, rule) in written.iter().enumerate() {
        for (key, texts) in [("when", &rule.when), ("not", &rule.not)] {
            for (at, text) in texts.iter().enumerate() {
                let path = format!("guard.rule[{index}].{key}[{at}]");
                all.extend(condition::read(text).ok().flatten().map(|condition| Wanted { path, text, condition }));
            }
        }
    }
    all
}

impl WrittenRule {
    fn meant(&self, path: &str, reading: &mut Reading<'_>) -> Option<Rule> {
        let line = reading.position(path).line();
        let name = reading.parsed(&format!("{path}.name"), name(&self.name));
        if self.when.is_empty() {
            let message = "a rule without a condition holds for every stranger";
            reading.wrong(&format!("{path}.when"), message, "write when = [\"always\"] if that is meant");
        }
        let when: Vec<_> = reading.each(&format!("{path}.when"), &self.when, condition::read);
        let not: Vec<_> = reading.each(&format!("{path}.not"), &self.not, condition::read);
        if not.contains(&None) {
            reading.wrong(&format!("{path}.not"), "a rule with `not = [\"always\"]` never holds", "remove it");
        }
        let (when, not): (Vec<_>, Vec<_>) = (when.into_iter().flatten().collect(), not.into_iter().flatten().collect());
        if let Some(why) = condition::contradiction(&when, &not) {
            reading.wrong(path, format!("the rule never holds: {why}"), "remove one of them");
        }
        let reason = when.first().map_or(Reason::Suspicious, Condition::refused_as);
        let effect = self.effect(path, reason, reading)?;
        let mode = match self.mode {
            access::Mode::Enforce => Mode::Enforce,
            access::Mode::Observe => Mode::Observe,
        };
        Some(Rule { name: name?.into(), when, not, effect, mode, line })
    }

    /// `reason`: by which word it refuses, if it does so without words of its own.
    fn effect(&self, path: &str, reason: Reason, reading: &mut Reading<'_>) -> Option<Effect> {
        match (self.weight, &self.action) {
            (Some(weight), None) if weight != 0 && weight.abs() <= WEIGHT_MAX => Some(Effect::Weigh(weight)),
            (Some(_), None) => {
                let message = format!("a weight is −{WEIGHT_MAX} to {WEIGHT_MAX} and not 0");
                reading.wrong(&format!("{path}.weight"), message, "as in 5");
                None
            }
            (None, Some(text)) => reading.parsed(&format!("{path}.action"), action(text, reason)).map(Effect::Act),
            _ => {
                reading.wrong(path, "a rule has either `weight` or `action`", "give exactly one of the two");
                None
            }
        }
    }
}

fn name(text: &str) -> Result<&str, Unreadable> {
    let fits = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    if (1..=NAME_OCTETS_MAX).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text);
    }
    unreadable(format!("\"{text}\" is no name of a rule"), "small letters, digits and hyphens, at most 40")
}

const ACTIONS: &str = "ok, refuse, refuse TEXT, greylist, slow SECONDS, hold, discard, tag FIELD: VALUE or warn TEXT";

fn action(text: &str, reason: Reason) -> Result<Action, Unreadable> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    Ok(match (word, rest) {
        ("ok", "") => Action::Ok,
        ("greylist", "") => Action::Greylist,
        ("hold", "") => Action::Hold,
        ("discard", "") => Action::Discard,
        ("refuse", "") => Action::Deny(reason),
        ("refuse", words) => {
            Action::Refuse(Said { code: 550, enhanced: None, text: one_line(words, TEXT_OCTETS_MAX)? })
        }
        ("warn", words) if !words.is_empty() => Action::Warn(one_line(words, TEXT_OCTETS_MAX)?),
        ("tag", field) => Action::Prepend(header_field(field)?),
        ("slow", secs) => Action::Slow(slow_secs(secs)?),
        _ => return unreadable(format!("\"{text}\" is no action"), ACTIONS),
    })
}

fn one_line(text: &str, octets_max: usize) -> Result<String, Unreadable> {
    if text.len() > octets_max || !text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return Err(Unreadable {
            message: "the text is no line of ASCII, or too long".to_owned(),
            hint: format!("at most {octets_max} printable characters").into(),
        });
    }
    Ok(text.to_owned())
}

fn header_field(text: &str) -> Result<String, Unreadable> {
    let field = one_line(text, FIELD_OCTETS_MAX)?;
    let name = field.split_once(':').map_or("", |(name, _)| name);
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
        return unreadable(format!("\"{text}\" is no header field"), "as in \"tag X-Suspicious: yes\"");
    }
    Ok(field)
}

fn slow_secs(text: &str) -> Result<u32, Unreadable> {
    match text.parse() {
        Ok(secs) if (1..=SLOW_SECS_MAX).contains(&secs) => Ok(secs),
        _ => unreadable(format!("`slow` is followed by 1 to {SLOW_SECS_MAX} seconds"), "as in \"slow 5\""),
    }
}
