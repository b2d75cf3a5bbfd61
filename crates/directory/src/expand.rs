//! Following an address to its mailboxes, without I/O: names go out, what the store knows of them comes in.
//!
//! The order for each name of a hosted domain: alias, mailbox, both again without the `+detail`, the postmaster's account,
//! the catch-all. An alias that names itself means the mailbox of that name. Depth and width are bounded, an alias is
//! followed once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::Settings;
use crate::error::AliasFault;
use crate::name;
use crate::route::{ALIAS_DEPTH_MAX, ALIAS_WIDTH_MAX, Hosting, Resolution, Target};

const POSTMASTER: &str = "postmaster";

/// The hosted domains, each with its catch-all address if it has one.
#[derive(Debug, Default)]
pub(crate) struct Domains(pub(crate) HashMap<String, Option<String>>);

impl Domains {
    pub(crate) fn contains(&self, domain: &str) -> bool {
        self.0.contains_key(domain)
    }

    fn hosts(&self, address: &str) -> bool {
        name::split(address).is_some_and(|(_, domain)| self.contains(domain))
    }

    /// Local parts of hosted domains are kept and looked up in lower case.
    fn fold(&self, mut address: String) -> String {
        if self.hosts(&address) {
            address.make_ascii_lowercase();
        }
        address
    }
}

/// What the store knows of the names it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) aliases: HashMap<String, Vec<String>>,
    pub(crate) mailboxes: HashMap<String, Target>,
}

/// One address on its way to its targets.
pub(crate) struct Expansion<'a> {
    domains: &'a Domains,
    settings: &'a Settings,
    /// The names of this step, and how many steps lie behind it.
    level: Vec<String>,
    depth: usize,
    names: usize,
    /// Aliases already followed, and `@domain` for a catch-all already used.
    followed: HashSet<String>,
    targets: Vec<Target>,
    target_names: HashSet<Arc<str>>,
    hosting: Option<Hosting>,
    looped: bool,
}

impl<'a> Expansion<'a> {
    /// `address` is one of a hosted domain.
    pub(crate) fn new(domains: &'a Domains, settings: &'a Settings, address: String) -> Self {
        Self {
            domains,
            settings,
            level: vec![domains.fold(address)],
            depth: 0,
            names: 0,
            followed: HashSet::new(),
            targets: Vec::new(),
            target_names: HashSet::new(),
            hosting: None,
            looped: false,
        }
    }

    /// The names to ask the store for, with and without their details. It may have none for a step that is still to be
    /// taken: [`Self::is_done`] says when to end.
    pub(crate) fn wanted(&self) -> Vec<String> {
        let hosted = || self.level.iter().filter(|address| self.domains.hosts(address));
        let bases = hosted().filter_map(|address| self.without_detail(address));
        hosted().cloned().chain(bases).collect()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.level.is_empty()
    }

    /// Takes one step with what the store found.
    pub(crate) fn take(&mut self, found: &Found) -> Result<(), AliasFault> {
        if self.depth > ALIAS_DEPTH_MAX {
            return Err(AliasFault::TooDeep);
        }
        let level = std::mem::take(&mut self.level);
        self.names += level.len();
        if self.names > ALIAS_WIDTH_MAX {
            return Err(AliasFault::TooWide);
        }
        let mut next = Next::default();
        for address in level {
            let hosting = self.step(&address, found, &mut next);
            self.hosting.get_or_insert(hosting);
        }
        if self.names + next.names.len() > ALIAS_WIDTH_MAX {
            return Err(AliasFault::TooWide);
        }
        self.level = next.names;
        self.depth += 1;
        Ok(())
    }

