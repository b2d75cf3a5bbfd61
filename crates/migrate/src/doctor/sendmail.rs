//! sendmail: whether its rulesets and filters ask the guard, what happens while it is away, and what opens the server
//! whatever it says.

use super::{Findings, is_ours};
use crate::import::{
    ImportError, Spot,
    sendmail::{self, Said, mc},
};
use guard::policy::check_network;
use maps::{Kind, RelayWhat, Table};
use std::path::Path;

/// Files in files.
const DEPTH_MAX: u32 = 5;

/// Features that let strangers relay, or those who only say that they are ours.
const OPEN: [(&str, &str); 6] = [
    ("promiscuous_relay", "everybody may relay"),
    ("relay_local_from", "whoever writes one of your addresses as sender may relay; strangers can write it too"),
    ("relay_mail_from", "whoever writes a sender of the access map may relay; strangers can write it too"),
    ("relay_based_on_MX", "whoever lets his MX point here may relay"),
    ("loose_relay_check", "user%domain@here is relayed"),
    ("accept_unresolvable_domains", "senders are taken that no bounce can reach"),
];
/// Features that may be meant so.
const WIDE: [(&str, &str); 2] = [
    ("relay_entire_domain", "every host that DNS names in your domain may relay"),
    ("accept_unqualified_senders", "senders without a domain are taken"),
];

pub(super) fn examine(path: &Path, findings: &mut Findings) -> Result<(), ImportError> {
    let reading = sendmail::read(path)?;
    let dir = reading.file.parent().unwrap_or(Path::new("."));
    let said = if reading.is_cf { reading.said } else { with_includes(reading.said, dir, 0) };
    let first = Spot::new(&reading.file.display().to_string(), 1);
    let maps: Vec<&Said> = said.iter().filter(|it| is_map(it)).collect();
    let milters: Vec<&Said> = said.iter().filter(|it| is_milter(it)).collect();
    if maps.is_empty() && milters.is_empty() {
        let what = "nothing in it asks Sekisho: neither a map nor an INPUT_MAIL_FILTER";
        findings.danger(&first, what, "include sekisho.m4 or sekisho-milter.m4 (docs/sendmail.md)");
    }
    for milter in &milters {
        self::milter(milter, &said, findings);
    }
    for map in &maps {
        self::map(map, findings);
    }
    features(&said, findings);
    rulesets(&said, &maps, findings);
    if let Some(milter) = milters.first() {
        daemons(&said, milter, findings);
        handed_on(&said, dir, findings);
    }
    access(&said, dir, findings);
    Ok(())
}

/// What included files say, in their place. Only those that lie beside are read.
fn with_includes(said: Vec<Said>, dir: &Path, depth: u32) -> Vec<Said> {
    let mut all = Vec::new();
    for one in said {
        let name = Path::new(one.arg(0)).file_name().map(|it| it.to_string_lossy().replace("MAIL_SETTINGS_DIR", ""));
        let file = name.map(|name| dir.join(name)).filter(|_| one.name == "include" && depth < DEPTH_MAX);
        let text = file.and_then(|file| Some((crate::import::read_text(&file).ok()?, file)));
        all.push(one);
        if let Some((text, file)) = text {
            all.extend(with_includes(mc::parse(&file.display().to_string(), &text), dir, depth + 1));
        }
    }
    all
}

/// A `K` line of a map that Sekisho answers or writes.
fn is_map(said: &Said) -> bool {
    let line = said.arg(0);
    let name = line.split_ascii_whitespace().next().unwrap_or_default();
    let asks = line.contains(" socket ") && (is_ours(line) || name == "Krelay" || name == "Kconnect");
    said.name == "line"
        && line.starts_with('K')
        && (asks || line.contains("drac") || (line.contains("btree") && line.contains("sekisho")))
}

fn is_milter(said: &Said) -> bool {
    matches!(said.name.as_str(), "INPUT_MAIL_FILTER" | "MAIL_FILTER") && said.args.iter().any(|it| is_ours(it))
}

fn milter(said: &Said, all: &[Said], findings: &mut Findings) {
    let flags = said.arg(1).split(',').find_map(|part| part.trim().strip_prefix("F=")).unwrap_or_default().trim();
    let name = said.arg(0);
    if flags.contains('R') {
        let what = format!("milter {name}: F=R refuses mail for good while Sekisho is away");
        findings.warning(&said.at, what, "F=T puts it off");
    } else if !flags.contains(['T', '4']) {
        let what = format!("milter {name}: without F=T everything goes past it while Sekisho is away");
        findings.danger(&said.at, what, "write F=T");
    }
    let list = all.iter().rev().find(|it| it.name == "define" && it.arg(0) == "confINPUT_MAIL_FILTERS");
    let named = |list: &Said| list.arg(1).split([',', ';', ' ']).any(|it| it.trim() == name);
    match list {
        Some(list) if !named(list) => {
            let what = format!("confINPUT_MAIL_FILTERS does not name {name}: no mail reaches it");
            findings.danger(&list.at, what, "add it to the list");
        }
        None if said.name == "MAIL_FILTER" => {
            let what = format!("MAIL_FILTER makes {name} known, but no mail reaches it");
            findings.danger(&said.at, what, "write INPUT_MAIL_FILTER");
        }
        _ => {}
    }
}

