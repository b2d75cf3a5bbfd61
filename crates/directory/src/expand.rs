//! Following an address to its mailboxes, without I/O: names go out, what the store knows of them comes in.
//!
//! The order for each name of a hosted domain: alias, mailbox, both again without the `+detail`, the postmaster's account,
//! the catch-all. An alias that names itself means the mailbox of that name. Depth and width are bounded, an alias is
//! followed once. What leads back to itself, or to nobody, is a fault that names the way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::Settings;
use crate::error::{AliasFault, Way};
use crate::name;
use crate::route::{ALIAS_DEPTH_MAX, ALIAS_WIDTH_MAX, Hosting, Resolution, Target};

const POSTMASTER: &str = "postmaster";
/// How many steps are taken to name a loop that is longer than an alias may be deep.
const NAMED_DEPTH_MAX: usize = 100;

/// The hosted domains.
#[derive(Debug, Default)]
pub(crate) struct Domains(pub(crate) HashMap<String, OfDomain>);

/// What is set at a hosted domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OfDomain {
    /// The address that takes what nobody else takes.
    pub(crate) catch_all: Option<String>,
    /// Its mail is to come later.
    pub(crate) is_off: bool,
}

impl Domains {
    pub(crate) fn contains(&self, domain: &str) -> bool {
        self.0.contains_key(domain)
    }

    pub(crate) fn is_off(&self, domain: &str) -> bool {
        self.0.get(domain).is_some_and(|of| of.is_off)
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
    asked: String,
    /// What leads where and has no mailbox of its own: loops are found in it.
    passed: HashMap<String, Vec<String>>,
    /// Hosted addresses that nobody has.
    dead: Vec<String>,
    /// The alias that led to each name first.
    led: HashMap<String, Arc<str>>,
    /// The same for each target.
    aliases: Vec<Option<Arc<str>>>,
}

/// A name that may be somebody's own.
#[derive(Clone, Copy)]
struct Own<'a> {
    /// The name.
    address: &'a str,
    /// The address of this step, which comes down to it.
    step: &'a str,
}

