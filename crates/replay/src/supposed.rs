//! What may be supposed about a refused case: a small, fixed list. Whether it would be accepted so is judged, never guessed.

use std::net::IpAddr;
use std::sync::Arc;

use guard::policy::Entry;
use guard::rule::Mode;
use guard::suspicion::exempt::Who;
use guard::{
    Choice, ConfigLine, Fact, FactName, Greylist, HopAnswer, Hosting, Of, Policy, PtrName, Stage, Suspicion, Value,
};
use smtp::{Domain, ReversePath};

use crate::came::Came;
use crate::subject::{Places, Subject};
use crate::values;

/// A case as it is supposed, and the policy that it is judged by.
pub(crate) struct Supposed {
    pub(crate) subject: Subject,
    pub(crate) policy: Policy,
    /// It cannot be supposed.
    pub(crate) is_void: bool,
}

/// One supposition, with what an operator or the client would do for it.
pub(crate) struct Supposition {
    pub(crate) text: String,
    apply: Box<dyn Fn(&mut Supposed) + Send + Sync>,
}

/// What is known of the case besides.
pub(crate) struct About<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) policy: &'a Policy,
    pub(crate) came: &'a Came,
    /// Logins that own the reverse-path.
    pub(crate) owners: Vec<String>,
    /// The domain of an address of whoever would log in.
    pub(crate) own_domain: Option<Domain>,
    /// Files of the kind `deny`: whatever stands in them refuses, so that none of their entries can say `OK`.
    pub(crate) only_deny: &'a [String],
}

impl Supposed {
    pub(crate) fn of(about: &About<'_>) -> Self {
        let Policy { relay, rules, suspicion, version } = about.policy;
        let policy = Policy {
            relay: relay.clone(),
            rules: Arc::clone(rules),
            suspicion: Arc::clone(suspicion),
            version: *version,
        };
        Self { subject: about.subject.clone(), policy, is_void: false }
    }

    fn change_suspicion(&mut self, change: impl FnOnce(&mut Suspicion)) {
        let mut suspicion = Suspicion::clone(&self.policy.suspicion);
        change(&mut suspicion);
        self.policy.suspicion = Arc::new(suspicion);
    }

    fn logs_in(&mut self, login: &str) {
        self.subject.stood.claims_login = true;
        self.subject.told = None;
        self.subject.suppose(Value::Login(Some(values::somebody(login, None))));
        self.subject.suppose(Value::Owners(vec![login.to_owned()]));
        self.subject.places = Places::OfRights;
    }
}

impl Supposition {
    fn new(text: impl Into<String>, apply: impl Fn(&mut Supposed) + Send + Sync + 'static) -> Self {
        Self { text: text.into(), apply: Box::new(apply) }
    }

    pub(crate) fn apply(&self, supposed: &mut Supposed) {
        (self.apply)(supposed);
    }
}

fn line() -> ConfigLine {
    ConfigLine::new("supposed", 0)
}

/// All that may be supposed of a case, the simplest first.
pub(crate) fn all(about: &About<'_>) -> Vec<Supposition> {
    let mut all = Vec::new();
    by_login(about, &mut all);
    by_address(about, &mut all);
    by_recipient(about, &mut all);
    by_limits(about, &mut all);
    by_greeting(about, &mut all);
    by_rules(about, &mut all);
    by_answers(about, &mut all);
    all
}

