//! `[guard]`: what is held against strangers.

mod condition;
mod rule;

pub use rule::WrittenRule;

use crate::nearest::nearest;
use crate::reading::Reading;
use crate::section::dnsbl::Dnsbl;
use crate::value::{self, Unreadable, unreadable};
use guard::ConfigLine;
use guard::rule::Mode;
use guard::suspicion::defaults::{self, DefaultRule, Thresholds};
use guard::suspicion::exempt::{Exempt, Who};
use guard::suspicion::{Condition, Effect, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Entries of `guard.exempt` and of its file, each.
const EXEMPT_MAX: usize = 100_000;
/// Files of `guard.mmdb`: each is held in memory.
const MMDB_MAX: usize = 16;

/// `[guard]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Guard", deny_unknown_fields, default)]
pub struct WrittenGuard {
    /// Whether the default rules are asked; `sekisho config defaults` lists them, each with its reason. They apply only to
    /// strangers' mail to recipients of this server: not to logins, relay networks, relay clients and clients with a relay grant.
    /// `sekisho init` and `sekisho demo` write `true`. Default `false`.
    pub defaults: bool,
    /// Score from which a stranger has to come back after a while (greylisting). 1 to 1,000. Default 5.
    #[schemars(range(min = 1, max = 1_000))]
    pub greylist_score: i32,
    /// How long a stranger has to stay away before it comes back, in seconds. If it comes back within two days, it passes, and
    /// with it all servers of the same sender, for 36 days after its last mail. 1 to 3,600. Default 120.
    #[schemars(range(min = 1, max = 3_600))]
    pub greylist_delay_secs: u32,
    /// Score from which the replies to a stranger are held back for some seconds; only observed unless `enforce` names `slow`. 1
    /// to 1,000. Default 10.
    #[schemars(range(min = 1, max = 1_000))]
    pub slow_score: i32,
    /// Score from which a stranger is refused; only observed unless `enforce` names `refuse`. 1 to 1,000. Default 15.
    #[schemars(range(min = 1, max = 1_000))]
    pub refuse_score: i32,
    /// Default rules that are put in force, by name. Default `[]`.
    pub enforce: Vec<String>,
    /// Default rules that are only observed: the log says what they would have done. Default `[]`.
    pub observe: Vec<String>,
    /// Default rules that are not asked. Default `[]`.
    pub off: Vec<String>,
    /// Clients to which the rules about strangers do not apply: `ADDRESS`, `ADDRESS/PREFIX`, a name `mail.example.net`, or all
    /// names below `.example.net`. A name counts only if it resolves back to the address. They still may not relay. Default `[]`.
    pub exempt: Vec<String>,
    /// File of more such clients, one a line; `sekisho guard exempt` writes it. It need not exist. Default `"exempt"`.
    pub exempt_file: String,
    /// MaxMind DB files for the conditions `country` and `asn`: `country.iso_code` (otherwise `registered_country.iso_code`) and
    /// `autonomous_system_number` of the client's address. Of several files the first one with an answer counts. Sekisho ships
    /// none. At most 16. Default `[]`.
    pub mmdb: Vec<String>,
    /// Rules of your own. Those without `score` are asked before the default rules (one with `action = "ok"` ends all), those with `score` after
    /// the default rules have added their weights.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<WrittenRule>,
}

impl Default for WrittenGuard {
    fn default() -> Self {
        let thresholds = Thresholds::default();
        Self {
            defaults: false,
            greylist_score: thresholds.greylist,
            greylist_delay_secs: 120,
            slow_score: thresholds.slow,
            refuse_score: thresholds.refuse,
            enforce: Vec::new(),
            observe: Vec::new(),
            off: Vec::new(),
            exempt: Vec::new(),
            exempt_file: "exempt".to_owned(),
            mmdb: Vec::new(),
            rule: Vec::new(),
        }
    }
}

/// `[guard]`, as meant.
#[derive(Debug, Clone)]
pub struct Guard {
    /// In the order in which they are asked.
    pub rules: Vec<Rule>,
    /// How long a stranger has to stay away.
    pub greylist_delay: Duration,
    /// Clients against whom nothing is held, as the configuration lists them.
    pub exempt: Exempt,
    /// The file of more such clients.
    pub exempt_file: PathBuf,
    /// MaxMind DB files, in the order in which they are asked.
    pub mmdb: Vec<PathBuf>,
}

/// Reads a client against whom nothing is held.
pub fn who(text: &str) -> Result<Who, String> {
    read_who(text).map_err(|why| format!("{}; {}", why.message, why.hint))
}

fn read_who(text: &str) -> Result<Who, Unreadable> {
    if text.starts_with(|c: char| c.is_ascii_digit()) || text.contains(':') {
        let net = value::network(text)?;
        if net.prefix_len() == 0 {
            return unreadable(format!("\"{text}\" is everybody"), "remove the default rules instead");
        }
        return Ok(Who::Network(net));
    }
    match text.strip_prefix('.') {
        Some(below) => Ok(Who::Below(value::domain(below)?)),
        None => Ok(Who::Name(value::host_name(text)?)),
    }
}

/// Reads the file of exempted clients: one a line, `#` begins a comment. Each mistake with its line.
pub fn exempted(name: &str, text: &str) -> Result<Vec<(Who, ConfigLine)>, Vec<String>> {
    let (mut found, mut mistakes) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines().take(EXEMPT_MAX)) {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        match who(entry) {
            Ok(who) => found.push((who, ConfigLine::new(name, number))),
            Err(why) => mistakes.push(format!("{name}:{number}: {why}")),
        }
    }
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

impl WrittenGuard {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Guard {
        let mut exempt = Exempt::default();
        if self.exempt.len() > EXEMPT_MAX {
            reading.wrong(
                "guard.exempt",
                format!("`guard.exempt` has more than {EXEMPT_MAX} entries"),
                "use a network",
            );
        }
        for (index, text) in self.exempt.iter().enumerate() {
            let path = format!("guard.exempt[{index}]");
            let line = reading.position(&path).line();
            if let Some(who) = reading.parsed(&path, read_who(text)) {
                exempt.add(&who, line);
            }
        }
        let own = rule::meant(&self.rule, reading);
        let rules = in_order(self.default_rules(reading), own);
        let mmdb = self.mmdb_files(reading);
        let greylist_delay = Duration::from_secs(self.greylist_delay_secs.into());
        Guard { rules, greylist_delay, exempt, exempt_file: reading.below(&self.exempt_file), mmdb }
    }

    /// The files that say where clients are. Without one, what goes by that never holds.
    fn mmdb_files(&self, reading: &mut Reading<'_>) -> Vec<PathBuf> {
        if self.mmdb.len() > MMDB_MAX {
            reading.wrong("guard.mmdb", format!("`guard.mmdb` has more than {MMDB_MAX} files"), "join them");
        }
        if self.mmdb.is_empty() {
            rule::check_origins(&self.rule, reading);
        }
        let files = reading.each("guard.mmdb", &self.mmdb, |text| match text {
            "" => unreadable("no file is named".to_owned(), "as in \"/var/lib/GeoIP/GeoLite2-ASN.mmdb\""),
            file => Ok(file.to_owned()),
        });
        files.iter().map(|file| reading.below(file)).collect()
    }

    /// Rules of one's own name lists that are there.
    pub(crate) fn check_lists(&self, lists: &[Dnsbl], reading: &mut Reading<'_>) {
        rule::check_lists(&self.rule, lists, reading);
    }

    fn default_rules(&self, reading: &mut Reading<'_>) -> Vec<Rule> {
        let enforce = named("guard.enforce", &self.enforce, reading);
        let observe = named("guard.observe", &self.observe, reading);
        let off = named("guard.off", &self.off, reading);
        let thresholds = Thresholds { greylist: self.greylist_score, slow: self.slow_score, refuse: self.refuse_score };
        if !self.defaults {
            return Vec::new();
        }
        let asked = defaults::TABLE.iter().filter(|row| !off.contains(&row.name));
        let mode = |row: &DefaultRule| match row.name {
            name if observe.contains(&name) => Mode::Observe,
            name if enforce.contains(&name) => Mode::Enforce,
            _ => row.mode,
        };
        asked.map(|row| Rule { mode: mode(row), ..row.rule(&thresholds) }).collect()
    }
}

/// Weights first, what goes by their sum afterwards; own rules before those of the table.
fn in_order(defaults: Vec<Rule>, own: Vec<Rule>) -> Vec<Rule> {
    let by_score = |rule: &Rule| rule.when.iter().chain(&rule.not).any(|it| matches!(it, Condition::Score(_)));
    let weighs = |rule: &Rule| matches!(rule.effect, Effect::Weigh(_) | Effect::WeighAsListed);
    let (own_late, own_early): (Vec<_>, Vec<_>) = own.into_iter().partition(by_score);
    let (signs, measures): (Vec<_>, Vec<_>) = defaults.into_iter().partition(weighs);
    [own_early, signs, own_late, measures].concat()
}

/// Names of default rules; one that is none is a mistake.
fn named(key: &str, names: &[String], reading: &mut Reading<'_>) -> Vec<&'static str> {
    reading.each(key, names, |text| {
        if let Some(row) = defaults::find(text) {
            return Ok(row.name);
        }
        let hint = match nearest(text, defaults::TABLE.iter().map(|row| row.name)) {
            Some(near) => format!("\"{near}\"?"),
            None => "`sekisho config defaults` lists them".to_owned(),
        };
        Err(Unreadable { message: format!("there is no default rule \"{text}\""), hint: hint.into() })
    })
}