    /// The answer, once done. Nothing found behind an alias is an unknown user, unless it only runs in a circle.
    pub(crate) fn finish(self) -> Result<Resolution, AliasFault> {
        match (self.targets.is_empty(), self.looped) {
            (true, true) => Err(AliasFault::Loop),
            (true, false) => Ok(Resolution::nothing(Hosting::UnknownUser)),
            (false, _) => {
                Ok(Resolution { hosting: self.hosting.unwrap_or(Hosting::UnknownUser), targets: self.targets.into() })
            }
        }
    }

    fn step(&mut self, address: &str, found: &Found, next: &mut Next) -> Hosting {
        let Some((local, domain)) = name::split(address) else { return Hosting::UnknownUser };
        if !self.domains.contains(domain) {
            self.add(Target::Forward { address: Arc::from(address) });
            return Hosting::Alias;
        }
        let exact = self.own(address, found, next);
        let own = exact.or_else(|| self.without_detail(address).and_then(|base| self.own(&base, found, next)));
        own.or_else(|| self.postmaster(local, address, next))
            .or_else(|| self.catch_all(domain, next))
            .unwrap_or(Hosting::UnknownUser)
    }

    /// The alias or mailbox of exactly this name.
    fn own(&mut self, address: &str, found: &Found, next: &mut Next) -> Option<Hosting> {
        let mailbox = found.mailboxes.get(address);
        if let Some(targets) = found.aliases.get(address) {
            if self.followed.insert(address.to_owned()) {
                for target in targets {
                    next.push(self.domains.fold(target.clone()));
                }
                return Some(Hosting::Alias);
            }
            // Seen before: an alias that keeps a copy means its own mailbox; any other is a circle.
            if mailbox.is_none() {
                self.looped = true;
                return Some(Hosting::Alias);
            }
        }
        self.add(mailbox?.clone());
        Some(Hosting::Mailbox)
    }

    fn postmaster(&mut self, local: &str, address: &str, next: &mut Next) -> Option<Hosting> {
        let account = self.settings.postmaster.as_deref().filter(|_| local == POSTMASTER)?;
        if !self.followed.insert(address.to_owned()) {
            return None;
        }
        next.push(self.domains.fold(account.to_owned()));
        Some(Hosting::Alias)
    }

    fn catch_all(&mut self, domain: &str, next: &mut Next) -> Option<Hosting> {
        let taker = self.domains.0.get(domain)?.as_ref()?;
        if !self.followed.insert(format!("@{domain}")) {
            return None;
        }
        next.push(self.domains.fold(taker.clone()));
        Some(Hosting::CatchAll)
    }

    fn add(&mut self, target: Target) {
        if self.target_names.insert(Arc::clone(target.name())) {
            self.targets.push(target);
        }
    }

    fn without_detail(&self, address: &str) -> Option<String> {
        let delimiter = self.settings.detail_delimiter?;
        let (local, domain) = name::split(address)?;
        let (base, _) = local.split_once(delimiter).filter(|(base, _)| !base.is_empty())?;
        Some(format!("{base}@{domain}"))
    }
}

/// The names of the next step, each once.
#[derive(Default)]
struct Next {
    names: Vec<String>,
    seen: HashSet<String>,
}