/// Somebody logs in, or who did may send so.
fn by_login(about: &About<'_>, all: &mut Vec<Supposition>) {
    let Some(reverse_path) = about.subject.reverse_path().filter(|_| about.subject.stage == Stage::Rcpt) else {
        return by_own_address(about, all);
    };
    if about.subject.stood.claims_login {
        return by_own_address(about, all);
    }
    match (reverse_path, about.owners.first()) {
        (ReversePath::Null, _) => {
            all.push(Supposition::new("somebody logged in (AUTH)", |it| it.logs_in("somebody")));
        }
        (ReversePath::Mailbox(_), Some(owner)) => {
            let login = owner.clone();
            all.push(Supposition::new(format!("{owner} logged in (AUTH)"), move |it| it.logs_in(&login)));
        }
        (ReversePath::Mailbox(_), None) => {
            let Some(domain) = &about.own_domain else { return };
            let login = format!("somebody@{domain}");
            let text = format!("somebody logged in (AUTH) and sent with an address of their own, not {reverse_path}");
            all.push(Supposition::new(text, move |it| {
                it.logs_in(&login);
                sends_as(it, &login);
            }));
        }
    }
}

/// What follows from the reverse-path is not known of another.
fn sends_as(it: &mut Supposed, login: &str) {
    let path = ReversePath::parse(&format!("<{login}>"));
    let (Some(open), Ok(path)) = (&mut it.subject.stood.open, path) else {
        it.is_void = true;
        return;
    };
    open.reverse_path = path;
    for fact in [FactName::SenderHosted, FactName::Spf, FactName::SenderDomain, FactName::DomainListings] {
        it.subject.forget(fact);
    }
    it.subject.forget(FactName::Choice);
}

/// Who logged in sends with an address that is his, or might send to whom he did.
fn by_own_address(about: &About<'_>, all: &mut Vec<Supposition>) {
    let Some(Fact::Known(Value::Login(Some(login)))) = about.subject.fact(FactName::Login) else { return };
    let (name, path) = (login.login().to_owned(), about.subject.reverse_path().map(ToString::to_string));
    if let Some(path) = path.filter(|_| login.device().is_none_or(|device| device.reverse_path.is_none())) {
        let owner = name.clone();
        let text = format!("{path} belonged to {name} (sekisho alias add)");
        all.push(Supposition::new(text, move |it| it.subject.suppose(Value::Owners(vec![owner.clone()]))));
    }
    if let Some(device) = login.device() {
        let text = format!("{name} sent with another device or with the password, not with \"{}\"", device.name);
        all.push(Supposition::new(text, move |it| {
            it.subject.suppose(Value::Login(Some(values::somebody(&name, None))));
        }));
    }
}

/// The client has a right by its address.
fn by_address(about: &About<'_>, all: &mut Vec<Supposition>) {
    let Some(client) = about.subject.stood.client.filter(|_| !about.subject.stood.claims_login) else { return };
    if about.subject.stage == Stage::Rcpt {
        all.push(Supposition::new(format!("{client} were in relay.networks"), move |it| in_networks(it, client)));
    }
    // Who logs in again counts on.
    let is_used_up = about.came.refused.as_ref().is_some_and(|it| it.reason == "grant-exhausted");
    if let Some(owner) = about.owners.first().filter(|_| about.policy.relay.pop_enabled() && !is_used_up) {
        let (login, text) = (owner.clone(), format!("{owner} had logged in by POP3 from {client} lately (relay.pop)"));
        all.push(Supposition::new(text, move |it| {
            let key = it.policy.relay.pop_key(client);
            let evidence = vec![values::logged_in_lately(&login, key, it.subject.at)];
            it.subject.suppose_of(Value::PopEvidence(evidence), Of::Address(key));
            it.subject.suppose(Value::Owners(vec![login.clone()]));
            it.subject.places = Places::OfRights;
        }));
    }
    let of_strangers = ["suspicious", "listed", "greylisted", "helo-refused"];
    if about.came.refused.as_ref().is_some_and(|it| of_strangers.contains(&it.reason.as_str())) {
        let text = format!("{client} were exempted (sekisho guard exempt {client})");
        all.push(Supposition::new(text, move |it| {
            it.change_suspicion(|suspicion| suspicion.exempt.add(&Who::Network(client.into()), line()));
        }));
    }
}

