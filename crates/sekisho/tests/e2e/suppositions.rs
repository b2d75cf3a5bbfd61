//! What is to be done so that a supposition holds which `sekisho explain` tells, and how it is undone.
#![expect(clippy::format_push_string, reason = "text for people, not on the way of a mail")]
#![expect(clippy::needless_for_each, reason = "one call a line reads best so")]
#![expect(clippy::too_many_lines, reason = "a table in order")]
#![expect(clippy::unused_self, reason = "asked of it for all alike")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::dns::Record;
use crate::refusals::{ALICE, BOB, CHOICES, Mail, World, is_accepted, zone};

/// What is done so that a supposition holds.
#[derive(Debug)]
enum Deed {
    /// The mail is another.
    Greets(String),
    LogsIn(String),
    WithOwnAddress,
    /// Commands, and those that undo them.
    Ruled(Vec<String>, Vec<String>),
    /// In a file one text for another, and a reload.
    Written {
        file: PathBuf,
        from: String,
        to: String,
    },
    /// The mailbox is emptied.
    Room,
    /// A list in DNS has it no more.
    Delisted(&'static str, Record),
}

/// A mail, what is told of it, and what is to be done.
struct Trial<'a> {
    mail: &'a Mail,
    line: &'a str,
    deeds: Vec<Deed>,
}

impl Trial<'_> {
    fn of_world(&self) -> impl Iterator<Item = &Deed> {
        let of_mail = |deed: &Deed| matches!(deed, Deed::Greets(_) | Deed::LogsIn(_) | Deed::WithOwnAddress);
        self.deeds.iter().filter(move |deed| !of_mail(deed))
    }
}