fn map(said: &Said, findings: &mut Findings) {
    let line = said.arg(0);
    let not_found = line.split_ascii_whitespace().any(|word| word == "-t");
    if not_found {
        let what = "-t: while Sekisho cannot be asked, it is as if it had said no";
        findings.warning(&said.at, what, "use -T<TMPF>, and answer 451 for it");
    } else if !line.contains("-T") {
        let what = "without -T a ruleset cannot tell \"no\" from \"could not ask\"";
        findings.warning(&said.at, what, "use -T<TMPF>, and answer 451 for it");
    }
}

fn features(all: &[Said], findings: &mut Findings) {
    let features = || all.iter().filter(|it| it.name == "FEATURE");
    for said in features() {
        let name = said.arg(0);
        if let Some((_, what)) = OPEN.iter().find(|(known, _)| *known == name) {
            findings.danger(&said.at, format!("FEATURE {name}: {what}"), "remove it");
        }
        if let Some((_, what)) = WIDE.iter().find(|(known, _)| *known == name) {
            findings.warning(&said.at, format!("FEATURE {name}: {what}"), "remove it, or be sure that it is meant");
        }
    }
}

/// Domains that sendmail relays for are not its own to a milter.
fn handed_on(all: &[Said], dir: &Path, findings: &mut Findings) {
    let named = all.iter().find(|it| matches!(it.name.as_str(), "RELAY_DOMAIN" | "RELAY_DOMAIN_FILE"));
    let file = dir.join("relay-domains");
    let has_lines = |text: String| text.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let at = match named {
        Some(said) => said.at.clone(),
        None if crate::import::read_text(&file).is_ok_and(has_lines) => Spot::new(&file.display().to_string(), 1),
        None => return,
    };
    let what = "relay-domains: a milter listener with relay = \"permit\" does not know that these domains are yours";
    let todo = "name them in Sekisho's domains.relay or domains.maps, or let the listener have relay = \"restrict\"";
    findings.note(&at, what, todo);
}

/// Maps that nobody asks, and rulesets that are there twice.
fn rulesets(all: &[Said], maps: &[&Said], findings: &mut Findings) {
    let lines = || all.iter().filter(|it| it.name == "line");
    for name in ["SLocal_check_rcpt", "SLocal_check_relay", "SLocal_check_mail"] {
        let mut begins = lines().filter(|it| it.arg(0).split_ascii_whitespace().next() == Some(name));
        if let (Some(_), Some(second)) = (begins.next(), begins.next()) {
            let what =
                format!("{} is there twice: the rules of both run as one, and the first answer counts", &name[1..]);
            findings.danger(&second.at, what, "make one of both, Sekisho's rules first");
        }
    }
    for map in maps {
        let name = map.arg(0)[1..].split_ascii_whitespace().next().unwrap_or_default().to_owned();
        let call = format!("$({name} ");
        if !lines().any(|it| it.arg(0).starts_with('R') && it.arg(0).contains(&call)) {
            let what = format!("the map {name} is there, but no rule asks it");
            findings.danger(&map.at, what, "include sekisho.m4 whole: its LOCAL_RULESETS ask it");
        }
    }
    let mailer = all.iter().position(|it| it.name == "MAILER");
    let ours = all.iter().position(|it| it.name == "line" && it.arg(0).starts_with("SSekisho"));
    if let (Some(mailer), Some(ours)) = (mailer, ours)
        && all[mailer + 1..].iter().any(|it| it.name == "FEATURE")
        && ours > mailer
    {
        let what = "FEATURE stands behind MAILER: its rules come too late";
        findings.warning(&all[mailer].at, what, "the order is FEATURE, include of sekisho.m4, MAILER");
    }
}

/// Listeners with a list of filters of their own.
fn daemons(all: &[Said], milter: &Said, findings: &mut Findings) {
    for said in all.iter().filter(|it| it.name == "DAEMON_OPTIONS") {
        let own = said.arg(0).split(',').find_map(|part| {
            let (key, value) = part.split_once('=')?;
            matches!(key.trim(), "InputMailFilters" | "I").then(|| value.trim())
        });
        if own.is_some_and(|own| !own.split(';').any(|it| it.trim() == milter.arg(0))) {
            let what = format!("DAEMON_OPTIONS {}: its InputMailFilters leave Sekisho out", said.arg(0));
            findings.danger(&said.at, what, "add the filter's name, or remove InputMailFilters");
        }
    }
}

/// RELAY entries of the access map that are wider than any relay network may be.
fn access(all: &[Said], dir: &Path, findings: &mut Findings) {
    if !all.iter().any(|it| it.name == "FEATURE" && it.arg(0) == "access_db") {
        return;
    }
    let file = dir.join("access");
    let Ok(text) = crate::import::read_text(&file) else { return };
    let name = file.display().to_string();
    let Ok(table) = Table::parse(Kind::SendmailAccess, &name, &text) else { return };
    for entry in table.relay_entries() {
        let RelayWhat::Client(client) = &entry.what else { continue };
        let text = client.to_string();
        if !text.starts_with(|it: char| it.is_ascii_digit()) && !text.contains(':') {
            continue;
        }
        if let Err(why) = check_network(&text) {
            findings.danger(&Spot::new(&name, entry.line), format!("access: RELAY for {text} {why}"), "name the hosts");
        }
    }
}