fn in_networks(it: &mut Supposed, client: IpAddr) {
    match it.policy.relay.with_network(Entry { text: client.to_string(), line: line() }) {
        Ok(relay) => it.policy.relay = relay,
        Err(_) => it.is_void = true,
    }
}

/// The recipient is somebody here, or is passed on.
fn by_recipient(about: &About<'_>, all: &mut Vec<Supposition>) {
    let Some(path) = about.subject.path.as_ref().filter(|_| about.subject.stage == Stage::Rcpt) else { return };
    let Some(mailbox) = about.policy.relay.directory_mailbox(path).map(std::borrow::Cow::into_owned) else { return };
    let Some(domain) = mailbox.host.domain().cloned() else { return };
    if mailbox.routing().is_some() {
        // No account or alias can be named like a route.
        return;
    }
    let here = |it: &mut Supposed| {
        it.subject.suppose(Value::Hosting(Hosting::Mailbox));
        it.subject.suppose(Value::Choice(Choice::None));
        it.subject.places = Places::All;
    };
    match about.subject.fact(FactName::Hosting) {
        Some(Fact::Known(Value::Hosting(Hosting::UnknownUser))) => {
            all.push(Supposition::new(format!("{mailbox} existed here (sekisho user add, sekisho alias add)"), here));
        }
        Some(Fact::Known(Value::Hosting(Hosting::Misconfigured))) => {
            all.push(Supposition::new(format!("the alias {mailbox} led to somebody"), here));
        }
        Some(Fact::Known(Value::Hosting(Hosting::DomainOff))) => {
            let text = format!("{domain} were not switched off (sekisho domain on {domain}), and had {mailbox}");
            all.push(Supposition::new(text, here));
        }
        Some(Fact::Known(Value::Hosting(Hosting::NotHosted))) => {
            let text = format!("{domain} were a domain of this server (sekisho domain add {domain}), with {mailbox}");
            all.push(Supposition::new(text, here));
            let text = format!("{domain} were in domains.relay, with a next hop that has {mailbox}");
            all.push(Supposition::new(text, move |it| passed_on(it, &domain)));
        }
        _ => {}
    }
    if about.came.refused.as_ref().is_some_and(|it| it.reason == "refused-by-recipient") {
        let text = format!("{mailbox} took mail of this sender (sekisho user choice)");
        all.push(Supposition::new(text, |it| it.subject.suppose(Value::Choice(Choice::None))));
    }
}

fn passed_on(it: &mut Supposed, domain: &Domain) {
    match it.policy.relay.with_relay_domain(Entry { text: domain.to_string(), line: line() }) {
        Ok(relay) => {
            it.policy.relay = relay;
            it.subject.suppose(Value::HopAnswer(HopAnswer::Fine));
        }
        Err(_) => it.is_void = true,
    }
}

/// A limit is not reached, or it came back after a while.
fn by_limits(about: &About<'_>, all: &mut Vec<Supposition>) {
    let reason = about.came.refused.as_ref().map(|it| it.reason.as_str());
    let text = match reason {
        Some("greylisted") => {
            let text = "it came again after the wait (guard.greylist_delay_secs)";
            all.push(Supposition::new(text, |it| it.subject.suppose(Value::Greylist(Greylist::Passed))));
            return;
        }
        Some("mailbox-full") => "the mailbox had room (mail were deleted from it, or its quota larger)",
        Some("grant-exhausted") if about.came.right.is_none() && about.subject.stood.claims_login => {
            "the device had not sent as much within the hour (its messages per hour)"
        }
        Some("grant-exhausted") => {
            "less had been sent within the hour (relay.pop.messages_per_hour, relay.pop.recipients_per_hour)"
        }
        _ => return,
    };
    all.push(Supposition::new(text, |it| it.subject.places = Places::All));
}