impl<'a> Expansion<'a> {
    /// `address` is one of a hosted domain.
    pub(crate) fn new(domains: &'a Domains, settings: &'a Settings, address: String) -> Self {
        let asked = domains.fold(address);
        Self {
            domains,
            settings,
            level: vec![asked.clone()],
            depth: 0,
            names: 0,
            followed: HashSet::new(),
            targets: Vec::new(),
            target_names: HashSet::new(),
            hosting: None,
            asked,
            passed: HashMap::new(),
            dead: Vec::new(),
            led: HashMap::new(),
            aliases: Vec::new(),
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
        if self.depth > NAMED_DEPTH_MAX {
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

    /// The answer, once done. Nothing found behind an alias is a fault: mail for it can never arrive.
    pub(crate) fn finish(self) -> Result<Resolution, AliasFault> {
        if self.depth > ALIAS_DEPTH_MAX + 1 {
            return Err(self.circle().map_or(AliasFault::TooDeep, AliasFault::Loop));
        }
        if !self.targets.is_empty() {
            let hosting = self.hosting.unwrap_or(Hosting::UnknownUser);
            return Ok(Resolution { hosting, targets: self.targets.into(), aliases: self.aliases.into() });
        }
        if self.followed.is_empty() {
            return Ok(Resolution::nothing(Hosting::UnknownUser));
        }
        Err(self.circle().map_or_else(|| self.dead_end(), AliasFault::Loop))
    }

    /// As [`Self::finish`], where a new alias is judged: no part of it may be a loop or lead to nobody.
    pub(crate) fn finish_strictly(self) -> Result<Resolution, AliasFault> {
        if let Some(circle) = self.circle() {
            return Err(AliasFault::Loop(circle));
        }
        if !self.dead.is_empty() && !self.followed.is_empty() {
            return Err(self.dead_end());
        }
        self.finish()
    }

    fn dead_end(&self) -> AliasFault {
        const NAMED_MAX: usize = 4;
        let named: Vec<&str> = self.dead.iter().take(NAMED_MAX).map(String::as_str).collect();
        AliasFault::DeadEnd(named.join(", "))
    }

    /// A loop among what was followed, from a name to the same name.
    fn circle(&self) -> Option<Way> {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut path = vec![(self.asked.as_str(), self.passed.get(&self.asked)?.iter())];
        while let Some((_, rest)) = path.last_mut() {
            let Some(next) = rest.next() else {
                path.pop();
                continue;
            };
            if let Some(start) = path.iter().position(|(name, _)| *name == next.as_str()) {
                let names = path.iter().skip(start).map(|(name, _)| (*name).to_owned());
                return Some(Way(names.chain([next.clone()]).collect()));
            }
            if let Some(more) = self.passed.get(next).filter(|_| seen.insert(next)) {
                path.push((next, more.iter()));
            }
        }
        None
    }

    fn step(&mut self, address: &str, found: &Found, next: &mut Next) -> Hosting {
        let Some((local, domain)) = name::split(address) else { return Hosting::UnknownUser };
        if !self.domains.contains(domain) {
            self.add(Target::Forward { address: Arc::from(address) }, address);
            return Hosting::Alias;
        }
        let exact = self.own(Own { address, step: address }, found, next);
        let own = exact.or_else(|| {
            let base = self.without_detail(address)?;
            let hosting = self.own(Own { address: &base, step: address }, found, next)?;
            self.pass(address, [base]);
            Some(hosting)
        });
        let taken =
            own.or_else(|| self.postmaster(local, address, next)).or_else(|| self.catch_all(address, domain, next));
        taken.unwrap_or_else(|| {
            self.dead.push(address.to_owned());
            Hosting::UnknownUser
        })
    }

    fn pass<const N: usize>(&mut self, from: &str, to: [String; N]) {
        self.passed.entry(from.to_owned()).or_insert_with(|| to.into());
    }

    /// Notes what an alias leads to, the first time that something does.
    fn lead(&mut self, alias: &str, to: &[String], next: &mut Next) {
        let alias: Arc<str> = alias.into();
        for name in to {
            self.led.entry(name.clone()).or_insert_with(|| Arc::clone(&alias));
            next.push(name.clone());
        }
    }

    /// The alias or mailbox of exactly this name, to which the address of this step comes down.
    fn own(&mut self, own: Own<'_>, found: &Found, next: &mut Next) -> Option<Hosting> {
        let Own { address, step } = own;
        let mailbox = found.mailboxes.get(address);
        if let Some(targets) = found.aliases.get(address) {
            if self.followed.insert(address.to_owned()) {
                let folded: Vec<String> = targets.iter().map(|target| self.domains.fold(target.clone())).collect();
                self.lead(address, &folded, next);
                if mailbox.is_none() {
                    self.passed.insert(address.to_owned(), folded);
                }
                return Some(Hosting::Alias);
            }
            // Seen before: an alias that keeps a copy means its own mailbox; any other is behind two aliases, or a loop.
            if mailbox.is_none() {
                return Some(Hosting::Alias);
            }
        }
        self.add(mailbox?.clone(), step);
        Some(Hosting::Mailbox)
    }

    fn postmaster(&mut self, local: &str, address: &str, next: &mut Next) -> Option<Hosting> {
        let account = self.settings.postmaster.as_deref().filter(|_| local == POSTMASTER)?;
        if !self.followed.insert(address.to_owned()) {
            return None;
        }
        let account = self.domains.fold(account.to_owned());
        self.lead(address, std::slice::from_ref(&account), next);
        self.pass(address, [account]);
        Some(Hosting::Alias)
    }

    fn catch_all(&mut self, address: &str, domain: &str, next: &mut Next) -> Option<Hosting> {
        let taker = self.domains.0.get(domain)?.catch_all.as_ref()?;
        let all = format!("@{domain}");
        self.pass(address, [all.clone()]);
        if self.followed.insert(all.clone()) {
            let taker = self.domains.fold(taker.clone());
            self.lead(&all, std::slice::from_ref(&taker), next);
            self.pass(&all, [taker]);
        }
        Some(Hosting::CatchAll)
    }

    fn add(&mut self, target: Target, step: &str) {
        if self.target_names.insert(Arc::clone(target.name())) {
            self.aliases.push(self.led.get(step).cloned());
            self.targets.push(target);
        }
    }

    /// The address without its `+detail`; `None` where it has none.
    pub(crate) fn without_detail(&self, address: &str) -> Option<String> {
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

    fn one_domain(catch_all: Option<String>) -> Domains {
        Domains(HashMap::from([("d.test".to_owned(), OfDomain { catch_all, is_off: false })]))
    }

    type Rows<'a> = &'a [(&'a str, &'a [&'a str])];

    fn resolve(aliases: Rows<'_>, mailboxes: &[&str], asked: &str) -> Result<Resolution, AliasFault> {
        let settings = Settings { postmaster: Some("alice@d.test".to_owned()), ..Settings::default() };
        let domains = one_domain(None);
        run(&domains, &settings, &found(aliases, mailboxes), asked)
    }

    fn caught_by(taker: &str, aliases: Rows<'_>, mailboxes: &[&str], asked: &str) -> Result<Resolution, AliasFault> {
        let domains = one_domain(Some(taker.to_owned()));
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
            has_choices: false,
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

    fn fault(found: Result<Resolution, AliasFault>) -> String {
        found.unwrap_err().to_string()
    }

    #[test]
    fn each_target_names_the_alias_that_led_to_it() {
        let aliases: Rows<'_> = &[
            ("all@d.test", &["sales@d.test", "bob@d.test"]),
            ("sales@d.test", &["alice@d.test", "Carol@else.test"]),
            ("alice@d.test", &["alice@d.test", "bob@d.test"]),
        ];
        let ways = |asked| {
            let found = resolve(aliases, &["alice@d.test", "bob@d.test"], asked).unwrap();
            let way = |(target, alias): (&Target, &Option<Arc<str>>)| format!("{} {alias:?}", target.name());
            found.targets.iter().zip(found.aliases.iter()).map(way).collect::<Vec<_>>()
        };
        assert_eq!(ways("bob+x@d.test"), ["bob@d.test None"]);
        assert_eq!(
            ways("alice@d.test"),
            [r#"alice@d.test Some("alice@d.test")"#, r#"bob@d.test Some("alice@d.test")"#]
        );
        assert_eq!(
            ways("all+x@d.test"),
            [
                r#"bob@d.test Some("all@d.test")"#,
                r#"Carol@else.test Some("sales@d.test")"#,
                // By the one that led to it first, not by its own that keeps a copy.
                r#"alice@d.test Some("sales@d.test")"#
            ]
        );
        let caught = caught_by("alice@d.test", aliases, &["alice@d.test"], "who@d.test").unwrap();
        assert_eq!(caught.aliases[0].as_deref(), Some("@d.test"));
    }

    #[test]
    fn loops_are_named_and_fall_to_no_catch_all() {
        let aliases: Rows<'_> = &[
            ("a@d.test", &["b@d.test"]),
            ("b@d.test", &["a@d.test"]),
            ("self@d.test", &["self@d.test"]),
            ("half@d.test", &["half2@d.test", "alice@d.test"]),
            ("half2@d.test", &["half@d.test"]),
            ("detail@d.test", &["detail+x@d.test"]),
        ];
        let ask = |asked| caught_by("alice@d.test", aliases, &["alice@d.test"], asked);
        for (asked, named) in [
            ("a@d.test", "a@d.test > b@d.test > a@d.test"),
            ("a+x@d.test", "a@d.test > b@d.test > a@d.test"),
            ("self@d.test", "self@d.test > self@d.test"),
            ("detail@d.test", "detail@d.test > detail+x@d.test > detail@d.test"),
        ] {
            assert_eq!(fault(ask(asked)), format!("it is a loop: {named}"), "{asked}");
        }
        assert_eq!(names(&ask("half@d.test").unwrap()), ["alice@d.test"]);
        let caught = ask("stranger@d.test").unwrap();
        assert_eq!((caught.hosting, names(&caught)), (Hosting::CatchAll, vec!["alice@d.test"]));
        assert!(caught.owners().is_empty());
    }

    #[test]
    fn a_loop_of_any_length_is_named() {
        for length in [1, 2, 11, 12, 40] {
            let mut found = Found::default();
            for link in 0..length {
                found.aliases.insert(format!("a{link}@d.test"), vec![format!("a{}@d.test", (link + 1) % length)]);
            }
            let domains = one_domain(None);
            let loops = run(&domains, &Settings::default(), &found, "a0@d.test");
            assert!(matches!(loops, Err(AliasFault::Loop(way)) if way.0.len() == length + 1), "{length}");
        }
    }

    #[test]
    fn what_leads_to_nobody_is_a_fault_that_names_the_end() {
        let aliases: Rows<'_> =
            &[("gone@d.test", &["far@d.test"]), ("far@d.test", &["ghost@d.test"]), ("info@d.test", &["typo@d.test"])];
        assert_eq!(fault(resolve(aliases, &[], "gone@d.test")), "nobody has the address it leads to: ghost@d.test");
        // Two ways to the same alias are no loop.
        let two: Rows<'_> = &[
            ("top@d.test", &["left@d.test", "right@d.test"]),
            ("left@d.test", &["end@d.test"]),
            ("right@d.test", &["end@d.test"]),
            ("end@d.test", &["ghost@d.test"]),
        ];
        assert_eq!(fault(resolve(two, &[], "top@d.test")), "nobody has the address it leads to: ghost@d.test");
        // Nor does a mailbox help that its alias took away.
        let hidden: Rows<'_> = &[("alice@d.test", &["ghost@d.test"])];
        assert_eq!(
            fault(resolve(hidden, &["alice@d.test"], "alice@d.test")),
            "nobody has the address it leads to: ghost@d.test"
        );
        let ask = |taker, asked| caught_by(taker, aliases, &["alice@d.test"], asked);
        assert_eq!(fault(ask("nobody@d.test", "stranger@d.test")), "it is a loop: @d.test > nobody@d.test > @d.test");
        assert_eq!(
            fault(ask("info@d.test", "info@d.test")),
            "it is a loop: info@d.test > typo@d.test > @d.test > info@d.test"
        );
        assert_eq!(names(&ask("who@else.test", "stranger@d.test").unwrap()), ["who@else.test"]);
    }

    #[test]
    fn a_new_alias_is_judged_whole() {
        let strictly = |aliases: Rows<'_>| {
            let domains = one_domain(None);
            let (settings, found) = (Settings::default(), found(aliases, &["alice@d.test"]));
            let mut expansion = Expansion::new(&domains, &settings, "new@d.test".to_owned());
            while !expansion.is_done() {
                expansion.take(&found)?;
            }
            expansion.finish_strictly()
        };
        assert!(strictly(&[("new@d.test", &["alice@d.test", "x@else.test"])]).is_ok());
        assert!(
            strictly(&[("alice@d.test", &["alice@d.test", "x@else.test"]), ("new@d.test", &["alice@d.test"])]).is_ok()
        );
        for (aliases, wanted) in [
            (
                &[("new@d.test", &["alice@d.test", "ghost@d.test"][..])][..],
                "nobody has the address it leads to: ghost@d.test",
            ),
            (
                &[("new@d.test", &["alice@d.test", "b@d.test"]), ("b@d.test", &["new@d.test"])],
                "it is a loop: new@d.test > b@d.test > new@d.test",
            ),
        ] {
            assert_eq!(fault(strictly(aliases)), wanted);
        }
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
        let domains = one_domain(None);
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
            let domains = one_domain(catch_all);
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