impl Next {
    fn push(&mut self, address: String) {
        if self.seen.insert(address.clone()) {
            self.names.push(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Rows<'a> = &'a [(&'a str, &'a [&'a str])];

    fn resolve(aliases: Rows<'_>, mailboxes: &[&str], asked: &str) -> Result<Resolution, AliasFault> {
        let settings = Settings { postmaster: Some("alice@d.test".to_owned()), ..Settings::default() };
        let domains = Domains(HashMap::from([("d.test".to_owned(), None)]));
        run(&domains, &settings, &found(aliases, mailboxes), asked)
    }

    fn caught_by(taker: &str, aliases: Rows<'_>, mailboxes: &[&str], asked: &str) -> Result<Resolution, AliasFault> {
        let domains = Domains(HashMap::from([("d.test".to_owned(), Some(taker.to_owned()))]));
        run(&domains, &Settings::default(), &found(aliases, mailboxes), asked)
    }

    fn found(aliases: Rows<'_>, mailboxes: &[&str]) -> Found {
        let mut found = Found::default();
        for (address, targets) in aliases {
            found.aliases.insert((*address).to_owned(), targets.iter().map(|&target| target.to_owned()).collect());
        }
        for login in mailboxes {
            found.mailboxes.insert((*login).to_owned(), account(login));
        }
        found
    }

    fn run(domains: &Domains, settings: &Settings, found: &Found, asked: &str) -> Result<Resolution, AliasFault> {
        let mut expansion = Expansion::new(domains, settings, asked.to_owned());
        while !expansion.is_done() {
            expansion.take(found)?;
        }
        expansion.finish()
    }

    fn account(login: &str) -> Target {
        Target::Account {
            login: Arc::from(login),
            maildir: Arc::from(name::maildir(login, "d.test")),
            quota_octets: None,
        }
    }

    fn names(resolution: &Resolution) -> Vec<&str> {
        resolution.targets.iter().map(|target| &**target.name()).collect()
    }

    #[test]
    fn the_table_of_resolutions() {
        let aliases: Rows<'_> = &[
            ("sales@d.test", &["alice@d.test", "Bob@d.test", "Carol@else.test"]),
            ("copy@d.test", &["copy@d.test", "alice@d.test"]),
            ("nested@d.test", &["sales@d.test", "alice@d.test"]),
            ("gone@d.test", &["nobody@d.test"]),
            ("list+special@d.test", &["bob@d.test"]),
            ("list@d.test", &["alice@d.test"]),
        ];
        let mailboxes = &["alice@d.test", "bob@d.test", "copy@d.test"];
        for (asked, hosting, wanted) in [
            ("Alice@d.test", Hosting::Mailbox, &["alice@d.test"][..]),
            ("alice+x+y@d.test", Hosting::Mailbox, &["alice@d.test"]),
            ("+alice@d.test", Hosting::UnknownUser, &[]),
            ("nobody@d.test", Hosting::UnknownUser, &[]),
            ("sales@d.test", Hosting::Alias, &["alice@d.test", "bob@d.test", "Carol@else.test"]),
            ("sales+x@d.test", Hosting::Alias, &["alice@d.test", "bob@d.test", "Carol@else.test"]),
            ("nested@d.test", Hosting::Alias, &["alice@d.test", "bob@d.test", "Carol@else.test"]),
            ("copy@d.test", Hosting::Alias, &["copy@d.test", "alice@d.test"]),
            ("gone@d.test", Hosting::UnknownUser, &[]),
            ("list+special@d.test", Hosting::Alias, &["bob@d.test"]),
            ("list+other@d.test", Hosting::Alias, &["alice@d.test"]),
            ("POSTMASTER@d.test", Hosting::Alias, &["alice@d.test"]),
        ] {
            let resolution = resolve(aliases, mailboxes, asked).unwrap();
            assert_eq!(resolution.hosting, hosting, "{asked}");
            let mut found = names(&resolution);
            let mut wanted = wanted.to_vec();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{asked}");
        }
    }

    #[test]
    fn circles_are_seen_and_fall_to_no_catch_all() {
        let aliases: Rows<'_> = &[
            ("a@d.test", &["b@d.test"]),
            ("b@d.test", &["a@d.test"]),
            ("self@d.test", &["self@d.test"]),
            ("half@d.test", &["half2@d.test", "alice@d.test"]),
            ("half2@d.test", &["half@d.test"]),
        ];
        let ask = |asked| caught_by("alice@d.test", aliases, &["alice@d.test"], asked);
        assert_eq!(ask("a@d.test"), Err(AliasFault::Loop));
        assert_eq!(ask("self@d.test"), Err(AliasFault::Loop));
        assert_eq!(names(&ask("half@d.test").unwrap()), ["alice@d.test"]);
        let caught = ask("stranger@d.test").unwrap();
        assert_eq!((caught.hosting, names(&caught)), (Hosting::CatchAll, vec!["alice@d.test"]));
        assert!(caught.owners().is_empty());
    }

    #[test]
    fn a_catch_all_that_leads_nowhere_is_an_unknown_user() {
        let ask = |taker| caught_by(taker, &[], &["alice@d.test"], "stranger@d.test");
        assert_eq!(ask("nobody@d.test").unwrap().hosting, Hosting::UnknownUser);
        assert_eq!(names(&ask("who@else.test").unwrap()), ["who@else.test"]);
    }

    #[test]
    fn depth_and_width_are_bounded() {
        let chain = |links: usize| {
            let mut found = Found::default();
            for link in 0..links {
                found.aliases.insert(format!("a{link}@d.test"), vec![format!("a{}@d.test", link + 1)]);
            }
            let end = format!("a{links}@d.test");
            found.mailboxes.insert(end.clone(), account(&end));
            found
        };
        let domains = Domains(HashMap::from([("d.test".to_owned(), None)]));
        let settings = Settings::default();
        assert!(run(&domains, &settings, &chain(ALIAS_DEPTH_MAX), "a0@d.test").is_ok());
        assert_eq!(run(&domains, &settings, &chain(ALIAS_DEPTH_MAX + 1), "a0@d.test"), Err(AliasFault::TooDeep));
        for (targets, good) in [(ALIAS_WIDTH_MAX - 1, true), (ALIAS_WIDTH_MAX, false)] {
            let mut found = Found::default();
            let wide = (0..targets).map(|number| format!("u{number}@else.test")).collect();
            found.aliases.insert("all@d.test".to_owned(), wide);
            assert_eq!(run(&domains, &settings, &found, "all@d.test").is_ok(), good, "{targets}");
        }
    }

    fn small_name() -> impl Strategy<Value = String> {
        ("[a-e](\\+[ab])?", prop_oneof![Just("d.test"), Just("else.test")])
            .prop_map(|(local, domain)| format!("{local}@{domain}"))
    }

    proptest! {
        /// Whatever the aliases: it ends, each target comes once, a mailbox exists and a forward is not ours.
        #[test]
        fn every_graph_of_aliases_has_an_answer(
            aliases in proptest::collection::hash_map(small_name(), proptest::collection::vec(small_name(), 1..5), 0..10),
            mailboxes in proptest::collection::hash_set(small_name(), 0..4),
            catch_all in proptest::option::of(small_name()),
            asked in small_name(),
        ) {
            let mut found = Found { aliases, ..Found::default() };
            for login in &mailboxes {
                found.mailboxes.insert(login.clone(), account(login));
            }
            let domains = Domains(HashMap::from([("d.test".to_owned(), catch_all)]));
            let asked = asked.replace("else.test", "d.test");
            if let Ok(resolution) = run(&domains, &Settings::default(), &found, &asked) {
                let unique: HashSet<_> = resolution.targets.iter().map(|target| Arc::clone(target.name())).collect();
                prop_assert_eq!(unique.len(), resolution.targets.len());
                prop_assert_eq!(resolution.hosting.is_found(), !resolution.targets.is_empty());
                for target in resolution.targets.iter() {
                    match target {
                        Target::Account { login, .. } => prop_assert!(mailboxes.contains(&**login)),
                        Target::Forward { address } => prop_assert!(address.ends_with("@else.test")),
                    }
                }
            }
        }

        /// A detail changes nothing where the full name is nobody's.
        #[test]
        fn a_detail_is_ignored(local in "[a-z]{1,8}", detail in "[a-z+]{0,8}") {
            let login = format!("{local}@d.test");
            let plain = resolve(&[], &[&login], &login).unwrap();
            let detailed = resolve(&[], &[&login], &format!("{local}+{detail}@d.test")).unwrap();
            prop_assert_eq!(plain, detailed);
        }
    }
}