impl World {
    /// Does what lines suppose, tries their mails, undoes it, and tries them again; what is not so. What many suppose is done
    /// once.
    pub(crate) fn untrue(&self, told: &[(Mail, String)]) -> Vec<String> {
        let (last, told): (Vec<_>, Vec<_>) =
            told.iter().partition(|(_, line)| line.starts_with("it came again after the wait"));
        let mut groups: BTreeMap<String, Vec<Trial<'_>>> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (mail, line) in told {
            match self.trial(mail, line) {
                Ok(trial) => {
                    groups.entry(format!("{:?}", trial.of_world().collect::<Vec<_>>())).or_default().push(trial);
                }
                Err(fault) => wrong.push(fault),
            }
        }
        for trials in groups.values() {
            self.try_out(trials, &mut wrong);
        }
        last.iter().for_each(|(mail, _)| self.comes_again(mail));
        wrong
    }

    fn trial<'a>(&self, mail: &'a Mail, line: &'a str) -> Result<Trial<'a>, String> {
        let mut deeds = Vec::new();
        for one in parts(line) {
            deeds.extend(self.deeds(mail, &one).ok_or_else(|| format!("{mail:?}: what is to be done for {one:?}?"))?);
        }
        Ok(Trial { mail, line, deeds })
    }

    /// Trials that want the same of the world.
    fn try_out(&self, trials: &[Trial<'_>], wrong: &mut Vec<String>) {
        let Some(first) = trials.first() else { return };
        first.of_world().for_each(|deed| self.go(deed));
        for Trial { mail, line, deeds } in trials {
            let answer = self.tried_with(mail, deeds);
            if !is_accepted(&answer) {
                wrong.push(format!("{mail:?}: untrue: {line}: {answer}"));
            }
        }
        let mut undone = first.of_world().collect::<Vec<_>>();
        undone.reverse();
        undone.iter().for_each(|deed| self.undo(deed));
        for Trial { mail, line, .. } in trials.iter().filter(|_| !undone.is_empty()) {
            let answer = self.tried(mail);
            if is_accepted(&answer) {
                wrong.push(format!("{mail:?}: accepted when it is undone that {line}: {answer}"));
            }
        }
    }

    fn tried_with(&self, mail: &Mail, deeds: &[Deed]) -> String {
        let (mut helo, mut login, mut from) = (mail.helo, mail.login, mail.from);
        for deed in deeds {
            match deed {
                Deed::Greets(name) => helo = name,
                Deed::LogsIn(name) => login = Some(name.as_str()),
                Deed::WithOwnAddress => from = ALICE,
                _ => {}
            }
        }
        self.tried_as(mail, helo, login, from)
    }

    /// Nothing is undone here: who came again is known.
    fn comes_again(&self, mail: &Mail) {
        let wait = Deed::Written {
            file: self.config(),
            from: "greylist_delay_secs = 600".to_owned(),
            to: "greylist_delay_secs = 1".to_owned(),
        };
        self.go(&wait);
        self.demo.until("the wait to be over", || is_accepted(&self.tried(mail)).then_some(()));
        self.undo(&wait);
    }

    fn go(&self, deed: &Deed) {
        match deed {
            Deed::Ruled(lines, _) => lines.iter().for_each(|line| self.run(line)),
            Deed::Written { file, from, to } => self.rewrite(file, from, to),
            Deed::Room => self.empty(),
            Deed::Delisted(owner, _) => self.server.forget(owner),
            Deed::Greets(_) | Deed::LogsIn(_) | Deed::WithOwnAddress => {}
        }
    }

    fn undo(&self, deed: &Deed) {
        match deed {
            Deed::Ruled(_, lines) => lines.iter().for_each(|line| self.run(line)),
            Deed::Written { file, from, to } => self.rewrite(file, to, from),
            Deed::Room => self.fill(),
            Deed::Delisted(owner, record) => self.server.learn(owner, *record),
            Deed::Greets(_) | Deed::LogsIn(_) | Deed::WithOwnAddress => {}
        }
    }

    fn rewrite(&self, file: &PathBuf, from: &str, to: &str) {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains(from), "{from:?} is not in {}", file.display());
        fs::write(file, text.replacen(from, to, 1)).unwrap();
        self.reload();
    }

    /// What is to be done so that this holds; nothing: nobody knows.
    fn deeds(&self, mail: &Mail, one: &str) -> Option<Vec<Deed>> {
        let (said, how) = one.split_once(" (").unwrap_or((one, ""));
        let first = said.split(' ').next()?;
        let ruled = |lines: &[String], undo: &[String]| Some(vec![Deed::Ruled(lines.to_vec(), undo.to_vec())]);
        let written = |from: String, to: String| Some(vec![Deed::Written { file: self.config(), from, to }]);
        let moded = |what: &str, name: &str| {
            let (from, to) =
                ["enforce", "observe"].map(|mode| format!("{what} = \"{name}\"\nmode = \"{mode}\"")).into();
            written(from, to)
        };
        let named = |login: &str| vec![Deed::LogsIn(login.split('@').next().unwrap_or_default().to_owned())];
        if let Some(name) = said.strip_prefix("it greeted with ") {
            return Some(vec![Deed::Greets(name.to_owned())]);
        }
        if let Some(rule) = said.strip_prefix("the rule ") {
            return moded("name", rule.split(' ').next()?);
        }
        if let Some(list) = said.strip_prefix("the list ").and_then(|list| list.strip_suffix(" were only tried")) {
            return moded("zone", list);
        }
        if let Some(list) = said.strip_prefix("the list ").and_then(|list| list.strip_suffix(" did not have it")) {
            let has = |owner: &str| owner.ends_with(&format!(".{list}.")) && !owner.starts_with("2.0.0.127.");
            let (owner, record) = zone().into_iter().find(|(owner, _)| has(owner))?;
            return Some(vec![Deed::Delisted(owner, record)]);
        }
        if let Some(entry) = said.strip_prefix("the entry ") {
            return self.entry(entry.strip_suffix(" said OK")?);
        }
        if said == "somebody logged in" {
            let mut deeds = named("alice");
            deeds.extend(one.contains("an address of their own").then_some(Deed::WithOwnAddress));
            return Some(deeds);
        }
        if said.ends_with(" logged in") {
            return Some(named(first));
        }
        if said.starts_with("the device had not sent as much") {
            return Some(named("fresh"));
        }
        if said.contains(" sent with another device or with the password") {
            return Some(named(first));
        }
        if said.starts_with("less had been sent within the hour") {
            return written("messages_per_hour = 1\n".to_owned(), "messages_per_hour = 100\n".to_owned());
        }
        if said == "the mailbox had room" {
            return Some(vec![Deed::Room]);
        }
        if said.ends_with(" were in relay.networks") {
            return written("networks = []".to_owned(), format!("networks = [\"{first}\"]"));
        }
        if said.ends_with(" were exempted") {
            return ruled(
                &words(how.strip_prefix("sekisho ")?.strip_suffix(')')?),
                &words(&format!("guard unexempt {first}")),
            );
        }
        if said.contains(" had logged in by POP3 from ") {
            let client = mail.client;
            return ruled(
                &words(&format!("grant add {client} {first}")),
                &words(&format!("grant revoke --address {client} --login {first}")),
            );
        }
        if said.ends_with(" existed here") {
            return ruled(&words(&format!("alias add {first} {ALICE}")), &words(&format!("alias delete {first}")));
        }
        if said.ends_with(" were not switched off") {
            let address = mail.to;
            // Who is to be there may have to be made.
            let there = address.starts_with("bob@");
            let (mut lines, mut undo) = (words(&format!("domain on {first}")), words(&format!("domain off {first}")));
            if !there {
                lines.push(format!("alias add {address} {BOB}"));
                undo.push(format!("alias delete {address}"));
            }
            return ruled(&lines, &undo);
        }
        if said.ends_with(" were a domain of this server") {
            let (_, address) = one.rsplit_once(", with ")?;
            return ruled(
                &[format!("domain add {first}"), format!("alias add {address} {BOB}")],
                &[format!("alias delete {address}"), format!("domain delete {first}")],
            );
        }
        if said.starts_with(&format!("{first} were in domains.relay")) {
            let domain = format!("[[domains.relay]]\ndomain = \"{first}\"\nnext_hop = \"127.0.0.1:9\"\n");
            return written("# domains of others\n".to_owned(), domain);
        }
        if said.ends_with(" took mail of this sender") {
            let (.., end, make) = CHOICES.iter().find(|(to, from, ..)| *to == first && *from == mail.from)?;
            return ruled(&words(end), &words(make));
        }
        if said.contains(" belonged to ") {
            return Some(vec![owned(first.trim_matches(['<', '>']), said.rsplit(' ').next()?)]);
        }
        None
    }

    /// The line of a map, with `OK` for its action.
    fn entry(&self, place: &str) -> Option<Vec<Deed>> {
        let (file, number) = place.rsplit_once(':')?;
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().nth(number.parse::<usize>().ok()? - 1)?;
        let (key, _) = line.split_once(['\t', ' '])?;
        Some(vec![Deed::Written { file: file.into(), from: format!("{line}\n"), to: format!("{key}\tOK\n") }])
    }
}

/// The address is made an address of the login's.
fn owned(address: &str, login: &str) -> Deed {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let keeps = if address == BOB { "--keep-copy " } else { "" };
    let mut lines = words(&format!("alias add {keeps}{address} {login}"));
    let mut undo = words(&format!("alias delete {address}"));
    if domain != "example.test" {
        lines.insert(0, format!("domain add {domain}"));
        undo.push(format!("domain delete {domain}"));
    }
    Deed::Ruled(lines, undo)
}

/// The suppositions of a line: one, or two that only together do it.
fn parts(line: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for one in line.split(", and ") {
        match parts.last_mut() {
            Some(last) if one.starts_with("had ") => *last += &format!(", and {one}"),
            _ => parts.push(one.to_owned()),
        }
    }
    parts
}

fn words(line: &str) -> Vec<String> {
    vec![line.to_owned()]
}