/// It greets with what it is.
fn by_greeting(about: &About<'_>, all: &mut Vec<Supposition>) {
    let Some(client) = about.subject.stood.client else { return };
    let by_helo = |rule: &serde_json::Value| rule.get("part").and_then(|part| part.as_str()) == Some("helo");
    if !about.came.rules.iter().any(by_helo) {
        return;
    }
    let helo = match about.subject.fact(FactName::PtrNames) {
        Some(Fact::Known(Value::PtrNames(PtrName::Confirmed(name)))) => name.to_string(),
        _ => match client {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        },
    };
    all.push(Supposition::new(format!("it greeted with {helo}"), move |it| {
        it.subject.stood.helo = Some(helo.clone());
        if it.subject.reverse_path().is_some_and(|path| path.mailbox().is_none()) {
            it.subject.forget(FactName::Spf);
            it.subject.forget(FactName::DomainListings);
        }
    }));
}

/// A rule that held is not in force, or weighs nothing; an entry says `OK`; a list has not what it has.
fn by_rules(about: &About<'_>, all: &mut Vec<Supposition>) {
    let text = |value: &serde_json::Value, key: &str| value.get(key).and_then(|it| it.as_str()).map(str::to_owned);
    let enforced = about.came.rules.iter().filter(|rule| text(rule, "mode").as_deref() == Some("enforce"));
    for rule in enforced {
        let Some(line) = text(rule, "line") else { continue };
        match text(rule, "rule") {
            Some(name) => {
                let said = format!("the rule {name} ({line}) were only tried (guard.observe, or its mode)");
                all.push(Supposition::new(said, move |it| {
                    it.change_suspicion(|suspicion| {
                        let named = suspicion.rules.iter_mut().filter(|rule| *rule.name == *name);
                        named.for_each(|rule| rule.mode = Mode::Observe);
                    });
                }));
            }
            None if about.only_deny.iter().any(|file| line.starts_with(&format!("{file}:"))) => {}
            None => {
                let said = format!("the entry {line} said OK");
                all.push(Supposition::new(said, move |it| it.subject.turned.push(line.clone())));
            }
        }
    }
    let known = about.subject.known.iter().filter_map(|known| match &known.found.value {
        Fact::Known(Value::Listings(all) | Value::DomainListings(all)) => Some(all),
        _ => None,
    });
    for listing in known.flatten().filter(|listing| listing.weight > 0) {
        let zone = Arc::clone(&listing.zone);
        let tried = Arc::clone(&zone);
        let said = format!("the list {zone} were only tried (dnsbl.mode)");
        all.push(Supposition::new(said, move |it| it.subject.tried_lists.push(Arc::clone(&tried))));
        // A rule of one's own goes by what a list has, whatever the list's mode.
        let said = format!("the list {zone} did not have it");
        all.push(Supposition::new(said, move |it| {
            for known in &mut it.subject.known {
                if let Fact::Known(Value::Listings(all) | Value::DomainListings(all)) = &mut known.found.value {
                    all.retain(|one| one.zone != zone);
                }
            }
        }));
    }
}

/// What could not be asked is asked again, or says yes.
fn by_answers(about: &About<'_>, all: &mut Vec<Supposition>) {
    let unknown = about.subject.known.iter().filter(|known| matches!(known.found.value, Fact::Unknown(_)));
    let unknown: Vec<FactName> = unknown.map(|known| known.need.fact).collect();
    if unknown.is_empty() {
        return;
    }
    if unknown.contains(&FactName::Hosting) {
        all.push(Supposition::new("the accounts could be asked, and had the recipient", |it| {
            it.subject.suppose(Value::Hosting(Hosting::Mailbox));
            it.subject.suppose(Value::Choice(Choice::None));
        }));
    }
    let names: Vec<&str> = unknown.iter().map(|fact| fact.code()).collect();
    let text = format!("what was not found out then were as it is now: {}", names.join(", "));
    all.push(Supposition::new(text, move |it| unknown.iter().for_each(|fact| it.subject.forget(*fact))));
}
